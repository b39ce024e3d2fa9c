//! Digests of input files, remembered by size and times, so that an unchanged file is not read again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::error::SourceError;
use crate::image::digest;

/// What makes a file count as unchanged. The change time catches a file that another one with old times was moved over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, SourceError> {
        let meta = fs::metadata(path).map_err(SourceError::io("read", path))?;
        Ok(Self {
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    stamp: Stamp,
    sha256: String,
}

/// The index of known digests.
#[derive(Debug)]
pub(super) struct Inputs {
    file: PathBuf,
    known: Mutex<BTreeMap<PathBuf, Known>>,
}

impl Inputs {
    /// Loads the index; one that cannot be read is started anew, for it only saves time.
    pub(super) fn load(file: &Path) -> Self {
        let known = fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { file: file.to_owned(), known: Mutex::new(known) }
    }

    /// SHA-256 and size of the file at `path`.
    pub(super) fn digest(&self, path: &Path) -> Result<(String, u64), SourceError> {
        let stamp = Stamp::of(path)?;
        let known = |inputs: &Self| {
            let known = inputs.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(path).filter(|known| known.stamp == stamp).map(|known| known.sha256.clone())
        };
        if let Some(sha256) = known(self) {
            return Ok((sha256, stamp.size));
        }
        let blob = digest::of_file(path).map_err(SourceError::io("read", path))?;
        if Stamp::of(path)? != stamp || blob.size != stamp.size {
            return Err(SourceError::unsuitable(path, "it changed while it was read; build again when it is complete"));
        }
        let entry = Known { stamp, sha256: blob.sha256.clone() };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), entry);
        Ok((blob.sha256, blob.size))
    }

    /// Saves the index, without files that are gone.
    pub(super) fn save(&self) -> std::io::Result<()> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|path, _| path.exists());
        let new = self.file.with_extension("new");
        fs::write(&new, serde_json::to_vec(&*known)?)?;
        fs::rename(&new, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_read_again_and_an_unchanged_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let (index, file) = (directory.path().join("index.json"), directory.path().join("file"));
        fs::write(&file, "one").unwrap();
        let inputs = Inputs::load(&index);
        let one = inputs.digest(&file).unwrap();
        assert_eq!(one, (digest::of_bytes(b"one"), 3));
        inputs.save().unwrap();

        // A remembered digest is believed: here, one that is wrong on purpose.
        let wrong = fs::read_to_string(&index).unwrap().replace(&one.0, &digest::of_bytes(b"wrong"));
        fs::write(&index, wrong).unwrap();
        assert_eq!(Inputs::load(&index).digest(&file).unwrap().0, digest::of_bytes(b"wrong"));

        // Same size and same modification time, moved over the old file.
        let other = directory.path().join("other");
        fs::write(&other, "two").unwrap();
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        fs::File::open(&other).unwrap().set_modified(time).unwrap();
        fs::rename(&other, &file).unwrap();
        assert_eq!(Inputs::load(&index).digest(&file).unwrap().0, digest::of_bytes(b"two"));
    }
}
