//! What a build needs of registries.

use std::error::Error;

use crate::cluster::RegistryReference;
use crate::image::Blob;
use crate::image::blobs::Blobs;
use crate::image::registry::{Progress, Registry};

/// Why a registry did not give something, with all that an operator needs to know.
pub(in crate::image) type RegistryFailure = Box<dyn Error + Send + Sync>;

/// Where container images come from.
pub(in crate::image) trait ContainerImages: Sync {
    /// The manifest or index that `reference` names by tag or digest, exactly as it is served.
    fn document(&self, reference: &RegistryReference) -> impl Future<Output = Result<Vec<u8>, RegistryFailure>> + Send;

    /// Fetches a blob of the repository that `reference` is in, unless `into` has it; only what has its digest is kept.
    fn blob(
        &self,
        reference: &RegistryReference,
        blob: &Blob,
        into: &Blobs,
        progress: &Progress,
    ) -> impl Future<Output = Result<(), RegistryFailure>> + Send;
}

impl ContainerImages for Registry {
    async fn document(&self, reference: &RegistryReference) -> Result<Vec<u8>, RegistryFailure> {
        Ok(self.manifest(reference).await?.bytes)
    }

    async fn blob(
        &self,
        reference: &RegistryReference,
        blob: &Blob,
        into: &Blobs,
        progress: &Progress,
    ) -> Result<(), RegistryFailure> {
        Ok(self.download(reference, "a layer or the config", blob, into, progress).await?)
    }
}
