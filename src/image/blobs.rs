//! A directory of blobs named by their SHA-256, as in an OCI layout: what has its final name is complete.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::digest::Hashing;
use super::{Blob, digest, oci};

/// Prefix of files that are being written.
const TEMPORARY: &str = ".tmp-";
/// Directory of downloads that are not complete.
const PARTIAL: &str = "partial";

/// `ROOT/blobs/sha256`.
#[derive(Debug, Clone)]
pub(super) struct Blobs {
    root: PathBuf,
}

impl Blobs {
    /// The blobs under `root`; nothing is touched.
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The blobs under `root`, which is made where it is missing.
    pub(super) fn create(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join("blobs/sha256"))?;
        Ok(Self::at(root))
    }

    /// Holds off others that write here, until the result is dropped, and clears what interrupted ones left.
    pub(super) fn lock(&self) -> io::Result<File> {
        // The directory itself is locked: a lock file would be a stranger in an OCI layout.
        let directory = File::open(&self.root)?;
        directory.lock()?;
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                let path = entry.path();
                if entry.file_type()?.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
            }
        }
        Ok(directory)
    }

    /// Keeps what is here from being removed, until the result is dropped; many can do so at a time.
    pub(super) fn hold(&self) -> io::Result<File> {
        let directory = File::open(self.root.join("blobs"))?;
        directory.lock_shared()?;
        Ok(directory)
    }

    /// As [`Self::lock`], to remove blobs; `None` while somebody holds them.
    pub(super) fn lock_to_remove(&self) -> io::Result<Option<(File, File)>> {
        let lock = self.lock()?;
        let directory = File::open(self.root.join("blobs"))?;
        match directory.try_lock() {
            Ok(()) => Ok(Some((lock, directory))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Where the blob with this digest is, or would be.
    pub(super) fn path(&self, sha256: &str) -> PathBuf {
        self.root.join("blobs/sha256").join(sha256)
    }

    /// Where what has arrived of this blob is kept between attempts.
    pub(super) fn partial(&self, sha256: &str) -> PathBuf {
        self.root.join(PARTIAL).join(sha256)
    }

    /// Makes the directory of [`Self::partial`].
    pub(super) fn prepare_partial(&self) -> io::Result<()> {
        fs::create_dir_all(self.root.join(PARTIAL))
    }

    /// Gives the file at `path`, which is on the same file system and was verified to be `blob`, its name.
    pub(super) fn adopt(&self, path: &Path, blob: &Blob) -> io::Result<()> {
        let file = File::open(path)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.sync_all()?;
        fs::rename(path, self.path(&blob.sha256))
    }

    /// Whether a file of the right name and size is there.
    pub(super) fn has(&self, blob: &Blob) -> bool {
        fs::metadata(self.path(&blob.sha256)).is_ok_and(|meta| meta.is_file() && meta.len() == blob.size)
    }

    /// Whether the blob is there with the right content.
    pub(super) fn is_intact(&self, blob: &Blob) -> bool {
        self.has(blob) && digest::of_file(&self.path(&blob.sha256)).is_ok_and(|actual| actual == *blob)
    }

    /// A directory for work in progress, removed when dropped.
    pub(super) fn scratch(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(&self.root)
    }

    /// Stores what `fill` writes; `fill` returns something of its own, too.
    pub(super) fn write<T>(&self, fill: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<(Blob, T)> {
        self.write_checked(|_| Ok(()), fill)
    }

    /// As [`Self::write`], but `check` sees the digest before the blob gets its name, and may refuse.
    pub(super) fn write_checked<T>(
        &self,
        check: impl FnOnce(&Blob) -> io::Result<()>,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> io::Result<(Blob, T)> {
        let file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.root)?;
        let mut out = Hashing::new(BufWriter::with_capacity(256 * 1024, file));
        let value = fill(&mut out)?;
        let (buffer, blob) = out.finish();
        check(&blob)?;
        let file = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
        persist(file, &self.path(&blob.sha256))?;
        Ok((blob, value))
    }

    /// Stores `bytes`.
    pub(super) fn put(&self, bytes: &[u8]) -> io::Result<Blob> {
        self.write(|out| out.write_all(bytes)).map(|(blob, ())| blob)
    }

    /// Takes `blob` over from `other`, where it is intact: as a hard link where possible, so that it costs nothing.
    pub(super) fn take(&self, other: &Self, blob: &Blob) -> io::Result<()> {
        let (from, to) = (other.path(&blob.sha256), self.path(&blob.sha256));
        if same_file(&from, &to) || self.is_intact(blob) {
            return Ok(());
        }
        match fs::remove_file(&to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if fs::hard_link(&from, &to).is_ok() {
            return Ok(());
        }
        self.write(|out| io::copy(&mut File::open(&from)?, out)).map(|_| ())
    }

    /// Writes a small file beside the blobs, at once or not at all.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.root)?;
        file.write_all(bytes)?;
        persist(file, &self.root.join(name))
    }

    /// Makes the directory an OCI layout: `oci-layout`, and `index.json` last.
    pub(super) fn finish_layout(&self, index: &oci::Index) -> io::Result<()> {
        self.replace("oci-layout", oci::LAYOUT.as_bytes())?;
        self.replace("index.json", &serde_json::to_vec(index)?)
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

fn persist(file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_or_failed_blob_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let blobs = Blobs::create(root.path()).unwrap();
        blobs.write(|out| out.write_all(b"half").and_then(|()| Err::<(), _>(io::Error::other("broken")))).unwrap_err();
        blobs.write_checked(|_| Err(io::Error::other("refused")), |out| out.write_all(b"whole")).unwrap_err();
        assert_eq!(fs::read_dir(root.path().join("blobs/sha256")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_lock_clears_what_an_interrupted_run_left() {
        let root = tempfile::tempdir().unwrap();
        let blobs = Blobs::create(root.path()).unwrap();
        fs::write(root.path().join(".tmp-file"), "half").unwrap();
        fs::create_dir(root.path().join(".tmp-directory")).unwrap();
        let held = blobs.lock().unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(File::open(root.path()).unwrap().try_lock().is_err());
        drop(held);
    }

    #[test]
    fn a_damaged_copy_is_replaced() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (Blobs::create(one.path()).unwrap(), Blobs::create(two.path()).unwrap());
        let blob = from.put(b"content").unwrap();
        fs::write(to.path(&blob.sha256), "CONTENT").unwrap();
        to.take(&from, &blob).unwrap();
        assert_eq!(fs::read(to.path(&blob.sha256)).unwrap(), b"content");
        assert!(to.is_intact(&blob));
    }
}
