//! Adding a key to a known_hosts file.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Appends `line` to `file` in one write, so that neither a crash nor another ssh leaves half a line. Returns the
/// number that the line has now.
pub(super) fn append(file: &Path, line: &str) -> io::Result<usize> {
    if let Some(directory) = file.parent().filter(|directory| !directory.exists()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    // Two of us would both see, or both miss, the newline that the last line may lack.
    file.lock()?;
    let mut there = Vec::new();
    file.read_to_end(&mut there)?;
    let break_before = if there.is_empty() || there.ends_with(b"\n") { "" } else { "\n" };
    let text = format!("{break_before}{line}\n");
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let newlines = there.iter().chain(text.as_bytes()).filter(|byte| **byte == b'\n');
    Ok(newlines.count())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_line_is_added_and_the_rest_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("new/.ssh/known_hosts");
        append(&file, "one").unwrap();
        std::fs::write(&file, "one\nno newline").unwrap();
        assert_eq!(append(&file, "two").unwrap(), 3);
        assert_eq!(append(&file, "three").unwrap(), 4);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\nno newline\ntwo\nthree\n");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("known_hosts");
        std::thread::scope(|scope| {
            for number in 0..16 {
                let file = &file;
                scope.spawn(move || append(file, &format!("line {number}")).unwrap());
            }
        });
        let text = std::fs::read_to_string(&file).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 16);
    }
}
