//! All that belongs to an image: index, manifests, configs, layers. Signatures are read the same way.

use std::collections::BTreeSet;

use super::blobs::Blobs;
use super::document::{self, Document};
use super::oci::{self, Descriptor, Manifest};
use super::{Architecture, Blob, ImageError};

/// Which variants of an image with several are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variants {
    All,
    Only(Architecture),
}

/// An image with all of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree {
    /// What names the whole: an index, or a manifest.
    pub(super) top: Descriptor,
    /// Everything, [`Self::top`] last: nothing comes before what it refers to, and nothing twice.
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) descriptor: Descriptor,
    pub(super) blob: Blob,
    pub(super) kind: Kind,
    /// For errors: `the manifest for linux/arm64`, `component etcd`.
    pub(super) what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An index or a manifest: has a name of its own in registries.
    Document,
    /// A config or a layer.
    Blob,
}

impl Tree {
    /// Reads the documents of the image `top` from `blobs`, verified. Layers are not looked at.
    pub(super) fn read(
        blobs: &Blobs,
        reference: &str,
        top: &Descriptor,
        variants: Variants,
    ) -> Result<Self, ImageError> {
        let mut parts = Parts { list: Vec::new(), seen: BTreeSet::new(), reference };
        let bytes = document(blobs, reference, "the manifest", top)?;
        match parse(reference, &bytes)? {
            Document::Manifest(manifest) => parts.manifest(&manifest, "")?,
            Document::Index(index) => {
                let wanted: Vec<_> = match variants {
                    Variants::All => index.manifests.iter().collect(),
                    Variants::Only(architecture) => {
                        let missing = |reason| ImageError::NoVariant { reference: reference.to_owned(), reason };
                        vec![document::variant(&index, architecture).map_err(missing)?]
                    }
                };
                for descriptor in wanted {
                    let name = platform(descriptor);
                    let what = format!("the manifest{name}");
                    let bytes = document(blobs, reference, &what, descriptor)?;
                    let Document::Manifest(manifest) = parse(reference, &bytes)? else {
                        return Err(unsuitable(reference, "its index leads to another index".to_owned()));
                    };
                    parts.manifest(&manifest, &name)?;
                    parts.add(descriptor, Kind::Document, what)?;
                }
            }
        }
        parts.add(top, Kind::Document, "the manifest".to_owned())?;
        let mut top = top.clone();
        top.annotations.clear();
        Ok(Self { top, parts: parts.list })
    }

    /// Bytes of all parts.
    pub(super) fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.blob.size).sum()
    }

    /// Refuses an image of which something is not in `blobs`, or of another size.
    pub(super) fn check_present(&self, blobs: &Blobs, reference: &str) -> Result<(), ImageError> {
        self.parts.iter().try_for_each(|part| check_present(blobs, reference, &part.what, &part.blob))
    }
}

struct Parts<'a> {
    list: Vec<Part>,
    seen: BTreeSet<String>,
    reference: &'a str,
}

impl Parts<'_> {
    fn manifest(&mut self, manifest: &Manifest, name: &str) -> Result<(), ImageError> {
        self.add(&manifest.config, Kind::Blob, format!("the config{name}"))?;
        for (number, layer) in manifest.layers.iter().enumerate() {
            let component = layer.annotations.get(oci::COMPONENT);
            let what = component.map_or(format!("layer {number}"), |component| format!("component {component}"));
            self.add(layer, Kind::Blob, format!("{what}{name}"))?;
        }
        Ok(())
    }

    fn add(&mut self, descriptor: &Descriptor, kind: Kind, what: String) -> Result<(), ImageError> {
        let blob = blob_of(descriptor, self.reference, &what)?;
        if self.seen.insert(blob.sha256.clone()) {
            self.list.push(Part { descriptor: descriptor.clone(), blob, kind, what });
        }
        Ok(())
    }
}

/// ` for linux/arm64`, where an index says so.
fn platform(descriptor: &Descriptor) -> String {
    let platform = descriptor.platform.as_ref();
    platform.map_or(String::new(), |platform| format!(" for {}/{}", platform.os, platform.architecture))
}

pub(super) fn unsuitable(reference: &str, reason: String) -> ImageError {
    ImageError::NotClusterImage { reference: reference.to_owned(), reason }
}

fn parse(reference: &str, bytes: &[u8]) -> Result<Document, ImageError> {
    document::parse(bytes).map_err(|reason| unsuitable(reference, reason))
}

fn blob_of(descriptor: &Descriptor, reference: &str, what: &str) -> Result<Blob, ImageError> {
    descriptor.blob().ok_or_else(|| unsuitable(reference, format!("the digest of {what} is not SHA-256")))
}

/// The verified bytes of a small blob.
pub(super) fn document(
    blobs: &Blobs,
    reference: &str,
    what: &str,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, ImageError> {
    let blob = blob_of(descriptor, reference, what)?;
    if blob.size > document::LIMIT {
        let reason = format!("{what} has {} bytes, which no cluster image needs", blob.size);
        return Err(unsuitable(reference, reason));
    }
    check_present(blobs, reference, what, &blob)?;
    check_content(blobs, reference, what, &blob)?;
    let path = blobs.path(&blob.sha256);
    std::fs::read(&path).map_err(ImageError::io("read", &path))
}

/// Refuses a blob that is missing or has another size.
pub(super) fn check_present(blobs: &Blobs, reference: &str, what: &str, blob: &Blob) -> Result<(), ImageError> {
    let file = blobs.path(&blob.sha256);
    let (reference, what) = (reference.to_owned(), what.to_owned());
    match std::fs::metadata(&file) {
        Ok(meta) if meta.len() == blob.size => Ok(()),
        Ok(meta) => Err(ImageError::BlobSize { reference, what, file, actual: meta.len(), expected: blob.size }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ImageError::BlobMissing { reference, what, file })
        }
        Err(error) => Err(ImageError::io("read", &file)(error)),
    }
}

/// Reads a blob, and refuses one whose digest is another.
pub(super) fn check_content(blobs: &Blobs, reference: &str, what: &str, blob: &Blob) -> Result<(), ImageError> {
    let file = blobs.path(&blob.sha256);
    let actual = super::digest::of_file(&file).map_err(ImageError::io("read", &file))?;
    if actual == *blob {
        return Ok(());
    }
    let (reference, what) = (reference.to_owned(), what.to_owned());
    Err(ImageError::BlobCorrupt { reference, what, file, actual: actual.sha256, expected: blob.sha256.clone() })
}
