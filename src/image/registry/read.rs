//! Tags, manifests and other small documents.

use futures::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Response, StatusCode};

use super::endpoint::Access;
use super::host::{Host, Purpose, Retry};
use super::{Registry, RegistryError, explain};
use crate::cluster::RegistryReference;
use crate::image::oci::{self, Descriptor};
use crate::image::{Blob, digest};

/// Manifests and configs are small; what is larger is something else, and is not read into memory.
const LIMIT: u64 = 4 << 20;
/// What docker calls the same things.
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A manifest or an index, exactly as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image) struct Document {
    /// Media type, digest and size.
    pub(in crate::image) descriptor: Descriptor,
    /// Its bytes, which have that digest.
    pub(in crate::image) bytes: Vec<u8>,
}

impl Registry {
    /// The manifest or index that `reference` names. With a digest, that is what comes; with a tag as well, the tag must
    /// still be on it.
    pub(in crate::image) async fn manifest(&self, reference: &RegistryReference) -> Result<Document, RegistryError> {
        let host = self.host(&reference.registry, Access::Read).await?;
        match (&reference.tag, &reference.sha256) {
            (Some(tag), Some(expected)) => {
                let document = manifest(&host, reference, tag, None).await?;
                match document.descriptor.digest.strip_prefix("sha256:") {
                    Some(actual) if actual != expected => {
                        Err(RegistryError::TagMoved { reference: reference.to_string(), actual: actual.to_owned() })
                    }
                    _ => Ok(document),
                }
            }
            (_, Some(sha256)) => manifest(&host, reference, &format!("sha256:{sha256}"), Some(sha256)).await,
            (Some(tag), None) => manifest(&host, reference, tag, None).await,
            (None, None) => Err(RegistryError::Host(reference.to_string())),
        }
    }

    /// The manifest that `reference` names, or `None` when the registry has none by that name.
    pub(in crate::image) async fn manifest_if_any(
        &self,
        reference: &RegistryReference,
    ) -> Result<Option<Document>, RegistryError> {
        match self.manifest(reference).await {
            Ok(document) => Ok(Some(document)),
            Err(RegistryError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The answer, unless it says that something is not there, or another refusal.
pub(super) async fn expect_found(
    host: &Host,
    purpose: &Purpose<'_>,
    what: &str,
    response: Response,
) -> Result<Response, RegistryError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let missing = response.status() == StatusCode::NOT_FOUND;
    match host.refusal(&purpose.doing, response).await {
        RegistryError::Refused { reason, .. } if missing => Err(RegistryError::NotFound {
            host: host.name.clone(),
            what: format!("{what} in {}", purpose.repository),
            reason,
        }),
        error => Err(error),
    }
}

async fn manifest(
    host: &Host,
    reference: &RegistryReference,
    name: &str,
    sha256: Option<&str>,
) -> Result<Document, RegistryError> {
    let url = host.endpoint.url(&reference.repository, &format!("manifests/{name}"));
    let accept = [oci::INDEX, oci::MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(", ");
    let doing = format!("read the manifest of {reference}");
    let purpose = Purpose { repository: &reference.repository, doing, retry: Retry::WhenBusy };
    let response = host.send(&purpose, |client| client.get(url.clone()).header(ACCEPT, &accept)).await?;
    let what = format!("manifest {name}");
    let response = expect_found(host, &purpose, &what, response).await?;
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_owned();
    let bytes = body(host, &purpose.doing, response).await?;
    if let Some(expected) = sha256 {
        check(host, &what, &bytes, expected)?;
    }
    let blob = Blob { sha256: digest::of_bytes(&bytes), size: bytes.len() as u64 };
    Ok(Document { descriptor: Descriptor::new(&media_type, &blob), bytes })
}

fn check(host: &Host, what: &str, bytes: &[u8], expected: &str) -> Result<(), RegistryError> {
    let actual = digest::of_bytes(bytes);
    if actual == expected {
        return Ok(());
    }
    let reason = format!("it has digest {actual}, not {expected}");
    Err(RegistryError::Damaged { host: host.name.clone(), what: what.to_owned(), reason })
}

/// All bytes of a small answer.
async fn body(host: &Host, doing: &str, response: Response) -> Result<Vec<u8>, RegistryError> {
    let (status, url) = (response.status().as_u16(), response.url().to_string());
    let mut stream = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await {
        bytes.extend_from_slice(&part.map_err(|error| RegistryError::Unreachable {
            doing: doing.to_owned(),
            url: host.endpoint.origin.to_string(),
            reason: explain(&error),
        })?);
        if bytes.len() as u64 > LIMIT {
            let reason = format!("more than {LIMIT} bytes, which no manifest needs");
            return Err(RegistryError::Refused { doing: doing.to_owned(), url, status, reason });
        }
    }
    Ok(bytes)
}
