//! The registry that an image came from, for those who read its layers by themselves.

use std::sync::Arc;

use super::registry::{BlobAccess, Registry, RegistryError, is_local};
use super::{Access, Blob, Location};
use crate::cluster::RegistryReference;

/// The repository of an open image.
#[derive(Debug, Clone)]
pub struct Origin {
    registry: Arc<Registry>,
    reference: RegistryReference,
}

impl Origin {
    /// The repository at `location`, where that is one that other machines see as well. Nobody is asked.
    pub(super) fn of(location: &Location, access: &Access) -> Option<Self> {
        let Location::Registry(reference) = location else { return None };
        if is_local(&reference.registry) {
            return None;
        }
        let registry = Arc::new(Registry::new(access.registries.clone()));
        Some(Self { registry, reference: reference.clone() })
    }

    /// What others need to read the layers; tried with `blob`.
    pub async fn blob_access(&self, blob: &Blob) -> Result<BlobAccess, RegistryError> {
        self.registry.blob_access(&self.reference, blob).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registry_that_hosts_see_is_one() {
        for (location, is_one) in [
            ("registry.example/kubewright/k8s:v1", true),
            ("10.1.0.5:5000/k8s:v1", true),
            ("localhost:5000/k8s:v1", false),
            ("127.0.0.1:5000/k8s:v1", false),
            ("oci:/images/k8s", false),
        ] {
            let location = Location::parse(location).unwrap();
            assert_eq!(Origin::of(&location, &Access::default()).is_some(), is_one, "{location}");
        }
    }
}
