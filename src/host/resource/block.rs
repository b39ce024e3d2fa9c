//! A marked block of lines in a file that others own, too: /etc/hosts.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::super::atomic::{self, Attributes};
use super::super::machine::found;
use super::super::protocol::{Action, Failure};
use super::text::unified;
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Block;

const BEGIN: &str = "# BEGIN kubewright ";
const END: &str = "# END kubewright ";

impl Observe for Block {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let name = self.title();
        let old = cx.machine.text(&self.path)?;
        let text = old.clone().unwrap_or_default();
        let new = self.edit(&text).map_err(|why| {
            Failure::new(&name, why).hint(format!("mend the markers in {} by hand and run again", self.path))
        })?;
        if new == text {
            return Ok(Vec::new());
        }
        let (action, summary) = match (self.lines.is_empty(), text.contains(&self.begin())) {
            (true, _) => (Action::Remove, "block taken away"),
            (false, true) => (Action::Update, "lines differ"),
            (false, false) => (Action::Create, "new block"),
        };
        let diff = Some(unified(&self.path, &text, &new));
        Ok(vec![Pending::new(name, action, summary, move |cx| self.write(cx, &new)).with_diff(diff)])
    }
}

impl Block {
    fn title(&self) -> String {
        format!("block {} in {}", self.name, self.path)
    }

    fn begin(&self) -> String {
        format!("{BEGIN}{}", self.name)
    }

    /// The text with the block as it should be: where it was, or at the end.
    fn edit(&self, text: &str) -> Result<String, String> {
        let (rest, at) = take(text, |name| name == self.name)?;
        let mut lines: Vec<String> = rest;
        if !self.lines.is_empty() {
            let block = [self.begin()].into_iter().chain(self.lines.iter().cloned());
            let block = block.chain([format!("{END}{}", self.name)]).map(|line| line + "\n");
            let block: Vec<String> = block.collect();
            let at = at.unwrap_or(lines.len());
            if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
                last.push('\n');
            }
            lines.splice(at..at, block);
        } else if at.is_none() {
            return Ok(text.to_owned());
        }
        Ok(lines.concat())
    }

    fn write(&self, cx: &Context, content: &str) -> Result<(), Failure> {
        let failed = |error| Failure::new(self.title(), error);
        let path = cx.machine.root.at(&self.path);
        cx.make_parents(&self.title(), &path)?;
        // A link stays a link: the file that it leads to changes.
        let path = found(fs::canonicalize(&path)).map_err(failed)?.unwrap_or(path);
        let attributes = match found(fs::metadata(&path)).map_err(failed)? {
            Some(meta) => Attributes { mode: meta.mode() & 0o7777, owner: Some((meta.uid(), meta.gid())) },
            None => Attributes { mode: 0o644, owner: None },
        };
        atomic::write(&path, content.as_bytes(), attributes).map_err(failed)
    }
}

/// The text without any of our blocks; `None` when there is none.
pub(in crate::host) fn without_blocks(text: &str) -> Result<Option<String>, String> {
    let (rest, at) = take(text, |_| true)?;
    Ok(at.map(|_| rest.concat()))
}

/// The lines inside of our blocks.
pub(in crate::host) fn blocks(text: &str) -> Vec<&str> {
    let mut inside = false;
    let within = |line: &&str| {
        if line.starts_with(BEGIN) || line.starts_with(END) {
            inside = line.starts_with(BEGIN);
            return false;
        }
        inside
    };
    text.lines().filter(within).collect()
}

/// The lines outside of the chosen blocks, and where the first such block began.
fn take(text: &str, chosen: impl Fn(&str) -> bool) -> Result<(Vec<String>, Option<usize>), String> {
    let (mut rest, mut at, mut open) = (Vec::new(), None, None::<&str>);
    // With their ends, which may be of another system.
    for line in text.split_inclusive('\n') {
        let begins = line.strip_prefix(BEGIN).map(str::trim_end).filter(|name| chosen(name));
        let ends = line.strip_prefix(END).map(str::trim_end).filter(|name| chosen(name));
        match (open, begins, ends) {
            (None, Some(name), _) => {
                at.get_or_insert(rest.len());
                open = Some(name);
            }
            (Some(name), _, Some(end)) if name == end => open = None,
            (Some(name), Some(_), _) | (Some(name), _, Some(_)) => {
                return Err(format!("the block {name} has no end before the next marker"));
            }
            (Some(_), None, None) => {}
            (None, None, Some(name)) => return Err(format!("the block {name} ends without a beginning")),
            (None, None, None) => rest.push(line.to_owned()),
        }
    }
    match open {
        Some(name) => Err(format!("the block {name} has no end")),
        None => Ok((rest, at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(lines: &[&str]) -> Block {
        Block { path: "/etc/hosts".into(), name: "hosts".into(), lines: lines.iter().map(|&l| l.into()).collect() }
    }

    #[test]
    fn a_block_comes_changes_and_goes_and_the_rest_stays() {
        let original = "127.0.0.1 localhost\n::1 localhost\n";
        let one = block(&["10.0.0.1 m1"]).edit(original).unwrap();
        assert_eq!(one, format!("{original}# BEGIN kubewright hosts\n10.0.0.1 m1\n# END kubewright hosts\n"));
        let more = one.clone() + "10.9.9.9 added-by-hand\n";
        let two = block(&["10.0.0.2 m2"]).edit(&more).unwrap();
        assert_eq!(two, more.replace("10.0.0.1 m1", "10.0.0.2 m2"));
        assert_eq!(block(&["10.0.0.2 m2"]).edit(&two).unwrap(), two);
        assert_eq!(block(&[]).edit(&two).unwrap(), format!("{original}10.9.9.9 added-by-hand\n"));
        assert_eq!(block(&[]).edit("no newline").unwrap(), "no newline");
        let foreign = "127.0.0.1 localhost\r\n";
        let edited = block(&["10.0.0.1 m1"]).edit(foreign).unwrap();
        assert_eq!(block(&[]).edit(&edited).unwrap(), foreign, "the ends of others' lines stay");
        assert_eq!(block(&["a"]).edit("no newline").unwrap().lines().next(), Some("no newline"));
    }

    #[test]
    fn other_blocks_of_ours_are_left_alone() {
        let text = "# BEGIN kubewright endpoint\nx\n# END kubewright endpoint\n";
        assert!(block(&["y"]).edit(text).unwrap().starts_with(text));
        assert_eq!(without_blocks(text).unwrap().as_deref(), Some(""));
        assert_eq!(without_blocks("a\n").unwrap(), None);
    }

    #[test]
    fn damaged_markers_are_refused_and_not_guessed_at() {
        for text in [
            "# BEGIN kubewright hosts\nx\n",
            "# BEGIN kubewright hosts\n# BEGIN kubewright hosts\n# END kubewright hosts\n",
            "x\n# END kubewright hosts\n",
        ] {
            assert!(block(&["y"]).edit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_doubled_block_becomes_one() {
        let one = "# BEGIN kubewright hosts\nx\n# END kubewright hosts\n";
        assert_eq!(block(&["y"]).edit(&one.repeat(2)).unwrap(), one.replace('x', "y"));
    }
}
