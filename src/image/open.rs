//! Opens a cluster image: everything is checked that can be without reading the layers.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cluster::ImageReference;

use super::access::Access;
use super::blobs::Blobs;
use super::locate::{self, Located};
use super::origin::Origin;
use super::read::read;
use super::tree::{Variants, check_content, check_present};
use super::{Architecture, Blob, ClusterImage, ImageError, Location, trust};

/// A cluster image whose manifest is verified, and whose blobs are there with the right sizes.
#[derive(Debug, Clone)]
pub struct OpenImage {
    /// What it contains.
    pub manifest: ClusterImage,
    /// Digest of what the reference names, `sha256:…`: the identity of the image. For an image with several variants,
    /// that is the digest of its index.
    pub digest: String,
    reference: String,
    blobs: Blobs,
    origin: Option<Origin>,
    /// Keeps `image prune` away.
    _held: Option<Arc<File>>,
}

impl OpenImage {
    /// The file that holds `blob`.
    pub fn blob_path(&self, blob: &Blob) -> PathBuf {
        self.blobs.path(&blob.sha256)
    }

    /// Reads `blob` and compares its digest. Do it once per run for each blob that is sent.
    pub fn verify(&self, blob: &Blob) -> Result<(), ImageError> {
        let component = self.manifest.components.iter().find(|component| component.blob == *blob);
        let what = component.map_or("a blob".to_owned(), |component| format!("component {}", component.name));
        check_present(&self.blobs, &self.reference, &what, blob)?;
        check_content(&self.blobs, &self.reference, &what, blob)
    }

    /// The registry that hosts can read the layers from by themselves, where the image is in one that they see.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Where the image is, as it was given.
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

/// Opens the image at `reference` for the architecture of `access`, from whom it is trusted by `access`. What a registry
/// has and this machine has not is fetched; archives are unpacked.
pub async fn open(reference: &ImageReference, access: &Access) -> Result<OpenImage, ImageError> {
    let location = Location::parse(&reference.0)?;
    let architecture = access.architecture()?;
    let located = locate::locate(&location, access, Variants::Only(architecture)).await?;
    trust::demand(&located, access).await?;
    let image = open_located(located, architecture)?;
    Ok(OpenImage { origin: Origin::of(&location, access), ..image })
}

/// Opens the image at `location`, which is on this machine; archives are unpacked below `cache`.
pub fn open_with_cache(location: &Location, cache: &Path) -> Result<OpenImage, ImageError> {
    let architecture = Architecture::own().ok_or(ImageError::Architecture(std::env::consts::ARCH))?;
    open_located(locate::local(location, cache)?, architecture)
}

/// Opens the variant for `architecture` of what was found.
pub(super) fn open_located(located: Located, architecture: Architecture) -> Result<OpenImage, ImageError> {
    let Located { reference, layout, top, held } = located;
    let blobs = layout.blobs;
    let image = read(&blobs, &reference, &top, architecture)?;
    for component in &image.components {
        check_present(&blobs, &reference, &format!("component {}", component.name), &component.blob)?;
    }
    Ok(OpenImage { manifest: image, digest: top.digest, reference, blobs, origin: None, _held: held })
}

#[cfg(test)]
mod tests;
