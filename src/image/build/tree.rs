//! The files of one layer, gathered and in order.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::SourceError;
use super::inputs::Inputs;
use super::tarball::Tarball;
use crate::image::manifests;
use crate::image::spec::Mode;
use crate::regular_file;

/// One entry. What is serialised decides whether a layer is packed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Node {
    Directory,
    File {
        executable: bool,
        size: u64,
        sha256: String,
        #[serde(skip)]
        source: PathBuf,
    },
    Link(String),
}

/// Entries by path; a parent always sorts before what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// Adds the file or directory `from`: a file at `to`, a directory's content below `to`.
    pub(super) fn add(
        &mut self,
        from: &Path,
        to: Option<&str>,
        mode: Option<Mode>,
        inputs: &Inputs,
    ) -> Result<(), SourceError> {
        let to = normal(to.unwrap_or("."));
        let meta = fs::metadata(from).map_err(SourceError::io("read", from))?;
        if meta.is_dir() {
            return self.add_directory(from, &to, mode, inputs);
        }
        if to.is_empty() {
            return Err(SourceError::unsuitable(from, "it is a file: say where it goes (to: bin/NAME)"));
        }
        self.add_file(from, &to, &meta, mode, inputs)
    }

    /// Adds an empty directory.
    pub(super) fn add_empty(&mut self, path: &str) -> Result<(), SourceError> {
        self.insert(Path::new(path), path, Node::Directory)
    }

    /// Size of all files together.
    pub(super) fn size(&self) -> u64 {
        self.0.values().map(|node| if let Node::File { size, .. } = node { *size } else { 0 }).sum()
    }

    /// The container images that objects in its files run, by file. A template tells of none before it is filled.
    pub(super) fn container_images(&self) -> Vec<(PathBuf, Vec<String>)> {
        let images = |(path, node): (&String, &Node)| {
            let Node::File { source, .. } = node else { return None };
            let text = fs::read_to_string(source).ok()?;
            let objects = serde_yaml::from_multiple::<serde_json::Value>(&text).ok()?;
            let mut images = manifests::container_images(&objects);
            images.retain(|image| !image.contains("{{"));
            Some((PathBuf::from(path), images))
        };
        self.0.iter().filter_map(images).collect()
    }

    /// What is wrong in its files, where all of them are manifests, by file and line. A template is judged when it is
    /// filled.
    pub(super) fn manifest_faults(&self) -> Vec<(PathBuf, String)> {
        let faults = |(path, node): (&String, &Node)| {
            let Node::File { source, .. } = node else { return Vec::new() };
            let told = |why: String| (PathBuf::from(path), why);
            let text = match regular_file::read_text(source, manifests::MOST) {
                Ok(text) => text,
                Err(error) => return vec![told(error.to_string())],
            };
            match manifests::text_objects(&text) {
                Err(faults) if !text.contains("{{") && !text.contains("{%") => {
                    faults.into_iter().map(|fault| told(format!("line {}: {}", fault.line, fault.message))).collect()
                }
                _ => Vec::new(),
            }
        };
        self.0.iter().flat_map(faults).collect()
    }

    /// Writes the tree as tar, under `prefix`, with an entry for each directory on the way there.
    pub(super) fn write(&self, prefix: &str, out: &mut dyn Write) -> io::Result<()> {
        let mut tarball = Tarball::new(out);
        directories_above(&format!("{prefix}/.")).try_for_each(|path| tarball.directory(path))?;
        for (path, node) in &self.0 {
            let path = if prefix.is_empty() { path.clone() } else { format!("{prefix}/{path}") };
            match node {
                Node::Directory => tarball.directory(&path)?,
                Node::Link(target) => tarball.link(&path, target)?,
                Node::File { executable, size, source, .. } => {
                    tarball.file(&path, *executable, *size, File::open(source)?)?;
                }
            }
        }
        tarball.finish()?.flush()
    }

    fn add_directory(&mut self, from: &Path, to: &str, mode: Option<Mode>, inputs: &Inputs) -> Result<(), SourceError> {
        self.insert(from, to, Node::Directory)?;
        for entry in fs::read_dir(from).map_err(SourceError::io("read", from))? {
            let path = entry.map_err(SourceError::io("read", from))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| SourceError::unsuitable(&path, "its name is not UTF-8"))?;
            let inner = if to.is_empty() { name.to_owned() } else { format!("{to}/{name}") };
            let meta = fs::symlink_metadata(&path).map_err(SourceError::io("read", &path))?;
            if meta.is_symlink() {
                let target = fs::read_link(&path).map_err(SourceError::io("read", &path))?;
                let target =
                    target.to_str().ok_or_else(|| SourceError::unsuitable(&path, "its target is not UTF-8"))?;
                self.insert(&path, &inner, Node::Link(target.to_owned()))?;
            } else if meta.is_dir() {
                self.add_directory(&path, &inner, mode, inputs)?;
            } else {
                self.add_file(&path, &inner, &meta, mode, inputs)?;
            }
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        from: &Path,
        to: &str,
        meta: &fs::Metadata,
        mode: Option<Mode>,
        inputs: &Inputs,
    ) -> Result<(), SourceError> {
        if !meta.is_file() {
            return Err(SourceError::unsuitable(from, "it is neither file, directory nor symbolic link"));
        }
        let executable = mode.map_or(meta.permissions().mode() & 0o111 != 0, |mode| mode == Mode::Executable);
        let (sha256, size) = inputs.digest(from)?;
        self.insert(from, to, Node::File { executable, size, sha256, source: from.to_owned() })
    }

    fn insert(&mut self, from: &Path, path: &str, node: Node) -> Result<(), SourceError> {
        if path.is_empty() {
            return Ok(());
        }
        for above in directories_above(path) {
            if !matches!(self.0.entry(above.to_owned()).or_insert(Node::Directory), Node::Directory) {
                return Err(SourceError::unsuitable(from, format!("{path} would be below {above}, which is a file")));
            }
        }
        match self.0.insert(path.to_owned(), node.clone()) {
            Some(Node::Directory) if node == Node::Directory => Ok(()),
            Some(_) => Err(SourceError::unsuitable(from, format!("two sources make {path}"))),
            None => Ok(()),
        }
    }
}

/// `a/b` for `./a//b/`; nothing for `.`.
fn normal(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// `a`, `a/b` for `a/b/c`.
fn directories_above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end]).filter(|above| !above.is_empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn inputs(directory: &Path) -> Inputs {
        Inputs::load(&directory.join("index.json"))
    }

    fn listing(tree: &Tree, prefix: &str) -> Vec<String> {
        let mut bytes = Vec::new();
        tree.write(prefix, &mut bytes).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let target = entry.link_name().unwrap().map_or(String::new(), |target| format!(" -> {}", target.display()));
            format!("{:o} {}{target}", entry.header().mode().unwrap(), entry.path().unwrap().display())
        });
        entries.collect()
    }

    #[test]
    fn a_tree_is_sorted_and_its_modes_are_normal() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source");
        fs::create_dir_all(source.join("lib/empty")).unwrap();
        for (name, mode) in [("b", 0o4711), ("a", 0o600), ("lib/c", 0o444)] {
            fs::write(source.join(name), name).unwrap();
            fs::set_permissions(source.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("../b", source.join("lib/link")).unwrap();
        let mut tree = Tree::default();
        let inputs = inputs(directory.path());
        tree.add(&source, None, None, &inputs).unwrap();
        tree.add(&source.join("a"), Some("./bin//a"), Some(Mode::Executable), &inputs).unwrap();
        assert_eq!(
            listing(&tree, "opt/x"),
            [
                "755 opt/",
                "755 opt/x/",
                "644 opt/x/a",
                "755 opt/x/b",
                "755 opt/x/bin/",
                "755 opt/x/bin/a",
                "755 opt/x/lib/",
                "644 opt/x/lib/c",
                "755 opt/x/lib/empty/",
                "777 opt/x/lib/link -> ../b",
            ]
        );
        assert_eq!(listing(&tree, "")[0], "644 a");
        assert_eq!(tree.size(), 1 + 1 + 5 + 1);
    }

    #[test]
    fn sources_that_get_in_each_others_way_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "a").unwrap();
        let inputs = inputs(directory.path());
        let mut tree = Tree::default();
        tree.add(&file, Some("bin/a"), None, &inputs).unwrap();
        for (to, why) in [
            (Some("bin/a"), "two sources make bin/a"),
            (Some("bin/a/b"), "below bin/a, which is a file"),
            (Some("bin"), "two sources make bin"),
            (None, "say where it goes"),
        ] {
            let error = tree.clone().add(&file, to, None, &inputs).unwrap_err().to_string();
            assert!(error.contains(why), "{to:?}: {error}");
        }
        let error = tree.add(&directory.path().join("gone"), Some("b"), None, &inputs).unwrap_err();
        assert!(matches!(error, SourceError::Missing { .. }), "{error}");
        let error = tree.add(Path::new("/dev/null"), Some("b"), None, &inputs).unwrap_err().to_string();
        assert!(error.contains("neither file"), "{error}");
    }
}
