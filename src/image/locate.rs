//! From a location to an image on this machine: a layout, and what in it is meant.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::access::Access;
use super::layout::Layout;
use super::oci::Descriptor;
use super::store::Store;
use super::tree::{Tree, Variants};
use super::{ImageError, Location, Registry, archive, docker_archive, pull};
use crate::cluster::RegistryReference;

/// An image on this machine.
#[derive(Debug)]
pub(super) struct Located {
    /// As it was asked for.
    pub(super) reference: String,
    pub(super) layout: Layout,
    pub(super) top: Descriptor,
    /// Keeps `image prune` away, where it could come.
    pub(super) held: Option<Arc<File>>,
}

impl Located {
    /// Digest of the image: 64 hex digits.
    pub(super) fn sha256(&self) -> &str {
        self.top.digest.strip_prefix("sha256:").unwrap_or_default()
    }

    /// Everything that belongs to it, of which nothing is missing.
    pub(super) fn tree(&self, variants: Variants) -> Result<Tree, ImageError> {
        let tree = Tree::read(&self.layout.blobs, &self.reference, &self.top, variants)?;
        tree.check_present(&self.layout.blobs, &self.reference)?;
        Ok(tree)
    }

    fn held(reference: String, layout: Layout, top: Descriptor) -> Result<Self, ImageError> {
        let held = layout.blobs.hold().map_err(ImageError::io("hold", layout.directory()))?;
        Ok(Self { reference, layout, top, held: Some(Arc::new(held)) })
    }
}

/// Finds the image at `location`, or fetches those of its `variants` that are not here.
pub(super) async fn locate(location: &Location, access: &Access, variants: Variants) -> Result<Located, ImageError> {
    let Location::Registry(reference) = location else { return local(location, &access.cache()?) };
    let store = Store::open(&access.cache()?)?;
    // From now on nobody removes what has no name yet.
    let held = store.hold()?;
    let found = store.find(reference)?;
    if let Some(entry) = &found {
        let located = Located {
            reference: reference.to_string(),
            layout: store.layout().clone(),
            top: entry.top.clone(),
            held: Some(Arc::clone(&held)),
        };
        match located.tree(variants) {
            Ok(_) => return Ok(located),
            Err(ImageError::BlobMissing { .. } | ImageError::BlobSize { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    // What is here in part is completed, whatever has become of the tag.
    let wanted = found.map_or(reference.clone(), |entry| reference.with_digest(entry.sha256()));
    let registry = Registry::new(access.registries.clone());
    let top = pull::into_store(&registry, &wanted, variants, &store, &access.progress).await?;
    if wanted == *reference {
        let _lock = store.lock().await?;
        store.set(reference, top.clone())?;
    }
    Ok(Located { reference: reference.to_string(), layout: store.layout().clone(), top, held: Some(held) })
}

/// Finds the image at `location` without a registry. Archives are unpacked below `cache`.
pub(super) fn local(location: &Location, cache: &Path) -> Result<Located, ImageError> {
    let reference = location.to_string();
    match location {
        Location::Layout { directory, tag } => {
            let layout = Layout::at(directory);
            let top = layout.find(tag.as_deref())?;
            Ok(Located { reference, layout, top, held: None })
        }
        Location::Archive { file } => {
            let layout = Layout::at(&archive::unpack(file, &cache.join("archives"))?);
            let top = layout.find(None)?;
            Located::held(reference, layout, top)
        }
        Location::DockerArchive { file } => {
            let layout = Layout::at(&docker_archive::unpack(file, &cache.join("archives"))?);
            let top = layout.find(None)?;
            Located::held(reference, layout, top)
        }
        Location::Registry(name) => stored(name, cache),
    }
}

fn stored(name: &RegistryReference, cache: &Path) -> Result<Located, ImageError> {
    let store = Store::open(cache)?;
    let entry = store.find(name)?.ok_or_else(|| ImageError::NotFound { path: name.to_string().into() })?;
    Located::held(name.to_string(), store.layout().clone(), entry.top)
}
