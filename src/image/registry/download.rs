//! Layers from a registry to the disk: resumed after interruption, and under their name only when they have its digest.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;

use super::endpoint::Access;
use super::host::{Host, Purpose, Retry};
use super::{Progress, Registry, RegistryError, explain, read};
use crate::cluster::RegistryReference;
use crate::image::blobs::Blobs;
use crate::image::{Blob, digest};

/// Breaks in a row without a single byte between them, before a download is given up.
const BREAKS: u32 = 4;

impl Registry {
    /// Fetches `blob` of the repository that `reference` is in, unless it is there. `what` says in errors what it holds.
    pub(in crate::image) async fn download(
        &self,
        reference: &RegistryReference,
        what: &str,
        blob: &Blob,
        into: &Blobs,
        progress: &Progress,
    ) -> Result<(), RegistryError> {
        if into.has(blob) {
            progress.add_found(blob.size);
            return Ok(());
        }
        let host = self.host(&reference.registry, Access::Read).await?;
        let partial = into.partial(&blob.sha256);
        let doing = format!("fetch {what} of {reference}");
        let purpose = Purpose { repository: &reference.repository, doing, retry: Retry::WhenBusy };
        let resumed = match size(&partial) {
            size if size <= blob.size => size,
            _ => 0,
        };
        progress.add_found(resumed);
        transfer(&host, &purpose, what, blob, &partial, progress).await?;
        match keep(&host, what, blob, &partial, into).await {
            // After a power cut, what an earlier run left may be to blame.
            Err(RegistryError::Damaged { .. }) if resumed > 0 => {
                transfer(&host, &purpose, what, blob, &partial, progress).await?;
                keep(&host, what, blob, &partial, into).await
            }
            result => result,
        }
    }
}

/// How one answer ended.
enum End {
    Complete,
    /// All that was announced has come, and it is not all.
    Short,
    /// More came than there should be.
    Long,
    /// The connection broke, for this reason.
    Broken(String),
}

/// Fills `partial` up to the size of `blob`, however often the connection breaks.
async fn transfer(
    host: &Host,
    purpose: &Purpose<'_>,
    what: &str,
    blob: &Blob,
    partial: &Path,
    progress: &Progress,
) -> Result<(), RegistryError> {
    let url = host.endpoint.url(purpose.repository, &format!("blobs/sha256:{}", blob.sha256));
    let mut breaks = 0;
    loop {
        let have = if size(partial) > blob.size { 0 } else { size(partial) };
        if have == blob.size && partial.exists() {
            return Ok(());
        }
        let ask = |client: &reqwest::Client| match have {
            0 => client.get(url.clone()),
            _ => client.get(url.clone()).header(RANGE, format!("bytes={have}-")),
        };
        let response = host.send(purpose, ask).await?;
        let from = match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, have) => have,
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT if have > 0 => {
                // Shorter than what is here, or another part of it: begin anew.
                open(partial, 0).await?;
                continue;
            }
            _ => 0,
        };
        let response = read::expect_found(host, purpose, what, response).await?;
        let damaged =
            |reason: String| RegistryError::Damaged { host: host.name.clone(), what: what.to_owned(), reason };
        match receive(response, partial, from, blob.size, progress).await? {
            End::Complete => return Ok(()),
            End::Short => return Err(damaged(format!("it has {} bytes there, not {}", size(partial), blob.size))),
            End::Long => return Err(damaged(format!("it has more than {} bytes there", blob.size))),
            End::Broken(reason) => {
                breaks = if size(partial) > from { 1 } else { breaks + 1 };
                if breaks >= BREAKS {
                    let (doing, url) = (purpose.doing.clone(), url.to_string());
                    let reason = format!("{reason}; what arrived is kept, and the next attempt goes on from there");
                    return Err(RegistryError::Unreachable { doing, url, reason });
                }
                tokio::time::sleep(Duration::from_millis(250) * 2_u32.pow(breaks)).await;
            }
        }
    }
}

/// Writes what comes at byte `from` of the file.
async fn receive(
    response: Response,
    partial: &Path,
    from: u64,
    whole: u64,
    progress: &Progress,
) -> Result<End, RegistryError> {
    let announced = response.content_length().is_some();
    let failed = |source| RegistryError::Io { doing: "write", path: partial.to_owned(), source };
    let mut file = open(partial, from).await?;
    let mut have = from;
    let mut body = response.bytes_stream();
    let end = loop {
        match body.next().await {
            Some(Ok(bytes)) if have + bytes.len() as u64 > whole => break End::Long,
            Some(Ok(bytes)) => {
                file.write_all(&bytes).await.map_err(failed)?;
                have += bytes.len() as u64;
                progress.add_moved(bytes.len() as u64);
            }
            Some(Err(error)) => break End::Broken(explain(&error)),
            None if have == whole => break End::Complete,
            None if announced => break End::Short,
            None => break End::Broken("the answer ended early".to_owned()),
        }
    };
    file.flush().await.map_err(failed)?;
    file.sync_all().await.map_err(failed)?;
    Ok(end)
}

/// Gives the file its name if it is `blob`, and removes it otherwise.
async fn keep(host: &Host, what: &str, blob: &Blob, partial: &Path, into: &Blobs) -> Result<(), RegistryError> {
    let (path, wanted, into) = (partial.to_owned(), blob.clone(), into.clone());
    let work = move || {
        let actual = digest::of_file(&path)?;
        match actual == wanted {
            true => into.adopt(&path, &wanted).map(|()| None),
            false => fs::remove_file(&path).map(|()| Some(actual)),
        }
    };
    let failed = |source| RegistryError::Io { doing: "verify", path: partial.to_owned(), source };
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| failed(std::io::Error::other(error)))?;
    match done.map_err(failed)? {
        None => Ok(()),
        Some(actual) => {
            let reason = format!("it has digest {}, not {}", actual.sha256, blob.sha256);
            Err(RegistryError::Damaged { host: host.name.clone(), what: what.to_owned(), reason })
        }
    }
}

async fn open(path: &Path, from: u64) -> Result<File, RegistryError> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(from > 0).truncate(from == 0);
    options.open(path).await.map_err(|source| RegistryError::Io { doing: "write", path: path.to_owned(), source })
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

fn starts_at(response: &Response, offset: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let from = range.and_then(|range| range.strip_prefix("bytes ")?.split_once('-')).map(|(from, _)| from);
    from.is_some_and(|from| from.parse() == Ok(offset))
}
