//! The one door to small files that people name: add-ons, passwords, credentials. A path may lead anywhere: what is no
//! regular file is refused, for it may never end (`/dev/zero`) or never begin (a FIFO), and so is what is too large.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

/// Largest file of secrets: passwords, credentials.
pub(crate) const SECRET: u64 = 64 << 10;

/// The text of a file of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let file = open(path)?;
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    let mut bytes = Vec::new();
    // What it says of its size may be out of date, or a file of /proc's.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return refused(format!("it is larger than {}", size(limit)));
    }
    // The error of the standard library would hold the bytes.
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => refused(format!("it is no text: not UTF-8 after {} bytes", error.utf8_error().valid_up_to())),
    }
}

/// Opens a regular file, or says what else is there. Devices are not opened: for some that alone has an effect.
fn open(path: &Path) -> io::Result<File> {
    regular(std::fs::metadata(path)?.file_type())?;
    // Something else may stand there by now; without a writer, a FIFO would be waited for.
    let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

fn regular(found: FileType) -> io::Result<()> {
    let what = match found {
        found if found.is_file() => return Ok(()),
        found if found.is_dir() => "a directory",
        found if found.is_fifo() => "a FIFO",
        found if found.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, and must be a file")))
}

fn size(limit: u64) -> String {
    if limit >= 1 << 20 { format!("{} MiB", limit >> 20) } else { format!("{} KiB", limit >> 10) }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn only_regular_files_up_to_a_limit_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("small"), "a".repeat(1024)).unwrap();
        std::fs::write(at("large"), "a".repeat(1025)).unwrap();
        std::fs::write(at("bytes"), b"hunter2\xff").unwrap();
        std::os::unix::fs::symlink("small", at("link")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for good in ["small", "link"] {
            assert_eq!(read_text(&at(good), 1024).unwrap().len(), 1024, "{good}");
        }
        for (bad, why) in [
            ("large", "it is larger than 1 KiB"),
            ("bytes", "it is no text: not UTF-8 after 7 bytes"),
            ("fifo", "it is a FIFO, and must be a file"),
            ("socket", "it is a socket, and must be a file"),
            (".", "it is a directory, and must be a file"),
            ("/dev/zero", "it is a device, and must be a file"),
        ] {
            assert_eq!(read_text(&at(bad), 1024).unwrap_err().to_string(), why, "{bad}");
        }
        assert_eq!(read_text(&at("none"), 1024).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
