//! Blobs and manifests to a registry. What is there is not sent again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::TryFutureExt;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use reqwest::{Body, StatusCode, Url};
use tokio::io::AsyncReadExt;

use super::endpoint::Access;
use super::host::{Host, Purpose, Retry};
use super::{Progress, Registry, RegistryError};
use crate::cluster::RegistryReference;
use crate::image::Blob;
use crate::image::oci::Descriptor;

/// Attempts at one blob: each begins anew.
const ATTEMPTS: u32 = 3;
/// What a registry calls the digest of an answer.
const DIGEST: &str = "docker-content-digest";
/// Bytes that are read from the disk at a time.
const PART: usize = 256 * 1024;

impl Registry {
    /// Sends the file at `path`, which is `blob`, to the repository that `reference` is in, unless it is there.
    pub(in crate::image) async fn upload(
        &self,
        reference: &RegistryReference,
        what: &str,
        blob: &Blob,
        path: &Path,
        progress: &Progress,
    ) -> Result<(), RegistryError> {
        let host = self.host(&reference.registry, Access::Write).await?;
        let doing = format!("push {what} to {reference}");
        let repository = reference.repository.as_str();
        if exists(&host, repository, what, blob).await? {
            progress.add_found(blob.size);
            return Ok(());
        }
        let mut attempt = 1;
        loop {
            match send(&host, repository, &doing, blob, path, progress).await {
                Err(RegistryError::Unreachable { .. }) if attempt < ATTEMPTS => {}
                Err(RegistryError::Refused { status: 500.., .. }) if attempt < ATTEMPTS => {}
                result => return result,
            }
            tokio::time::sleep(Duration::from_millis(250) * 2_u32.pow(attempt)).await;
            attempt += 1;
        }
    }

    /// Whether the registry has this manifest under `name`: a tag, or `sha256:…`.
    pub(in crate::image) async fn has_manifest(
        &self,
        reference: &RegistryReference,
        name: &str,
        descriptor: &Descriptor,
    ) -> Result<bool, RegistryError> {
        let host = self.host(&reference.registry, Access::Write).await?;
        let url = host.endpoint.url(&reference.repository, &format!("manifests/{name}"));
        let doing = format!("look for the manifest {name} of {}", reference.name());
        let purpose = Purpose { repository: &reference.repository, doing, retry: Retry::WhenBusy };
        let request = |client: &reqwest::Client| client.head(url.clone()).header(ACCEPT, &descriptor.media_type);
        let response = host.send(&purpose, request).await?;
        let digest = response.headers().get(DIGEST).and_then(|value| value.to_str().ok());
        match response.status() {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(digest == Some(descriptor.digest.as_str())),
            _ => Err(host.refusal(&purpose.doing, response).await),
        }
    }

    /// Puts a manifest or an index under `name`: a tag, or `sha256:…`.
    pub(in crate::image) async fn put_manifest(
        &self,
        reference: &RegistryReference,
        name: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let host = self.host(&reference.registry, Access::Write).await?;
        let url = host.endpoint.url(&reference.repository, &format!("manifests/{name}"));
        let doing = format!("push the manifest {name} to {}", reference.name());
        let purpose = Purpose { repository: &reference.repository, doing, retry: Retry::WhenBusy };
        let request =
            |client: &reqwest::Client| client.put(url.clone()).header(CONTENT_TYPE, media_type).body(bytes.to_vec());
        let response = host.send(&purpose, request).await?;
        if response.status().is_success() { Ok(()) } else { Err(host.refusal(&purpose.doing, response).await) }
    }
}

async fn exists(host: &Host, repository: &str, what: &str, blob: &Blob) -> Result<bool, RegistryError> {
    let url = host.endpoint.url(repository, &format!("blobs/sha256:{}", blob.sha256));
    let purpose = Purpose { repository, doing: format!("look for {what}"), retry: Retry::WhenBusy };
    let response = host.send(&purpose, |client| client.head(url.clone())).await?;
    let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match response.status() {
        StatusCode::NOT_FOUND => Ok(false),
        status if status.is_success() => match length {
            Some(length) if length != blob.size => Err(RegistryError::Damaged {
                host: host.name.clone(),
                what: what.to_owned(),
                reason: format!(
                    "it has {length} bytes there, not {}, and a registry does not take again what it has",
                    blob.size
                ),
            }),
            _ => Ok(true),
        },
        _ => Err(host.refusal(&purpose.doing, response).await),
    }
}

async fn send(
    host: &Host,
    repository: &str,
    doing: &str,
    blob: &Blob,
    path: &Path,
    progress: &Progress,
) -> Result<(), RegistryError> {
    let begin = host.endpoint.url(repository, "blobs/uploads/");
    let purpose = |retry| Purpose { repository, doing: doing.to_owned(), retry };
    let response = host.send(&purpose(Retry::WhenBusy), |client| client.post(begin.clone())).await?;
    if response.status() != StatusCode::ACCEPTED {
        return Err(host.refusal(doing, response).await);
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let url = location.and_then(|location| begin.join(location).ok());
    let url = url.and_then(|url| finishing(url, blob)).ok_or_else(|| RegistryError::Protocol {
        host: host.name.clone(),
        reason: "it does not say where to upload to".to_owned(),
    })?;
    // Tried here, so that a file that cannot be read is not mistaken for a broken connection.
    let unreadable = |source| RegistryError::Io { doing: "read", path: path.to_owned(), source };
    tokio::fs::File::open(path).await.map_err(unreadable)?;
    let request = |client: &reqwest::Client| {
        let put = client.put(url.clone()).header(CONTENT_TYPE, "application/octet-stream");
        put.header(CONTENT_LENGTH, blob.size).body(content(path.to_owned(), progress.clone()))
    };
    let response = host.send(&purpose(Retry::Never), request).await?;
    if response.status().is_success() { Ok(()) } else { Err(host.refusal(doing, response).await) }
}

/// The URL that ends an upload, from the one where it began.
fn finishing(mut url: Url, blob: &Blob) -> Option<Url> {
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    // What the registry keeps in the query must come back.
    url.query_pairs_mut().append_pair("digest", &format!("sha256:{}", blob.sha256));
    Some(url)
}

/// The content of a file, counted as it is handed over.
fn content(path: PathBuf, progress: Progress) -> Body {
    let opened = async move { tokio::fs::File::open(path).await };
    let parts = opened.map_ok(move |file| {
        futures::stream::try_unfold((file, progress), |(mut file, progress)| async move {
            let mut part = vec![0; PART];
            let count = file.read(&mut part).await?;
            part.truncate(count);
            progress.add_moved(count as u64);
            Ok::<_, std::io::Error>((count > 0).then_some((part, (file, progress))))
        })
    });
    Body::wrap_stream(parts.try_flatten_stream())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_ends_where_it_began() {
        let blob = Blob { sha256: "ab".repeat(32), size: 1 };
        let end = |url: &str| finishing(url.parse().unwrap(), &blob).map(|url| url.to_string());
        let digest = format!("digest=sha256%3A{}", blob.sha256);
        assert_eq!(
            end("https://r.example/v2/a/blobs/uploads/1?_state=x%3D"),
            Some(format!("https://r.example/v2/a/blobs/uploads/1?_state=x%3D&{digest}"))
        );
        assert_eq!(end("https://r.example/up"), Some(format!("https://r.example/up?{digest}")));
        assert_eq!(end("file:///etc/passwd"), None);
    }
}
