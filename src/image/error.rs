//! Why a cluster image cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{RegistryError, SignatureError};
use crate::cluster::Version;

/// Why a cluster image cannot be used.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A reference in no known form.
    #[error(
        "{reference:?} is no reference to a cluster image: {reason}; write REGISTRY/NAME:TAG, oci:DIR[:TAG], oci-archive:FILE or docker-archive:FILE"
    )]
    Reference {
        /// As written.
        reference: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing there.
    #[error(
        "there is no cluster image at {path}: it does not exist; build one with `kubewright image build SPEC -o oci:DIR`, or name yours in spec.image"
    )]
    NotFound {
        /// Where it should be.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("{path} is not {what}: {reason}")]
    NotLayout {
        /// What was opened.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// How that was seen.
        reason: String,
    },
    /// The layout holds other tags.
    #[error("{directory} holds no image tagged {tag:?}; its tags are: {}", list(.tags))]
    NoSuchTag {
        /// The layout.
        directory: PathBuf,
        /// The tag asked for.
        tag: String,
        /// Tags that are there.
        tags: Vec<String>,
    },
    /// Several images, and nothing says which.
    #[error("{directory} holds {count} images; name one by its tag (oci:DIR:TAG): {}", list(.tags))]
    Ambiguous {
        /// The layout.
        directory: PathBuf,
        /// How many.
        count: usize,
        /// Tags that are there.
        tags: Vec<String>,
    },
    /// An image, but not one of ours.
    #[error("{reference} is not a cluster image: {reason}; build one with: kubewright image build")]
    NotClusterImage {
        /// The image.
        reference: String,
        /// How that was seen.
        reason: String,
    },
    /// The image asks for a newer program.
    #[error(
        "{reference} needs kubewright {minimum} or newer, and this is {own}: take the program that is in the image, or a newer release"
    )]
    TooOld {
        /// The image.
        reference: String,
        /// The oldest that understands it.
        minimum: Version,
        /// This program.
        own: Version,
    },
    /// A blob is not there.
    #[error("{reference}: {what} is missing: {file} does not exist; copy or build the image again")]
    BlobMissing {
        /// The image.
        reference: String,
        /// What the blob holds.
        what: String,
        /// Where it should be.
        file: PathBuf,
    },
    /// A blob has the wrong size.
    #[error("{reference}: {what} is damaged: {file} has {actual} bytes, not {expected}; copy or build the image again")]
    BlobSize {
        /// The image.
        reference: String,
        /// What the blob holds.
        what: String,
        /// The file.
        file: PathBuf,
        /// Size on disk.
        actual: u64,
        /// Size in the manifest.
        expected: u64,
    },
    /// A blob has the wrong content.
    #[error(
        "{reference}: {what} is damaged: {file} has digest {actual}, not {expected}; copy or build the image again"
    )]
    BlobCorrupt {
        /// The image.
        reference: String,
        /// What the blob holds.
        what: String,
        /// The file.
        file: PathBuf,
        /// Digest of the file.
        actual: String,
        /// Digest in the manifest.
        expected: String,
    },
    /// Not for this processor.
    #[error("{reference} cannot be used: {reason}")]
    NoVariant {
        /// The image.
        reference: String,
        /// What there is instead.
        reason: String,
    },
    /// No image at all is for this processor.
    #[error("no cluster image is for the processor of this machine ({0}); run kubewright on amd64 or arm64")]
    Architecture(&'static str),
    /// Something can only be done with another kind of place.
    #[error("{what} {location}: {reason}")]
    Unsuitable {
        /// What was tried: `cannot push to`.
        what: &'static str,
        /// The place.
        location: String,
        /// Why not.
        reason: &'static str,
    },
    /// Somebody works with what is to be removed.
    #[error("{directory} is in use by another run of kubewright; try again when that has ended")]
    InUse {
        /// What is held.
        directory: PathBuf,
    },
    /// Several transfers failed.
    #[error("{} transfers failed:\n  {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Transfers(Vec<RegistryError>),
    /// A registry did not give or take it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It is not trusted, or cannot be signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// None of the variables is set.
    #[error("no directory for the cache: set KUBEWRIGHT_CACHE, XDG_CACHE_HOME or HOME")]
    NoCacheDirectory,
    /// The file system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
}

impl ImageError {
    /// Wraps an I/O error with what was tried.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

fn list(tags: &[String]) -> String {
    if tags.is_empty() { "none".to_owned() } else { tags.join(", ") }
}
