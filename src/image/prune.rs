//! What of the store nobody needs any more, and its end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::access::Access;
use super::blobs::Blobs;
use super::layout::name_of;
use super::list::parts_here;
use super::oci::Descriptor;
use super::signature::{self, is_signature_tag};
use super::store::{Entry, Store};
use super::tree::{Tree, Variants};
use super::{ImageError, digest};

/// What goes, or went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unused {
    /// Names of images.
    pub images: Vec<String>,
    /// Blobs that belong to no image any more, and downloads that did not end: files and their sizes.
    pub files: Vec<(PathBuf, u64)>,
    /// Unpacked archives, which are unpacked again when they are needed: directories and their sizes.
    pub archives: Vec<(PathBuf, u64)>,
}

impl Unused {
    /// Bytes on the disk.
    pub fn size(&self) -> u64 {
        self.files.iter().chain(&self.archives).map(|(_, size)| size).sum()
    }
}

/// What [`prune`] would remove now.
pub fn unused(access: &Access, keep: Option<usize>) -> Result<Unused, ImageError> {
    let cache = access.cache()?;
    Ok(Unused { archives: archives(&cache)?, ..of_store(&Store::open(&cache)?, keep)? })
}

/// Removes what belongs to no image, and of every name all but the `keep` newest images, where that is given. Refuses
/// while a run uses the store; archives in use stay.
pub fn prune(access: &Access, keep: Option<usize>) -> Result<Unused, ImageError> {
    let cache = access.cache()?;
    let store = Store::open(&cache)?;
    let directory = store.layout().directory();
    let failed = ImageError::io("clear", directory);
    let Some(_lock) = store.layout().blobs.lock_to_remove().map_err(failed)? else {
        return Err(ImageError::InUse { directory: directory.to_owned() });
    };
    let mut gone = of_store(&store, keep)?;
    let manifests = store.layout().index()?.map_or(Vec::new(), |index| index.manifests);
    let kept = kept(&manifests, &gone.images);
    // The names first: what has one has all of its blobs at any time.
    if kept.len() < manifests.len() {
        store.layout().write(kept)?;
    }
    for (file, _) in &gone.files {
        fs::remove_file(file).map_err(ImageError::io("remove", file))?;
    }
    for (directory, size) in archives(&cache)? {
        let failed = ImageError::io("remove", &directory);
        match Blobs::at(&directory).lock_to_remove() {
            Ok(Some(_lock)) => fs::remove_dir_all(&directory).map_err(failed)?,
            Ok(None) => continue,
            Err(error) => return Err(failed(error)),
        }
        gone.archives.push((directory, size));
    }
    Ok(gone)
}

fn of_store(store: &Store, keep: Option<usize>) -> Result<Unused, ImageError> {
    let images = keep.map_or(Ok(Vec::new()), |keep| store.entries().map(|entries| surplus(entries, keep)))?;
    let manifests = store.layout().index()?.map_or(Vec::new(), |index| index.manifests);
    let needed = needed(store, &kept(&manifests, &images))?;
    let blobs = &store.layout().blobs;
    let mut files = files_in(&blobs.path("")).map_err(ImageError::io("list", store.layout().directory()))?;
    files
        .retain(|(path, _)| !path.file_name().and_then(|name| name.to_str()).is_some_and(|name| needed.contains(name)));
    files.extend(files_in(&blobs.partial("")).map_err(ImageError::io("list", store.layout().directory()))?);
    Ok(Unused { images, files, archives: Vec::new() })
}

/// The names of all but the `keep` newest of each repository.
fn surplus(mut entries: Vec<Entry>, keep: usize) -> Vec<String> {
    entries.sort_by(|one, other| (other.stored, &other.reference).cmp(&(one.stored, &one.reference)));
    let mut seen: Vec<String> = Vec::new();
    let mut surplus = Vec::new();
    for entry in entries {
        let name = entry.reference.name();
        if seen.iter().filter(|other| **other == name).count() >= keep {
            surplus.push(Store::name(&entry.reference));
        }
        seen.push(name);
    }
    surplus.sort();
    surplus
}

/// The entries that stay: all but `images`, and but signatures of nothing that stays.
fn kept(manifests: &[Descriptor], images: &[String]) -> Vec<Descriptor> {
    let stays = |one: &&Descriptor| {
        name_of(one).is_none_or(|name| !is_signature_tag(name) && !images.iter().any(|image| image == name))
    };
    let mut kept: Vec<_> = manifests.iter().filter(stays).cloned().collect();
    let signatures: BTreeSet<_> =
        kept.iter().filter_map(|one| one.blob()).map(|blob| signature::tag(&blob.sha256)).collect();
    let signed = |one: &&Descriptor| name_of(one).is_some_and(|name| signatures.contains(name));
    kept.extend(manifests.iter().filter(signed).cloned());
    kept
}

/// Digests of all that belongs to `manifests`.
fn needed(store: &Store, manifests: &[Descriptor]) -> Result<BTreeSet<String>, ImageError> {
    let blobs = &store.layout().blobs;
    let mut needed = BTreeSet::new();
    for top in manifests {
        let name = name_of(top).unwrap_or("an image without a name");
        needed.extend(top.blob().map(|blob| blob.sha256));
        if is_signature_tag(name) {
            let tree = Tree::read(blobs, name, top, Variants::All)?;
            needed.extend(tree.parts.into_iter().map(|part| part.blob.sha256));
        } else {
            let parts = parts_here(blobs, name, top)?;
            needed.extend(parts.into_values().flatten().map(|part| part.blob.sha256));
        }
    }
    Ok(needed)
}

/// Unpacked archives and their sizes.
fn archives(cache: &Path) -> Result<Vec<(PathBuf, u64)>, ImageError> {
    let directory = cache.join("archives");
    let failed = ImageError::io("list", &directory);
    let list = || -> io::Result<Vec<(PathBuf, u64)>> {
        let mut found = Vec::new();
        for entry in read_dir(&directory)? {
            let (path, name) = (entry.path(), entry.file_name());
            if name.to_str().is_some_and(digest::is_sha256) {
                let size = files_in(&Blobs::at(&path).path(""))?.iter().map(|(_, size)| size).sum();
                found.push((path, size));
            }
        }
        found.sort();
        Ok(found)
    };
    list().map_err(failed)
}

fn files_in(directory: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let files = read_dir(directory)?.into_iter().map(|entry| Ok((entry.path(), entry.metadata()?.len())));
    let mut files: Vec<_> = files.collect::<io::Result<_>>()?;
    files.sort();
    Ok(files)
}

/// What is in a directory; nothing where there is none.
fn read_dir(directory: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
