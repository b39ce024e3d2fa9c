//! The cluster image: everything a cluster is made of, in one OCI image with one digest.

mod manifest;

pub use manifest::{Blob, ClusterImage, Component, ComponentKind};
