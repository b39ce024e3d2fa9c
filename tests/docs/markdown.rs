//! As much of Markdown as these tests need: fences, headings and their anchors, links.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file with its text.
pub(crate) struct Page {
    /// Path below the repository.
    pub(crate) path: PathBuf,
    /// All of it.
    pub(crate) text: String,
}

/// A block between two fences.
#[derive(Debug, Clone)]
pub(crate) struct Fence {
    /// Words behind the opening fence, divided by commas.
    pub(crate) info: Vec<String>,
    /// Number of the line with the opening fence.
    pub(crate) line: usize,
    /// What is between the fences.
    pub(crate) text: String,
}

impl Fence {
    /// What language it is in.
    pub(crate) fn language(&self) -> &str {
        self.info.first().map_or("", String::as_str)
    }

    /// Whether it is marked with `word`.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.info.iter().skip(1).any(|one| one == word)
    }

    /// What stands behind `word=` in its marks.
    pub(crate) fn value(&self, word: &str) -> Option<&str> {
        self.info.iter().find_map(|one| one.strip_prefix(word)?.strip_prefix('='))
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The pages of the book, in order of path.
pub(crate) fn book() -> Vec<Page> {
    below("docs/src").into_iter().filter(|page| page.path.extension().is_some_and(|e| e == "md")).collect()
}

/// The files below a directory of the repository; none where it is not there.
pub(crate) fn below(directory: &str) -> Vec<Page> {
    let mut found = Vec::new();
    let mut left = vec![PathBuf::from(directory)];
    while let Some(path) = left.pop() {
        let Ok(entries) = fs::read_dir(root().join(&path)) else { continue };
        for entry in entries.map(|entry| entry.unwrap()) {
            let path = path.join(entry.file_name());
            if entry.path().is_dir() {
                left.push(path);
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                found.push(Page { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// One file.
pub(crate) fn page(path: &str) -> Page {
    Page { path: path.into(), text: fs::read_to_string(root().join(path)).unwrap() }
}

impl Page {
    /// Its fenced blocks.
    pub(crate) fn fences(&self) -> Vec<Fence> {
        let mut fences: Vec<Fence> = Vec::new();
        let (mut open, mut indent) = (false, 0);
        for (index, line) in self.text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), open) {
                (Some(info), false) => {
                    indent = line.len() - line.trim_start().len();
                    let info = info.trim().split(',').map(|word| word.trim().to_owned()).collect();
                    fences.push(Fence { info, line: index + 1, text: String::new() });
                    open = true;
                }
                (Some(_), true) => open = false,
                (None, true) => {
                    let fence = fences.last_mut().unwrap();
                    // A fence of a list is indented with all that is in it.
                    fence.text.push_str(line.get(indent..).unwrap_or_default());
                    fence.text.push('\n');
                }
                (None, false) => {}
            }
        }
        assert!(!open, "{}: a fence is not closed", self.path.display());
        fences
    }

    /// Its lines outside of fences, with their numbers.
    pub(crate) fn prose(&self) -> Vec<(usize, &str)> {
        let mut open = false;
        let mut prose = Vec::new();
        for (index, line) in self.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                open = !open;
            } else if !open {
                prose.push((index + 1, line));
            }
        }
        prose
    }

    /// The anchors of its headings, as mdBook and GitHub make them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let headings = self.prose().into_iter().filter_map(|(_, line)| heading(line));
        let anchor = |text: &str| {
            let anchor = slug(text);
            let before = seen.entry(anchor.clone()).or_default();
            *before += 1;
            if *before == 1 { anchor } else { format!("{anchor}-{}", *before - 1) }
        };
        headings.map(anchor).collect()
    }

    /// Where its links lead, with the numbers of their lines. What is code is no link.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (number, line) in self.prose() {
            // Every second piece is code.
            let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
            let mut rest = text.as_str();
            while let Some((_, behind)) = rest.split_once("](") {
                let (target, after) = behind.split_once(')').unwrap_or((behind, ""));
                links.push((number, target.to_owned()));
                rest = after;
            }
        }
        links
    }

    /// Where it is said, for messages.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    /// The directory that it is in.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    (line.starts_with('#') && line.len() - text.len() <= 6).then(|| text.strip_prefix(' ')).flatten()
}

fn slug(heading: &str) -> String {
    let kept = |c: char| match c {
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        ' ' => Some('-'),
        _ => None,
    };
    heading.trim().chars().filter_map(kept).collect()
}

/// `a/b/../c` as `a/c`.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                normal.pop();
            }
            std::path::Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[test]
fn anchors_and_links_are_found() {
    let text = "# The `etcd` of 3.5\n```sh\n# not a heading [a](b)\n```\n## Twice\n## Twice\nSee [it](../a.md#twice) and `[no](c)`, [x](y).\n";
    let page = Page { path: "a/b.md".into(), text: text.into() };
    assert_eq!(page.anchors(), ["the-etcd-of-35", "twice", "twice-1"]);
    assert_eq!(page.links(), [(7, "../a.md#twice".to_owned()), (7, "y".to_owned())]);
    assert_eq!(page.fences()[0].text, "# not a heading [a](b)\n");
    assert_eq!(normal(Path::new("a/../b/./c.md")), Path::new("b/c.md"));
}
