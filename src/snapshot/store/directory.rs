//! A local directory of snapshots, of one cluster or of many.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use super::super::manifest::{MANIFEST, Manifest, manifest_name};
use super::TargetError;
use super::found::{self, Found};
use super::part::{self, Part};
use super::spool::Ready;

/// Longest manifest that is read, in bytes.
const LARGEST_MANIFEST: u64 = 1 << 20;

/// A directory that snapshots are written to.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// The directory `path`, whether it is there or not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it is a directory, or could be made as one.
    pub(super) fn usable(&self) -> Result<(), TargetError> {
        let failed = |error| Err(TargetError::io(format!("using {}", self.0.display()))(error));
        let above = self.0.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match fs::metadata(&self.0) {
            Ok(meta) if meta.is_dir() => Ok(()),
            Ok(_) => failed(ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == ErrorKind::NotFound && above.is_dir() => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let why = format!("{} is not there either: is it mounted? only the last part is made", above.display());
                failed(std::io::Error::new(ErrorKind::NotFound, why))
            }
            Err(error) => failed(error),
        }
    }

    /// Begins to write the file of the snapshot from `origin`, of about `size` bytes. The directory is made where only its
    /// last part is missing: a file system that is not mounted must not be written below.
    pub(in crate::snapshot) fn begin(&self, cluster: &str, file: &str, size: u64) -> Result<Part, TargetError> {
        self.usable()?;
        match fs::DirBuilder::new().mode(0o700).create(&self.0) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(TargetError::io(format!("creating {}", self.0.display()))(error));
            }
            _ => {}
        }
        let prefix = format!("{cluster}-");
        part::sweep(&self.0, |target| target.starts_with(&prefix))
            .map_err(TargetError::io(format!("reading {}", self.0.display())))?;
        self.has_room(size)?;
        Part::begin(self.0.join(file))
    }

    fn has_room(&self, size: u64) -> Result<(), TargetError> {
        let needed = size.saturating_add(size / 10);
        match statvfs(&self.0).map(|stat| stat.blocks_available() * stat.fragment_size()) {
            Ok(free) if free < needed => Err(TargetError::Full { path: self.0.display().to_string(), needed, free }),
            _ => Ok(()),
        }
    }

    /// Puts a file there, under `name`, once it is on the disk and what is read back of it is what was to be written.
    pub(super) fn put(&self, cluster: &str, name: &str, ready: &Ready) -> Result<(), TargetError> {
        if let Some(mut part) = ready.take_from(&self.0) {
            return part.settle();
        }
        let failed = || TargetError::io(format!("writing {}", self.0.join(name).display()));
        let mut part = self.begin(cluster, name, ready.bytes)?;
        let (mut reader, mut buffer) = (ready.reader().map_err(failed())?, vec![0; 1 << 20]);
        loop {
            match reader.read(&mut buffer).map_err(failed())? {
                0 => break,
                many => part.write(&buffer[..many])?,
            }
        }
        part.sync()?;
        let found = part.digest().map_err(failed())?;
        if found != ready.sha256 {
            return Err(TargetError::Changed { what: self.0.join(name).display().to_string() });
        }
        part.settle()
    }

    /// Writes a manifest, which makes its snapshot count.
    pub(super) fn note(&self, manifest: &Manifest) -> Result<(), TargetError> {
        let beside = self.0.join(manifest.name());
        let mut part = Part::begin(beside)?;
        part.write(&manifest.text())?;
        part.settle()
    }

    /// What is in it of `cluster`, or of all.
    pub fn list(&self, cluster: Option<&str>) -> Result<Found<Manifest>, TargetError> {
        let mut manifests = BTreeMap::new();
        for name in self.sizes()?.into_keys().filter(|name| name.ends_with(MANIFEST)) {
            let path = self.0.join(&name);
            let manifest = read(&path).map_err(TargetError::io(format!("reading {}", path.display())))?;
            manifests.insert(name, manifest);
        }
        Ok(found::sort(&self.sizes()?, manifests, cluster))
    }

    /// The files in it, with their sizes.
    fn sizes(&self) -> Result<BTreeMap<String, u64>, TargetError> {
        let failed = || TargetError::io(format!("reading {}", self.0.display()));
        let mut sizes = BTreeMap::new();
        for entry in fs::read_dir(&self.0).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            // Ours are all of ASCII.
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.metadata() {
                Ok(meta) if meta.is_file() => drop(sizes.insert(name, meta.len())),
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed()(error)),
                _ => {}
            }
        }
        Ok(sizes)
    }

    /// Writes the file called `name` to `into`.
    pub(super) fn fetch(&self, name: &str, into: &mut dyn Write) -> Result<(), TargetError> {
        let path = self.0.join(name);
        let copied = fs::File::open(&path).and_then(|mut file| std::io::copy(&mut file, into));
        copied.map(drop).map_err(TargetError::io(format!("reading {}", path.display())))
    }

    /// Removes a file; one that is not there is fine.
    pub(super) fn remove(&self, name: &str) -> Result<(), TargetError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(TargetError::io(format!("removing {}", path.display()))(error))
            }
            _ => Ok(()),
        }
    }
}

/// The manifest beside the snapshot at `path`, wherever that is.
pub fn manifest_beside(path: &Path) -> Option<Manifest> {
    read(Path::new(&manifest_name(&path.to_string_lossy()))).ok().flatten()
}

/// What is no manifest, or went while it was looked at, is nothing; what may not be read is an error: it might be the
/// latest one.
fn read(path: &Path) -> std::io::Result<Option<Manifest>> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() <= LARGEST_MANIFEST => {}
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => return Ok(None),
    }
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        content => Ok(Manifest::parse(&content?)),
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
