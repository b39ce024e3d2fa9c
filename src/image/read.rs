//! Reads what a cluster image says of itself: manifest, config, list of components. Its layers are not looked at.

use super::blobs::Blobs;
use super::document::{self, Document};
use super::oci::{self, Config, Descriptor, Manifest};
use super::tree::{self, unsuitable};
use super::{Architecture, ClusterImage, ComponentKind, ImageError, spec};

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
