//! The cluster image: everything a cluster is made of, in one OCI image with one digest.
//!
//! [`Spec`] says what goes in, [`build`] makes it, [`open`] checks one and finds its blobs.

mod archive;
mod blobs;
mod build;
mod cache;
mod digest;
mod error;
mod location;
mod manifest;
mod oci;
mod open;
mod spec;
#[cfg(test)]
mod testing;

pub use build::{BuildError, BuildOptions, Built, BuiltComponent, ComponentError, DownloadError, SourceError, build};
pub use cache::cache_directory;
pub use error::ImageError;
pub use location::Location;
pub use manifest::{Blob, ClusterImage, Component, ComponentKind};
pub use open::{OpenImage, open, open_with_cache};
pub use spec::{Spec, SpecError, SpecFile, spec_schema};
