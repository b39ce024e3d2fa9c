//! The ends of logs, from the beginning of a line on: half a secret is not known as one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::super::machine::{Machine, found};
use super::super::protocol::Failure;

/// Stands where something is missing.
const LEFT_OUT: &str = "[what is older is left out]\n";

/// The last `bytes` of a text, in whole lines.
pub(super) fn of_text(text: &str, bytes: u64) -> String {
    let most = usize::try_from(bytes).unwrap_or(usize::MAX);
    if text.len() <= most {
        return text.to_owned();
    }
    whole_lines(&text.as_bytes()[text.len() - most..])
}

/// The last `bytes` of a file, in whole lines.
pub(crate) fn of_file(path: &Path, bytes: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(bytes);
    file.seek(SeekFrom::Start(start))?;
    let mut read = Vec::new();
    file.take(bytes).read_to_end(&mut read)?;
    Ok(if start == 0 { String::from_utf8_lossy(&read).into_owned() } else { whole_lines(&read) })
}

/// The beginning of a file of the kernel's, which has no size.
pub(super) fn kernel(machine: &Machine, path: &str, bytes: u64) -> Result<String, Failure> {
    let read = || {
        let Some(file) = found(File::open(machine.root.at(path)))? else { return Err(io::ErrorKind::NotFound.into()) };
        let mut read = Vec::new();
        file.take(bytes).read_to_end(&mut read)?;
        Ok(String::from_utf8_lossy(&read).into_owned())
    };
    read().map_err(|error: io::Error| Failure::new(format!("reading {path}"), error))
}

fn whole_lines(end: &[u8]) -> String {
    let whole = end.iter().position(|byte| *byte == b'\n').map_or(&[][..], |newline| &end[newline + 1..]);
    format!("{LEFT_OUT}{}", String::from_utf8_lossy(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_there_as_a_whole_or_not_at_all() {
        assert_eq!(of_text("one\ntwo\n", 8), "one\ntwo\n");
        assert_eq!(of_text("one\ntwo\n", 6), "[what is older is left out]\ntwo\n");
        assert_eq!(of_text("one long line", 6), "[what is older is left out]\n");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one\ntwo\n").unwrap();
        assert_eq!(of_file(file.path(), 8).unwrap(), "one\ntwo\n");
        assert_eq!(of_file(file.path(), 7).unwrap(), "[what is older is left out]\ntwo\n");
    }
}
