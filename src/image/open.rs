//! Opens a cluster image: everything is checked that can be without reading the layers.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cluster::ImageReference;

use super::access::Access;
use super::blobs::Blobs;
use super::document::{self, Document};
use super::locate::{self, Located};
use super::oci::{self, Config, Descriptor, Manifest};
use super::origin::Origin;
use super::tree::{self, Variants, check_content, check_present, unsuitable};
use super::{Architecture, Blob, ClusterImage, ComponentKind, ImageError, Location, spec, trust};

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

/// What the image `top` has for `architecture`. Its layers are not looked at.
pub(super) fn read(
    blobs: &Blobs,
    reference: &str,
    top: &Descriptor,
    architecture: Architecture,
) -> Result<ClusterImage, ImageError> {
    let foreign = |reason: String| unsuitable(reference, reason);
    let bytes = tree::document(blobs, reference, "the manifest", top)?;
    let manifest = match document::parse(&bytes).map_err(&foreign)? {
        Document::Manifest(manifest) => manifest,
        Document::Index(index) => {
            let variant = document::variant(&index, architecture);
            let missing = |reason| ImageError::NoVariant { reference: reference.to_owned(), reason };
            let bytes = tree::document(blobs, reference, "the manifest", variant.map_err(missing)?)?;
            match document::parse(&bytes).map_err(&foreign)? {
                Document::Manifest(manifest) => manifest,
                Document::Index(_) => return Err(foreign("its index leads to another index".to_owned())),
            }
        }
    };
    let config: Config =
        parse(&tree::document(blobs, reference, "the config", &manifest.config)?, "its config").map_err(&foreign)?;
    let label = config.config.labels.as_ref().and_then(|labels| labels.get(oci::CLUSTER_IMAGE));
    let label = label.ok_or_else(|| foreign(format!("its config has no label {}", oci::CLUSTER_IMAGE)))?;
    if config.architecture != architecture.as_str() {
        let reason = format!("it is for linux/{} only, not for linux/{architecture}", config.architecture);
        return Err(ImageError::NoVariant { reference: reference.to_owned(), reason });
    }
    let image = ClusterImage::parse(label, reference)?;
    check_components(&image, &manifest).map_err(&foreign)?;
    Ok(image)
}

/// What the image `top` has for this machine, or else for another.
pub(super) fn read_any(blobs: &Blobs, reference: &str, top: &Descriptor) -> Result<ClusterImage, ImageError> {
    let own = Architecture::own().into_iter();
    let mut last = None;
    for architecture in own.chain(Architecture::ALL) {
        match read(blobs, reference, top, architecture) {
            Err(error @ (ImageError::NoVariant { .. } | ImageError::BlobMissing { .. })) => last = Some(error),
            result => return result,
        }
    }
    Err(last.unwrap_or(ImageError::Architecture(std::env::consts::ARCH)))
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("{what} cannot be understood: {error}"))
}

/// The list of components becomes paths on hosts, and must be about the layers that the manifest has.
fn check_components(image: &ClusterImage, manifest: &Manifest) -> Result<(), String> {
    let layers: Vec<_> = manifest.layers.iter().filter_map(Descriptor::blob).collect();
    let blobs: Vec<_> = image.components.iter().map(|component| component.blob.clone()).collect();
    if layers != blobs || layers.len() != manifest.layers.len() {
        return Err("its layers are not those of its components".to_owned());
    }
    for component in &image.components {
        let (name, version) = (&component.name, &component.version);
        if !spec::is_component_name(name) || !spec::is_path_version(version) {
            return Err(format!("component {name:?} {version:?} cannot be a path"));
        }
        if matches!(&component.kind, ComponentKind::Images(references) if references.is_empty()) {
            return Err(format!("component {name:?} has no images"));
        }
    }
    match image.components.windows(2).find(|pair| pair[0].name >= pair[1].name) {
        Some(pair) => Err(format!("component {:?} is listed twice or out of order", pair[1].name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
