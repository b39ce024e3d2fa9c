//! Downloads into the cache: resumed after interruption, and under their digest only when they have it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;

use super::error::{BuildError, DownloadError};
use crate::image::{Spec, digest};

/// Attempts in a row that bring nothing, before a download is given up.
const ATTEMPTS: u32 = 4;
/// Downloads at a time: one server's share is not made bigger by more.
const WIDTH: usize = 4;

/// Fetches what `spec` has by URL into `directory`, where it is not there yet.
pub(super) async fn fetch_all(spec: &Spec, directory: &Path) -> Result<(), BuildError> {
    let wanted = wanted(spec);
    if wanted.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(BuildError::io("create", directory))?;
    let client = client(wanted.values().any(|url| url.starts_with("https:"))).map_err(BuildError::Client)?;
    let downloads = wanted.into_iter().map(|(sha256, url)| {
        let client = client.clone();
        async move { fetch(&client, url, sha256, directory).await }
    });
    let results: Vec<_> = futures::stream::iter(downloads).buffer_unordered(WIDTH).collect().await;
    let failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(BuildError::Downloads(failures)) }
}

/// URL by digest: what several components share is fetched once.
fn wanted(spec: &Spec) -> BTreeMap<&str, &str> {
    let sources =
        spec.components.iter().flat_map(|component| component.files.iter().chain(component.layers.values().flatten()));
    sources.filter_map(|source| Some((source.sha256.as_deref()?, source.url.as_deref()?))).collect()
}

fn client(needs_authorities: bool) -> reqwest::Result<Client> {
    let builder = Client::builder().connect_timeout(Duration::from_secs(15)).read_timeout(Duration::from_secs(60));
    // Without CA certificates on the machine, the client could not even be built for plain HTTP.
    if needs_authorities { builder.build() } else { builder.tls_certs_only([]).build() }
}

async fn fetch(client: &Client, url: &str, sha256: &str, directory: &Path) -> Result<(), DownloadError> {
    let (complete, partial) = (directory.join(sha256), directory.join(format!("{sha256}.part")));
    if complete.exists() {
        return Ok(());
    }
    let mut failures = 0;
    loop {
        let before = size(&partial);
        match attempt(client, url, &partial).await {
            Ok(()) => break,
            Err(Attempt::Write(source)) => {
                return Err(DownloadError::Write { url: url.to_owned(), path: partial, source });
            }
            Err(Attempt::Refused(reason)) => return Err(DownloadError::Failed { url: url.to_owned(), reason }),
            Err(Attempt::Broken(reason)) => {
                failures = if size(&partial) > before { 1 } else { failures + 1 };
                if failures >= ATTEMPTS {
                    return Err(DownloadError::Failed { url: url.to_owned(), reason });
                }
                tokio::time::sleep(Duration::from_millis(250) * 2_u32.pow(failures)).await;
            }
        }
    }
    finish(url, sha256, partial, complete).await
}

/// Gives the download its name, when it is what the spec says; removes it otherwise.
async fn finish(url: &str, sha256: &str, partial: PathBuf, complete: PathBuf) -> Result<(), DownloadError> {
    let (url, sha256) = (url.to_owned(), sha256.to_owned());
    let work = move || {
        let failed = |source| DownloadError::Write { url: url.clone(), path: partial.clone(), source };
        let actual = digest::of_file(&partial).map_err(failed)?.sha256;
        if actual != sha256 {
            fs::remove_file(&partial).map_err(failed)?;
            return Err(DownloadError::Digest { url: url.clone(), actual, expected: sha256 });
        }
        fs::rename(&partial, &complete).map_err(failed)
    };
    let url = String::new();
    let stopped = |error| DownloadError::Failed { url, reason: format!("hashing stopped: {error}") };
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

enum Attempt {
    /// Trying again may help.
    Broken(String),
    /// Trying again will not.
    Refused(String),
    Write(std::io::Error),
}

/// Goes on where `partial` ends.
async fn attempt(client: &Client, url: &str, partial: &Path) -> Result<(), Attempt> {
    let have = size(partial);
    let mut request = client.get(url);
    if have > 0 {
        request = request.header(RANGE, format!("bytes={have}-"));
    }
    let response = request.send().await.map_err(|error| Attempt::Broken(explain(&error)))?;
    let status = response.status();
    let mut file = match status {
        StatusCode::PARTIAL_CONTENT if starts_at(&response, have) => open(partial, true).await?,
        // All there already, or longer than the file on the server: the digest, or starting anew, decides.
        StatusCode::RANGE_NOT_SATISFIABLE if total(&response) == Some(have) => return Ok(()),
        StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT => {
            open(partial, false).await?;
            return Err(Attempt::Broken(format!("the server cannot go on from byte {have} ({status})")));
        }
        _ if status.is_success() => open(partial, false).await?,
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Attempt::Broken(format!("the server answered {status}")));
        }
        _ => return Err(Attempt::Refused(format!("the server answered {status}"))),
    };
    let mut body = response.bytes_stream();
    while let Some(bytes) = body.next().await {
        match bytes {
            Ok(bytes) => file.write_all(&bytes).await.map_err(Attempt::Write)?,
            Err(error) => {
                file.flush().await.map_err(Attempt::Write)?;
                return Err(Attempt::Broken(explain(&error)));
            }
        }
    }
    file.flush().await.map_err(Attempt::Write)?;
    file.sync_all().await.map_err(Attempt::Write)
}

async fn open(path: &Path, append: bool) -> Result<File, Attempt> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(append).truncate(!append);
    options.open(path).await.map_err(Attempt::Write)
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// `bytes FROM-TO/TOTAL`, or `bytes */TOTAL`.
fn range(response: &Response) -> Option<(&str, &str)> {
    response.headers().get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')
}

fn starts_at(response: &Response, offset: u64) -> bool {
    range(response).and_then(|(part, _)| part.split_once('-')).is_some_and(|(from, _)| from.parse() == Ok(offset))
}

fn total(response: &Response) -> Option<u64> {
    range(response)?.1.parse().ok()
}

/// The error with its causes: the outermost message alone does not say what happened.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
