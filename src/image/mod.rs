//! The cluster image: everything a cluster is made of, in one OCI image with one digest.
//!
//! [`Spec`] says what goes in, [`build`] makes it, [`open`] checks one and finds its blobs. [`push`], [`pull`], [`copy`]
//! and [`load`] move images between registries, the store of this machine, directories and archives.

mod access;
mod architecture;
mod archive;
mod blobs;
mod build;
mod cache;
mod diff;
mod digest;
mod docker_archive;
mod document;
mod error;
mod keep;
mod layout;
mod list;
mod locate;
mod location;
mod manifest;
mod manifests;
mod oci;
mod open;
mod origin;
mod prune;
mod pull;
mod push;
mod read;
mod registry;
mod save;
mod sign;
mod signature;
mod small;
mod spec;
mod store;
#[cfg(test)]
mod testing;
mod tree;
mod trust;
mod upgrades_from;
mod verify;

pub use access::Access;
pub use architecture::Architecture;
pub use build::{
    BuildError, BuildOptions, Built, BuiltComponent, ComponentError, DownloadError, LockError, ProgramError, PullError,
    SourceError, build, lock,
};
pub use cache::cache_directory;
pub use diff::{Changed, Difference, Fate, compare};
pub(crate) use digest::{Hashing, of_reader};
pub use error::ImageError;
pub use keep::{copy, load, pull};
pub use list::{Stored, stored};
pub use location::Location;
pub use manifest::{Blob, ClusterImage, Component, ComponentKind, name_and_tag};
pub use manifests::{ManifestFile, TextFault, TextObject, container_images, says_nothing, text_objects};
pub use open::{OpenImage, open, open_with_cache};
pub use origin::Origin;
pub use prune::{Unused, prune, unused};
pub use push::{Placed, push};
pub use registry::{BlobAccess, Mirror, Progress, Registry, RegistryError, RegistryOptions};
pub(crate) use registry::{explain, http_client};
pub use sign::{Signed, sign};
pub use signature::{SignatureError, SigningKey, TrustedKeys};
pub use spec::{Lock, LockFileError, Moved, Open, PinError, Spec, SpecError, SpecFile, spec_schema};
pub use upgrades_from::{UpgradesFrom, UpgradesFromError};
pub use verify::{Verified, verify};
