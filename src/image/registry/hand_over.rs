//! What others need to read the blobs of a repository by themselves: hosts that pull instead of being sent to.

use std::fmt;

use super::endpoint::Access;
use super::host::{Purpose, Retry};
use super::{Registry, RegistryError, client, read};
use crate::cluster::RegistryReference;
use crate::image::Blob;

/// How the blobs of a repository are read by somebody who has nothing but this.
#[derive(Clone, PartialEq, Eq)]
pub struct BlobAccess {
    /// What stands before a blob's digest: `https://registry.example/v2/kubewright/kubernetes/blobs/`.
    pub blobs: String,
    /// The header `Authorization`, where the registry wants one. It may hold for minutes only.
    pub authorization: Option<String>,
    /// PEM of the authorities to trust besides those of the system, where there are any.
    pub authorities: Option<String>,
}

impl fmt::Debug for BlobAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobAccess").field("blobs", &self.blobs).finish_non_exhaustive()
    }
}

impl Registry {
    /// How the blobs of the repository that `reference` is in are read. Tried with `blob`, so that a login that has run
    /// out is renewed.
    pub(in crate::image) async fn blob_access(
        &self,
        reference: &RegistryReference,
        blob: &Blob,
    ) -> Result<BlobAccess, RegistryError> {
        let host = self.host(&reference.registry, Access::Read).await?;
        let url = host.endpoint.url(&reference.repository, &format!("blobs/sha256:{}", blob.sha256));
        let doing = format!("ask for a layer of {reference}");
        let purpose = Purpose { repository: &reference.repository, doing, retry: Retry::WhenBusy };
        let response = host.send(&purpose, |client| client.head(url.clone())).await?;
        read::expect_found(&host, &purpose, "a layer", response).await?;
        let blobs = host.endpoint.url(&reference.repository, "blobs/").to_string();
        let authorities = client::authorities(&host.name, &self.options.authorities, &self.authorities)?;
        Ok(BlobAccess { blobs, authorization: host.authorization(&reference.repository).await, authorities })
    }
}
