//! Files that are small by nature, and are not read where they are not.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// All of the regular file at `path`, if that is at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    // Nor a pipe, which would not be opened before somebody writes.
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    if meta.len() > limit {
        return Err(io::Error::other(format!("it has {} bytes, more than the {limit} that make sense", meta.len())));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_regular_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        assert!(read(&file, 4).unwrap_err().to_string().contains("it has 5 bytes"));
        for path in [directory.path(), Path::new("/dev/zero")] {
            assert!(read(path, 5).unwrap_err().to_string().contains("no regular file"), "{}", path.display());
        }
        assert_eq!(read(&directory.path().join("none"), 5).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
