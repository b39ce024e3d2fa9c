//! A local directory of snapshots, of one cluster or of many.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::sys::statvfs::statvfs;

use super::super::manifest::{Manifest, Origin, manifest_name};
use super::super::retention::{Keep, Taken};
use super::TargetError;
use super::part::{self, Part};

/// Longest manifest that is read, in bytes.
const LARGEST_MANIFEST: u64 = 1 << 20;

/// A directory that snapshots are written to.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

/// A snapshot in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// What is written beside it.
    pub manifest: Manifest,
}

impl Directory {
    /// The directory `path`, whether it is there or not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Begins to write the snapshot from `origin`, of about `size` bytes. The directory is made where only its last part is
    /// missing: a file system that is not mounted must not be written below.
    pub fn begin(&self, origin: &Origin, size: u64) -> Result<Part, TargetError> {
        match fs::DirBuilder::new().mode(0o700).create(&self.0) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(TargetError::io(format!("creating {}", self.0.display()))(error));
            }
            _ => {}
        }
        let prefix = format!("{}-", origin.cluster);
        part::sweep(&self.0, |target| target.starts_with(&prefix))
            .map_err(TargetError::io(format!("reading {}", self.0.display())))?;
        self.has_room(size)?;
        Part::begin(self.0.join(origin.file_name()))
    }

    fn has_room(&self, size: u64) -> Result<(), TargetError> {
        let needed = size.saturating_add(size / 10);
        match statvfs(&self.0).map(|stat| stat.blocks_available() * stat.fragment_size()) {
            Ok(free) if free < needed => {
                Err(TargetError::Full { path: self.0.display().to_string(), needed: needed >> 20, free: free >> 20 })
            }
            _ => Ok(()),
        }
    }

    /// Gives a verified snapshot its name, and writes its manifest beside it: it counts from then on.
    pub fn settle(&self, mut part: Part, manifest: &Manifest) -> Result<Kept, TargetError> {
        let name = manifest.origin.file_name();
        part.settle()?;
        let beside = self.0.join(manifest_name(&name));
        let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other);
        let text = text.map_err(TargetError::io(format!("writing {}", beside.display())))?;
        let mut part = Part::begin(beside)?;
        part.write(&text)?;
        part.settle()?;
        Ok(Kept { path: self.0.join(name), manifest: manifest.clone() })
    }

    /// The snapshots of `cluster` in it, oldest first. Files that are not recognised as ours are passed over.
    pub fn list(&self, cluster: Option<&str>) -> Result<Vec<Kept>, TargetError> {
        let failed = || TargetError::io(format!("reading {}", self.0.display()));
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.0).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            if let Some(kept) = self.look(&path)
                && cluster.is_none_or(|name| kept.manifest.origin.cluster == name)
            {
                found.insert((kept.manifest.origin.taken, path), kept);
            }
        }
        Ok(found.into_values().collect())
    }

    /// The snapshot whose manifest is at `path`, if it is one.
    fn look(&self, path: &Path) -> Option<Kept> {
        let name = path.file_name()?.to_str()?;
        let manifest = name.ends_with(".json").then(|| read(path))??;
        let file = manifest.origin.file_name();
        let snapshot = self.0.join(&file);
        // One that was renamed, or lost its snapshot, or has another in its place, is nothing that we wrote.
        let size = fs::symlink_metadata(&snapshot).ok().filter(fs::Metadata::is_file)?.len();
        (manifest_name(&file) == name && size == manifest.bytes).then_some(Kept { path: snapshot, manifest })
    }

    /// Removes the snapshots of `cluster` that `keep` does not ask for; the ones removed.
    pub fn prune(&self, cluster: &str, keep: &Keep) -> Result<Vec<Kept>, TargetError> {
        let kept = self.list(Some(cluster))?;
        let taken = |kept: &Kept| Taken { at: kept.manifest.origin.taken, verified: kept.manifest.is_good() };
        let surplus = keep.surplus(&kept.iter().map(taken).collect::<Vec<_>>());
        let pruned = kept.into_iter().enumerate().filter(|(index, _)| surplus.contains(index));
        let pruned: Vec<Kept> = pruned.map(|(_, old)| old).collect();
        for old in &pruned {
            // The manifest first: what is left by a kill in between is no longer ours to count on.
            let beside = manifest_name(&old.path.to_string_lossy());
            for path in [Path::new(&beside), &old.path] {
                fs::remove_file(path).map_err(TargetError::io(format!("removing {}", path.display())))?;
            }
        }
        Ok(pruned)
    }

    /// The latest good snapshot of `cluster`, at or before `at`.
    pub fn latest(&self, cluster: &str, at: Option<Timestamp>) -> Result<Option<Kept>, TargetError> {
        let counts = |kept: &Kept| {
            let manifest = &kept.manifest;
            manifest.is_good() && at.is_none_or(|at| manifest.origin.taken <= at)
        };
        Ok(self.list(Some(cluster))?.into_iter().rfind(counts))
    }
}

/// The manifest beside the snapshot at `path`, wherever that is.
pub fn manifest_beside(path: &Path) -> Option<Manifest> {
    read(Path::new(&manifest_name(&path.to_string_lossy())))
}

fn read(path: &Path) -> Option<Manifest> {
    fs::symlink_metadata(path).ok().filter(|meta| meta.is_file() && meta.len() <= LARGEST_MANIFEST)?;
    Manifest::parse(&fs::read(path).ok()?)
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
