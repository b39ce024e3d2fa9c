//! Opens a cluster image: everything is checked that can be without reading the layers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cluster::ImageReference;

use super::blobs::Blobs;
use super::oci::{self, Config, Descriptor, Index, Manifest};
use super::{Blob, ClusterImage, ComponentKind, ImageError, Location, archive, cache, digest, spec};

/// Manifests and configs are small; what is larger is something else, and is not read into memory.
const DOCUMENT_LIMIT: u64 = 4 << 20;

/// A cluster image whose manifest is verified, and whose blobs are there with the right sizes.
#[derive(Debug, Clone)]
pub struct OpenImage {
    /// What it contains.
    pub manifest: ClusterImage,
    /// Digest of the OCI manifest, `sha256:…`: the identity of the image.
    pub digest: String,
    reference: String,
    blobs: Blobs,
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

    /// Where the image is, as it was given.
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

/// Opens the image at `reference`. Archives are unpacked into the cache of this user.
pub fn open(reference: &ImageReference) -> Result<OpenImage, ImageError> {
    let location = Location::parse(&reference.0)?;
    match location {
        Location::Layout { .. } => open_with_cache(&location, Path::new("")),
        Location::Archive { .. } => open_with_cache(&location, &cache::cache_directory()?),
    }
}

/// Opens the image at `location`; archives are unpacked below `cache`.
pub fn open_with_cache(location: &Location, cache: &Path) -> Result<OpenImage, ImageError> {
    match location {
        Location::Layout { directory, tag } => open_layout(location, directory, tag.as_deref()),
        Location::Archive { file } => {
            let directory = archive::unpack(file, &cache.join("archives"))?;
            open_layout(location, &directory, None)
        }
    }
}

fn open_layout(location: &Location, directory: &Path, tag: Option<&str>) -> Result<OpenImage, ImageError> {
    if !directory.exists() {
        return Err(ImageError::NotFound { path: directory.to_owned() });
    }
    let index = index_of(directory)?.ok_or_else(|| ImageError::NotLayout {
        path: directory.to_owned(),
        what: "an OCI image layout",
        reason: "it has no index.json".to_owned(),
    })?;
    let descriptor = choose(directory, &index, tag)?;
    let (reference, blobs) = (location.to_string(), Blobs::at(directory));
    let document = |what: &str, descriptor: &Descriptor| document(&blobs, &reference, what, descriptor);
    let foreign = |reason: String| ImageError::NotClusterImage { reference: reference.clone(), reason };

    let manifest: Manifest = parse(&document("the manifest", descriptor)?, "its manifest").map_err(&foreign)?;
    let config: Config = parse(&document("the config", &manifest.config)?, "its config").map_err(&foreign)?;
    let label = config.config.labels.as_ref().and_then(|labels| labels.get(oci::CLUSTER_IMAGE));
    let label = label.ok_or_else(|| foreign(format!("its config has no label {}", oci::CLUSTER_IMAGE)))?;
    let image: ClusterImage = parse(label.as_bytes(), "its list of components").map_err(&foreign)?;
    check_components(&image, &manifest).map_err(&foreign)?;
    for component in &image.components {
        check_present(&blobs, &reference, &format!("component {}", component.name), &component.blob)?;
    }
    Ok(OpenImage { manifest: image, digest: descriptor.digest.clone(), reference, blobs })
}

/// The index of the layout in `directory`; `None` when there is none yet.
pub(super) fn index_of(directory: &Path) -> Result<Option<Index>, ImageError> {
    let path = directory.join("index.json");
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(ImageError::io("read", &path)(error)),
    };
    let index = parse(&bytes, "it");
    index.map(Some).map_err(|reason| ImageError::NotLayout { path, what: "the index of an OCI image layout", reason })
}

fn choose<'a>(directory: &Path, index: &'a Index, tag: Option<&str>) -> Result<&'a Descriptor, ImageError> {
    let tags = || index.manifests.iter().filter_map(|one| one.annotations.get(oci::TAG)).cloned().collect();
    let directory = directory.to_owned();
    match (tag, &index.manifests[..]) {
        (None, [only]) => Ok(only),
        (None, several) => Err(ImageError::Ambiguous { directory, count: several.len(), tags: tags() }),
        (Some(tag), manifests) => {
            let found = manifests.iter().find(|one| one.annotations.get(oci::TAG).is_some_and(|name| name == tag));
            found.ok_or_else(|| ImageError::NoSuchTag { directory, tag: tag.to_owned(), tags: tags() })
        }
    }
}

/// The verified bytes of a small blob.
fn document(blobs: &Blobs, reference: &str, what: &str, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
    let foreign = |reason: String| ImageError::NotClusterImage { reference: reference.to_owned(), reason };
    let blob = descriptor.blob().ok_or_else(|| foreign(format!("the digest of {what} is not SHA-256")))?;
    if blob.size > DOCUMENT_LIMIT {
        return Err(foreign(format!("{what} has {} bytes, which no cluster image needs", blob.size)));
    }
    check_present(blobs, reference, what, &blob)?;
    check_content(blobs, reference, what, &blob)?;
    let path = blobs.path(&blob.sha256);
    fs::read(&path).map_err(ImageError::io("read", &path))
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

fn check_present(blobs: &Blobs, reference: &str, what: &str, blob: &Blob) -> Result<(), ImageError> {
    let file = blobs.path(&blob.sha256);
    let (reference, what) = (reference.to_owned(), what.to_owned());
    match fs::metadata(&file) {
        Ok(meta) if meta.len() == blob.size => Ok(()),
        Ok(meta) => Err(ImageError::BlobSize { reference, what, file, actual: meta.len(), expected: blob.size }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ImageError::BlobMissing { reference, what, file }),
        Err(error) => Err(ImageError::io("read", &file)(error)),
    }
}

fn check_content(blobs: &Blobs, reference: &str, what: &str, blob: &Blob) -> Result<(), ImageError> {
    let file = blobs.path(&blob.sha256);
    let actual = digest::of_file(&file).map_err(ImageError::io("read", &file))?;
    if actual == *blob {
        return Ok(());
    }
    let (reference, what) = (reference.to_owned(), what.to_owned());
    Err(ImageError::BlobCorrupt { reference, what, file, actual: actual.sha256, expected: blob.sha256.clone() })
}

#[cfg(test)]
mod tests;
