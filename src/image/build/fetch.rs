//! Downloads into the cache: resumed after interruption, and under their digest only when they have it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::{StreamExt, stream};
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;

use super::BuildOptions;
use super::error::{BuildError, DownloadError};
use super::mirrors::mirrored;
use crate::image::digest;
use crate::image::registry::{Mirror, Progress, RegistryError, RegistryOptions, download_client};
use crate::image::spec::{PinnedSpec, Place};

/// Downloads at a time: one server's share is not made bigger by more.
const WIDTH: usize = 4;
/// Attempts in a row after the first that bring nothing, before a download is given up.
const RETRIES: usize = 4;
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// Largest text that is read into memory.
const TEXT_LIMIT: usize = 1 << 20;

/// Downloads, and where they are really taken from.
#[derive(Debug, Clone)]
pub(super) struct Downloader<'a> {
    client: Client,
    mirrors: &'a [Mirror],
    /// Before the second attempt.
    first_delay: Duration,
    progress: Progress,
}

/// Fetches what `spec` has by URL into `directory`, where it is not there yet.
pub(super) async fn fetch_all(spec: &PinnedSpec, options: &BuildOptions, directory: &Path) -> Result<(), BuildError> {
    let wanted = wanted(spec);
    if wanted.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(BuildError::io("create", directory))?;
    let downloader = Downloader::new(&options.registries).map_err(BuildError::Client)?;
    let downloader = Downloader { progress: options.progress.clone(), ..downloader };
    let downloads = wanted.into_iter().map(|(sha256, url)| {
        let downloader = &downloader;
        async move { downloader.fetch(url, sha256, directory).await }
    });
    let results: Vec<_> = stream::iter(downloads).buffer_unordered(WIDTH).collect().await;
    let mut failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    failures.sort_by_key(ToString::to_string);
    if failures.is_empty() { Ok(()) } else { Err(BuildError::Downloads(failures)) }
}

/// URL by digest: what several components share is fetched once.
fn wanted(spec: &PinnedSpec) -> BTreeMap<&str, &str> {
    let downloads = spec.sources().filter_map(|source| match &source.place {
        Place::Download { url, sha256 } => Some((sha256.as_str(), url.as_str())),
        Place::File { .. } => None,
    });
    downloads.collect()
}

enum Attempt {
    /// Trying again may help.
    Broken(String),
    /// Trying again will not.
    Refused(String),
    /// The server says that there is no such thing.
    Missing,
    Write(std::io::Error),
}

impl<'a> Downloader<'a> {
    /// By the certificate authorities and mirrors of `options`.
    pub(super) fn new(options: &'a RegistryOptions) -> Result<Self, RegistryError> {
        let client = download_client(&options.authorities)?;
        let first_delay = Duration::from_millis(500);
        Ok(Self { client, mirrors: &options.mirrors, first_delay, progress: Progress::default() })
    }

    /// Delays between attempts that bring nothing; when they are used up, a download is given up.
    fn delays(&self) -> impl Iterator<Item = Duration> + use<> {
        let delays = ExponentialBuilder::default().with_min_delay(self.first_delay).with_max_delay(LONGEST_DELAY);
        // Downloads that a server cut off together do not come back together.
        delays.with_max_times(RETRIES).with_jitter().build()
    }

    /// Fetches `url` into `directory`, named by its digest, unless it is there.
    pub(super) async fn fetch(&self, url: &str, sha256: &str, directory: &Path) -> Result<(), DownloadError> {
        let (complete, partial) = (directory.join(sha256), directory.join(format!("{sha256}.part")));
        if complete.exists() {
            return Ok(());
        }
        let url = mirrored(url, self.mirrors);
        let resumed = size(&partial) > 0;
        self.transfer(&url, &partial).await?;
        match finish(&url, sha256, &partial, &complete).await {
            // Perhaps what an earlier build left is to blame: a power cut, or another file at the same address.
            Err(DownloadError::Digest { .. }) if resumed => {
                self.transfer(&url, &partial).await?;
                finish(&url, sha256, &partial, &complete).await
            }
            result => result,
        }
    }

    /// The small text at `url`; `None` when there is none.
    pub(super) async fn text(&self, url: &str) -> Result<Option<String>, DownloadError> {
        let url = mirrored(url, self.mirrors);
        let mut delays = self.delays();
        loop {
            let reason = match self.text_once(&url).await {
                Ok(text) => return Ok(Some(text)),
                Err(Attempt::Missing) => return Ok(None),
                Err(Attempt::Refused(reason)) => return Err(DownloadError::Refused { url, reason }),
                Err(Attempt::Write(source)) => return Err(DownloadError::Refused { url, reason: source.to_string() }),
                Err(Attempt::Broken(reason)) => reason,
            };
            match delays.next() {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(DownloadError::Refused { url, reason }),
            }
        }
    }

    async fn text_once(&self, url: &str) -> Result<String, Attempt> {
        let broken = |error: reqwest::Error| Attempt::Broken(explain(&error));
        let mut response = judge(self.client.get(url).send().await.map_err(broken)?)?;
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(broken)? {
            bytes.extend_from_slice(&part);
            if bytes.len() > TEXT_LIMIT {
                return Err(Attempt::Refused("what is there is too large for checksums".to_owned()));
            }
        }
        String::from_utf8(bytes).map_err(|_| Attempt::Refused("what is there is no text".to_owned()))
    }

    /// Fills `partial` from where it ends, however often the connection breaks.
    async fn transfer(&self, url: &str, partial: &Path) -> Result<(), DownloadError> {
        let failed = |reason| DownloadError::Failed { url: url.to_owned(), reason };
        let mut expected = 0;
        let mut delays = self.delays();
        loop {
            let before = size(partial);
            let reason = match self.attempt(url, partial, &mut expected).await {
                Ok(()) => return Ok(()),
                Err(Attempt::Write(source)) => {
                    return Err(DownloadError::Write { url: url.to_owned(), path: partial.to_owned(), source });
                }
                Err(Attempt::Refused(reason)) => return Err(failed(reason)),
                Err(Attempt::Missing) => return Err(failed("the server has no such file (404)".to_owned())),
                Err(Attempt::Broken(reason)) => reason,
            };
            if size(partial) > before {
                delays = self.delays();
            }
            match delays.next() {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(failed(reason)),
            }
        }
    }

    /// Goes on where `partial` ends. `expected` is what the progress has been told to expect of this file.
    async fn attempt(&self, url: &str, partial: &Path, expected: &mut u64) -> Result<(), Attempt> {
        let have = size(partial);
        let mut request = self.client.get(url);
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let response = request.send().await.map_err(|error| Attempt::Broken(explain(&error)))?;
        let status = response.status();
        let (mut file, mut response) = match status {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, have) => (open(partial, true).await?, response),
            // All there already, or longer than the file on the server: the digest, or starting anew, decides.
            StatusCode::RANGE_NOT_SATISFIABLE if total(&response) == Some(have) => return Ok(()),
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT => {
                open(partial, false).await?;
                return Err(Attempt::Broken(format!("the server cannot go on from byte {have} ({status})")));
            }
            _ => {
                let response = judge(response)?;
                (open(partial, false).await?, response)
            }
        };
        // After a break, what is left is announced again.
        let announced = response.content_length().unwrap_or_default();
        self.progress.expect(announced.saturating_sub(*expected));
        *expected = announced.max(*expected);
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    self.progress.add_moved(bytes.len() as u64);
                    file.write_all(&bytes).await.map_err(Attempt::Write)?;
                }
                Ok(None) => break,
                Err(error) => {
                    file.flush().await.map_err(Attempt::Write)?;
                    return Err(Attempt::Broken(explain(&error)));
                }
            }
        }
        file.flush().await.map_err(Attempt::Write)?;
        file.sync_all().await.map_err(Attempt::Write)
    }
}

/// The response, unless it says that there will be no content.
fn judge(response: Response) -> Result<Response, Attempt> {
    let status = response.status();
    match status {
        _ if status.is_success() => Ok(response),
        StatusCode::NOT_FOUND => Err(Attempt::Missing),
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Err(Attempt::Broken(format!("the server answered {status}")))
        }
        _ => Err(Attempt::Refused(format!("the server answered {status}"))),
    }
}

/// Gives the download its name, when it is what the spec says; removes it otherwise.
async fn finish(url: &str, sha256: &str, partial: &Path, complete: &Path) -> Result<(), DownloadError> {
    let (url, expected) = (url.to_owned(), sha256.to_owned());
    let (partial, complete) = (partial.to_owned(), complete.to_owned());
    let stopped = {
        let url = url.clone();
        move |error| DownloadError::Failed { url, reason: format!("hashing stopped: {error}") }
    };
    let work = move || {
        let write = |source| DownloadError::Write { url: url.clone(), path: partial.clone(), source };
        let actual = digest::of_file(&partial).map_err(write)?.sha256;
        if actual != expected {
            fs::remove_file(&partial).map_err(write)?;
            return Err(DownloadError::Digest { url: url.clone(), actual, expected });
        }
        fs::rename(&partial, &complete).map_err(write)
    };
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
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
