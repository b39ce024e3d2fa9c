//! The local state directory: a cache of the CAs, the service account key and the administrators' kubeconfig.
//!
//! Directories are 0700, files 0600. What is there is replaced whole or not at all, and a CA never by another one.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{KeyFile, table};

/// Why the local state directory could not be read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file system said no.
    #[error("cannot {what} {}: {source}\n  hint: the local state directory holds this cluster's keys; it must be readable and writable by the user that runs kubewright", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// Another CA, or another service account key, is there.
    #[error("{} already holds another key or certificate: it is not overwritten\n  hint: another run for a cluster of the same name made it meanwhile; run again, so that the two are compared with what the hosts have", path.display())]
    Differs {
        /// Where.
        path: PathBuf,
    },
}

/// The local state directory of one cluster.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// The store in `directory`, which need not exist.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Reads what is there, by file name relative to the directory. What is absent is left out; what cannot be read is
    /// an error, because it is not absent.
    pub fn load(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let mut files = BTreeMap::new();
        for (name, _) in table::cache_names() {
            if let Some(content) = read(&self.directory.join(&name))? {
                files.insert(name, content);
            }
        }
        Ok(files)
    }

    /// Writes what differs, and returns the names of what was written. Every file is checked before any is written.
    pub fn save(&self, cache: &BTreeMap<String, KeyFile>) -> Result<Vec<String>, StoreError> {
        let mut changed = Vec::new();
        for (name, guarded) in table::cache_names() {
            let Some(file) = cache.get(&name) else { continue };
            let path = self.directory.join(&name);
            match read(&path)? {
                Some(content) if content == file.content => set_mode(&path, 0o600)?,
                Some(_) if guarded => return Err(StoreError::Differs { path }),
                _ => changed.push((name, file.content.as_str())),
            }
        }
        make_directory(&self.directory)?;
        let keys = self.directory.join(KEYS);
        if !changed.is_empty() && !exists(&keys)? {
            self.first(&changed)?;
            changed
                .iter()
                .filter(|(name, _)| !below_keys(name))
                .try_for_each(|(name, content)| self.write(name, content))?;
        } else {
            changed.iter().try_for_each(|(name, content)| self.write(name, content))?;
        }
        Ok(changed.into_iter().map(|(name, _)| name).collect())
    }

    /// All keys at once, by renaming a directory: half a pair would be a CA without key, which the next run refuses.
    fn first(&self, files: &[(String, &str)]) -> Result<(), StoreError> {
        let beside = tempfile::Builder::new().prefix(".pki-").tempdir_in(&self.directory);
        let beside = beside.map_err(io("make a directory in", &self.directory))?;
        for (name, content) in files.iter().filter(|(name, _)| below_keys(name)) {
            let path = beside.path().join(name.trim_start_matches(KEYS).trim_start_matches('/'));
            let parent = path.parent().unwrap_or(beside.path());
            make_directory(parent)?;
            write_beside(&path, content)?;
            sync(parent)?;
        }
        sync(beside.path())?;
        let target = self.directory.join(KEYS);
        fs::rename(beside.path(), &target).map_err(|source| match source.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => StoreError::Differs { path: target.clone() },
            _ => StoreError::Io { what: "move the keys to", path: target.clone(), source },
        })?;
        // It is where it belongs: nothing is left to clean up.
        let _ = beside.keep();
        sync(&self.directory)
    }

    fn write(&self, name: &str, content: &str) -> Result<(), StoreError> {
        let path = self.directory.join(name);
        let parent = path.parent().unwrap_or(&self.directory);
        if parent != self.directory {
            make_directory(&self.directory.join(KEYS))?;
            make_directory(parent)?;
        }
        write_beside(&path, content)?;
        sync(parent)
    }
}

/// The directory of everything that is never replaced.
const KEYS: &str = "pki";

fn below_keys(name: &str) -> bool {
    Path::new(name).starts_with(KEYS)
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}

fn read(path: &Path) -> Result<Option<String>, StoreError> {
    match fs::read_to_string(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io("read", path)(error)),
    }
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(io("look at", path))
}

fn make_directory(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("make", path))?;
    set_mode(path, 0o700)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), StoreError> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io("set the mode of", path))
}

/// Temporary files of tempfile are 0600 from the start.
fn write_beside(path: &Path, content: &str) -> Result<(), StoreError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(parent).map_err(io("make a file beside", path))?;
    beside.write_all(content.as_bytes()).map_err(io("write", path))?;
    beside.as_file().sync_all().map_err(io("sync", path))?;
    beside.persist(path).map_err(|error| io("replace", path)(error.error))?;
    Ok(())
}

fn sync(directory: &Path) -> Result<(), StoreError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io("sync", directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::KeyOwner;

    fn cache(files: &[(&str, &str)]) -> BTreeMap<String, KeyFile> {
        let file = |(path, content): &(&str, &str)| {
            let (path, content) = ((*path).to_owned(), (*content).to_owned());
            (path.clone(), KeyFile { path, content, secret: true, owner: KeyOwner::Root })
        };
        files.iter().map(file).collect()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn what_is_saved_is_loaded_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("state/prod");
        let store = Store::new(&root);
        assert_eq!(store.load().unwrap(), BTreeMap::new());
        let files = [("pki/ca.crt", "a"), ("pki/ca.key", "b"), ("pki/etcd/ca.key", "c"), ("admin.conf", "d")];
        assert_eq!(store.save(&cache(&files)).unwrap().len(), 4);
        let loaded = store.load().unwrap();
        assert_eq!(loaded, files.into_iter().map(|(name, content)| (name.to_owned(), content.to_owned())).collect());
        for directory in [&root, &root.join("pki"), &root.join("pki/etcd")] {
            assert_eq!(mode(directory), 0o700);
        }
        for (name, _) in files {
            assert_eq!(mode(&root.join(name)), 0o600, "{name}");
        }
        assert_eq!(fs::read_dir(&root).unwrap().count(), 2, "nothing temporary stays");
        assert!(store.save(&cache(&files)).unwrap().is_empty(), "nothing to write");
    }

    #[test]
    fn a_ca_is_never_overwritten_and_the_kubeconfig_is() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        store.save(&cache(&[("pki/ca.crt", "a"), ("admin.conf", "old")])).unwrap();
        let error = store.save(&cache(&[("pki/ca.crt", "other"), ("admin.conf", "new")])).unwrap_err();
        assert!(matches!(error, StoreError::Differs { .. }), "{error}");
        assert_eq!(store.load().unwrap()["admin.conf"], "old", "checked before anything is written");
        assert_eq!(store.save(&cache(&[("pki/ca.crt", "a"), ("admin.conf", "new")])).unwrap(), ["admin.conf"]);
        assert_eq!(store.load().unwrap()["pki/ca.crt"], "a");
    }

    #[test]
    fn what_is_missing_is_added() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        store.save(&cache(&[("pki/ca.crt", "a")])).unwrap();
        store.save(&cache(&[("pki/ca.crt", "a"), ("pki/etcd/ca.crt", "b")])).unwrap();
        assert_eq!(store.load().unwrap().len(), 2);
    }

    #[test]
    fn what_was_wide_open_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        let (store, files) = (Store::new(directory.path()), cache(&[("pki/ca.key", "a")]));
        store.save(&files).unwrap();
        let key = directory.path().join("pki/ca.key");
        for (path, mode) in [(directory.path(), 0o755), (&key, 0o644)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        store.save(&files).unwrap();
        assert_eq!((mode(directory.path()), mode(&key)), (0o700, 0o600));
    }

    #[test]
    fn what_cannot_be_read_is_not_absent() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("pki/ca.crt")).unwrap();
        assert!(matches!(Store::new(directory.path()).load(), Err(StoreError::Io { what: "read", .. })));
    }
}
