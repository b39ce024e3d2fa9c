//! Why a build failed.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::container_images::RegistryFailure;
use crate::image::registry::RegistryError;
use crate::image::spec::PinError;
use crate::image::{Architecture, ImageError};

/// Why a build failed.
#[derive(Debug, Error)]
pub enum BuildError {
    /// One or more components failed; all of them are told.
    #[error("{} component(s) failed:\n  {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Components(Vec<ComponentError>),
    /// One or more downloads failed; all of them are told.
    #[error("{} download(s) failed:\n  {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Downloads(Vec<DownloadError>),
    /// One or more container images could not be fetched; all of them are told.
    #[error("{} container image(s) failed:\n  {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Pulls(Vec<PullError>),
    /// The spec leaves something open.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// One or more programs for the image are missing or unfit; all of them are told.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Programs(Vec<ProgramError>),
    /// No HTTP client.
    #[error(transparent)]
    Client(RegistryError),
    /// The output has files in it that are not an image's.
    #[error("{0} is in use for something else: it is neither empty nor an OCI image layout; name another directory")]
    Output(PathBuf),
    /// The image that is already in the output cannot be kept beside the new one.
    #[error("the output holds something unexpected: {0}")]
    Existing(Box<ImageError>),
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
    /// A thread of the build died: a bug.
    #[error("the build stopped unexpectedly: {0}")]
    Stopped(String),
}

/// Why one component failed.
#[derive(Debug, Error)]
#[error("{component} ({architecture}): {source}")]
pub struct ComponentError {
    /// Name of the component.
    pub component: String,
    /// What it was for.
    pub architecture: Architecture,
    /// Why.
    pub source: SourceError,
}

/// Why files could not be gathered or packed.
#[derive(Debug, Error)]
pub enum SourceError {
    /// A file of the spec does not exist.
    #[error("there is no {path}; does a script beside the spec make it, and was it run?")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file is not the one that the spec means.
    #[error("{path} has digest {actual}, but the spec says {expected}; find out which is right, and correct the other")]
    Digest {
        /// The file.
        path: PathBuf,
        /// Its digest.
        actual: String,
        /// The spec's.
        expected: String,
    },
    /// Something that the spec asks for makes no sense for what is there.
    #[error("{path}: {reason}")]
    Unsuitable {
        /// The source.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A container image that was fetched makes no sense.
    #[error("{image}: {reason}")]
    Image {
        /// Where it came from.
        image: String,
        /// What is wrong with it.
        reason: String,
    },
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

/// Why a container image could not be fetched.
#[derive(Debug, Error)]
pub enum PullError {
    /// The registry, or the way to it.
    #[error("{image}: {source}")]
    Registry {
        /// The reference.
        image: String,
        /// What came back.
        source: RegistryFailure,
    },
    /// Something else than expected was served.
    #[error("{image}: what the registry gave has digest {actual}, not {expected}")]
    Digest {
        /// The reference.
        image: String,
        /// What was served.
        actual: String,
        /// The spec's, or the lock's.
        expected: String,
    },
    /// An image that is not for the architecture, or none at all.
    #[error("{image} cannot be used: {reason}")]
    Unsuitable {
        /// The reference.
        image: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The cache cannot be written.
    #[error("{image}: cannot write to the cache: {source}")]
    Write {
        /// The reference.
        image: String,
        /// What came back.
        source: io::Error,
    },
}

/// Why a program cannot be put into the image.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// None was given.
    #[error(
        "the image needs a kubewright for {0}: name a static one with --program {0}=FILE (`make build` makes one), or write `program: false` in the spec for an image that cannot be run"
    )]
    Missing(Architecture),
    /// Not a program for the image.
    #[error("{path} cannot be the program for {architecture}: {reason}; `make build` makes a static one")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it should run on.
        architecture: Architecture,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a download failed.
#[derive(Debug, Error)]
pub enum DownloadError {
    /// The server, or the way to it.
    #[error("{url}: {reason}; what arrived is kept, and a next build goes on from there")]
    Failed {
        /// The address.
        url: String,
        /// What came back, the last time.
        reason: String,
    },
    /// A text is not to be had.
    #[error("{url}: {reason}")]
    Refused {
        /// The address.
        url: String,
        /// What came back, the last time.
        reason: String,
    },
    /// Something else than expected was served.
    #[error(
        "{url} has digest {actual}, but the spec or its lock says {expected}: the file changed, or the checksum is wrong"
    )]
    Digest {
        /// The address.
        url: String,
        /// What was served.
        actual: String,
        /// The spec's.
        expected: String,
    },
    /// The cache cannot be written.
    #[error("{url}: cannot write {path}: {source}")]
    Write {
        /// The address.
        url: String,
        /// The file.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
}

impl BuildError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

impl SourceError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.to_owned() },
            _ => Self::Io { doing, path: path.to_owned(), source },
        }
    }

    pub(super) fn image(image: &str, reason: String) -> Self {
        Self::Image { image: image.to_owned(), reason }
    }

    pub(super) fn unsuitable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unsuitable { path: path.to_owned(), reason: reason.into() }
    }
}
