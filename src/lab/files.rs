//! Small files that are either there as a whole or not at all, and locks.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::LabError;

/// Makes a directory that only its owner reads, and those above it.
pub(super) fn make_directory(path: &Path) -> Result<(), LabError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(LabError::file("make", path))
}

/// Writes a file beside its place and moves it there.
pub(super) fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) -> Result<(), LabError> {
    let beside = path.with_added_extension("new");
    let written = || -> std::io::Result<()> {
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(content.as_ref())?;
        drop(file);
        fs::rename(&beside, path)
    };
    written().map_err(LabError::file("write", path))
}

/// Makes a file of zeros that takes no space until it is written to; one that is there stays as it is.
pub(super) fn reserve(path: &Path, bytes: u64) -> Result<(), LabError> {
    let made = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.and_then(|file| file.set_len(bytes)),
    };
    made.map_err(LabError::file("make", path))
}

/// The content of a file, or nothing when there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<String>, LabError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LabError::file("read", path)(error)),
    }
}

/// The end of a log: what follows the byte `from`, at most 16 KiB; empty when it cannot be read.
pub(super) fn end_of(path: &Path, from: u64) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(16 << 10))))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

/// Locks a file or directory for as long as the result lives, or says that somebody else holds it.
pub(super) fn try_lock(path: &Path) -> Result<Option<File>, LabError> {
    let file = open_for_lock(path)?;
    match file.try_lock() {
        Ok(()) => Ok(same(&file, path).then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(LabError::file("lock", path)(error)),
    }
}

/// Locks a file, waiting for it.
pub(super) fn lock(path: &Path) -> Result<File, LabError> {
    loop {
        let file = open_for_lock(path)?;
        file.lock().map_err(LabError::file("lock", path))?;
        if same(&file, path) {
            return Ok(file);
        }
    }
}

fn open_for_lock(path: &Path) -> Result<File, LabError> {
    let opened = if path.is_dir() {
        File::open(path)
    } else {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
    };
    opened.map_err(LabError::file("open", path))
}

/// Whether the locked file is still the one at `path`: its last holder may have removed it.
fn same(file: &File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_as_a_whole_with_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        write(&path, "one", 0o600).unwrap();
        write(&path, "two", 0o600).unwrap();
        assert_eq!(read_if_there(&path).unwrap().unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert_eq!(read_if_there(&directory.path().join("b")).unwrap(), None);
    }

    #[test]
    fn a_disk_is_reserved_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk");
        reserve(&path, 1 << 20).unwrap();
        fs::write(&path, "used").unwrap();
        reserve(&path, 1 << 20).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"used");
    }

    #[test]
    fn the_end_of_a_log_is_short_and_starts_where_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "old new").unwrap();
        assert_eq!(end_of(&path, 4), "new");
        assert_eq!(end_of(&path, 400), "");
        assert_eq!(end_of(&directory.path().join("none"), 0), "");
        fs::write(&path, "x".repeat(100_000)).unwrap();
        assert_eq!(end_of(&path, 0).len(), 16 << 10);
    }

    #[test]
    fn a_lock_has_one_holder_and_dies_with_it() {
        let directory = tempfile::tempdir().unwrap();
        for path in [directory.path().to_owned(), directory.path().join("lock")] {
            let held = try_lock(&path).unwrap().unwrap();
            assert!(try_lock(&path).unwrap().is_none());
            drop(held);
            assert!(try_lock(&path).unwrap().is_some());
        }
    }
}
