//! A bucket of an S3-compatible object store. Requests are signed by rusty-s3 and sent from here; an object appears there
//! whole or not at all, and is read back before it counts.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};
use std::time::Duration;

use prost::bytes::Bytes;
use reqwest::{Client, Method, Response, StatusCode, Url};
use rusty_s3::actions::{
    AbortMultipartUpload, CompleteMultipartUpload, CompleteMultipartUploadResponse, CreateMultipartUpload,
    DeleteObject, GetObject, ListObjectsV2, PutObject, S3Action, UploadPart,
};
use rusty_s3::{Credentials, UrlStyle};

use super::super::manifest::{MANIFEST, Manifest, manifest_name};
use super::TargetError;
use super::credentials;
use super::found::{self, Found};
use super::spool::Ready;
use crate::cluster::BucketPlace;
use crate::image::{self, Hashing};

/// Bytes in one part of an upload: an object has ten thousand of them at most, and etcd's data take 8 GiB.
const PART: u64 = 8 << 20;
/// How long a signed request may be used.
const VALID: Duration = Duration::from_secs(600);
/// How often a request is sent again when the store is busy or the line breaks, and the first pause before that.
const AGAIN: usize = 4;
const PAUSE: Duration = Duration::from_millis(500);
/// Most characters of what a store says that are shown.
const MOST_WORDS: usize = 400;
/// Longest manifest that is read.
const LARGEST_MANIFEST: u64 = 1 << 20;

/// A bucket that can be used.
#[derive(Debug)]
pub struct Bucket {
    place: BucketPlace,
    bucket: rusty_s3::Bucket,
    credentials: Credentials,
    client: Client,
}

impl Bucket {
    /// Reads the credentials; sends nothing.
    pub(super) fn open(place: &BucketPlace) -> Result<Self, TargetError> {
        let bad = |why: String| TargetError::Store { what: format!("use {place}"), why };
        let url = Url::parse(&place.endpoint).map_err(|error| bad(format!("{}: {error}", place.endpoint)))?;
        let style = if place.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let files: Vec<_> = place.authorities.iter().cloned().collect();
        let client = image::http_client(&url, &files).map_err(|error| bad(error.to_string()))?;
        let bucket = rusty_s3::Bucket::new(url, style, place.bucket.clone(), place.region.clone());
        let bucket = bucket.map_err(|error| bad(error.to_string()))?;
        let credentials = credentials::read(place.credentials.as_deref()).map_err(bad)?;
        Ok(Self { place: place.clone(), bucket, credentials, client })
    }

    pub(super) fn place(&self) -> String {
        self.place.to_string()
    }

    fn key(&self, name: &str) -> String {
        match self.place.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }

    /// Puts an object there, and proves that what is read back is what was to be written.
    pub(super) async fn put(&self, name: &str, ready: &Ready) -> Result<(), TargetError> {
        self.upload(name, ready).await?;
        let mut hashing = Hashing::new(io::sink());
        self.fetch(name, &mut hashing).await?;
        if hashing.finish().1.sha256 == ready.sha256 {
            return Ok(());
        }
        // Without a manifest it counts for nothing; left there it would only take space.
        let _ = self.remove(name).await;
        Err(TargetError::Changed { what: format!("{}/{name}", self.place) })
    }

    async fn upload(&self, name: &str, ready: &Ready) -> Result<(), TargetError> {
        let what = || format!("write {}/{name}", self.place);
        let read = |error: io::Error| TargetError::io("reading what has come")(error);
        if ready.bytes <= PART {
            let content = ready.piece(0, usize::try_from(ready.bytes).unwrap_or(usize::MAX)).map_err(read)?;
            return self.write(name, content).await;
        }
        let key = self.key(name);
        let create = CreateMultipartUpload::new(&self.bucket, Some(&self.credentials), &key);
        let answer = self.send(&what(), create, &self.encryption(), Vec::new()).await?;
        let answer = text(&what(), answer).await?;
        let upload = CreateMultipartUpload::parse_response(&answer);
        let upload = upload.map_err(|error| odd(&what(), format!("{error}: {answer}")))?;
        let sent = self.parts(&what(), &key, upload.upload_id(), ready).await;
        if sent.is_err() {
            let abort = AbortMultipartUpload::new(&self.bucket, Some(&self.credentials), &key, upload.upload_id());
            // Parts that stay take space there, and no more can be done about it from here.
            let _ = self.send(&what(), abort, &[], Vec::new()).await;
        }
        sent
    }

    async fn parts(&self, what: &str, key: &str, upload: &str, ready: &Ready) -> Result<(), TargetError> {
        let mut tags = Vec::new();
        let mut at = 0;
        while at < ready.bytes {
            let length = PART.min(ready.bytes - at);
            let piece = ready.piece(at, usize::try_from(length).unwrap_or(usize::MAX));
            let piece = piece.map_err(TargetError::io("reading what has come"))?;
            let number = u16::try_from(tags.len() + 1).map_err(|error| odd(what, error))?;
            let part = UploadPart::new(&self.bucket, Some(&self.credentials), key, number, upload);
            let answer = self.send(what, part, &[], piece).await?;
            let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok());
            tags.push(tag.ok_or_else(|| odd(what, "a part was taken without an ETag"))?.to_owned());
            at += length;
        }
        let tags = tags.iter().map(String::as_str);
        let complete = CompleteMultipartUpload::new(&self.bucket, Some(&self.credentials), key, upload, tags);
        let body = complete.clone().body();
        let answer = self.send(what, complete, &[], body.into_bytes()).await?;
        let answer = text(what, answer).await?;
        // It may say "200" before it knows that it has failed.
        CompleteMultipartUploadResponse::parse(&answer).map(drop).map_err(|_| odd(what, answer))
    }

    /// Writes a small object.
    pub(super) async fn write(&self, name: &str, content: Vec<u8>) -> Result<(), TargetError> {
        let key = self.key(name);
        let put = PutObject::new(&self.bucket, Some(&self.credentials), &key);
        self.send(&format!("write {}/{name}", self.place), put, &self.encryption(), content).await.map(drop)
    }

    /// Headers of every request that makes an object.
    fn encryption(&self) -> Vec<(&'static str, String)> {
        self.place.encryption.iter().map(|algorithm| ("x-amz-server-side-encryption", algorithm.clone())).collect()
    }

    /// What is there of `cluster`, or of all.
    pub(super) async fn list(&self, cluster: Option<&str>) -> Result<Found<Manifest>, TargetError> {
        let mut manifests = BTreeMap::new();
        for (name, size) in self.names(cluster).await?.into_iter().filter(|(name, _)| name.ends_with(MANIFEST)) {
            let manifest = if size <= LARGEST_MANIFEST { self.manifest(&name).await? } else { None };
            manifests.insert(name, manifest);
        }
        Ok(found::sort(&self.names(cluster).await?, manifests, cluster))
    }

    /// The manifest of the snapshot whose file is called `file`, if it has one.
    pub(super) async fn manifest_of(&self, file: &str) -> Result<Option<Manifest>, TargetError> {
        Ok(self.manifest(&manifest_name(file)).await?.filter(|manifest| manifest.file() == file))
    }

    /// The manifest called `name`; what is none, or goes at this very moment, is nothing.
    async fn manifest(&self, name: &str) -> Result<Option<Manifest>, TargetError> {
        let mut content = vec![0; usize::try_from(LARGEST_MANIFEST).unwrap_or_default()];
        let mut written = Cursor::new(content.as_mut_slice());
        match self.fetch(name, &mut written).await {
            Err(TargetError::Gone { .. }) => return Ok(None),
            fetched => fetched?,
        }
        let length = usize::try_from(written.position()).unwrap_or_default();
        Ok(Manifest::parse(&content[..length]))
    }

    /// Names of all objects that may be of `cluster`, with their sizes.
    async fn names(&self, cluster: Option<&str>) -> Result<BTreeMap<String, u64>, TargetError> {
        let what = format!("list {}", self.place);
        let below = self.key("");
        let prefix = cluster.map_or_else(|| below.clone(), |cluster| format!("{below}{cluster}-"));
        let (mut names, mut next) = (BTreeMap::new(), None::<String>);
        loop {
            let mut list = ListObjectsV2::new(&self.bucket, Some(&self.credentials));
            list.with_prefix(&prefix);
            if let Some(next) = next.take() {
                list.with_continuation_token(next);
            }
            let answer = text(&what, self.send(&what, list, &[], Vec::new()).await?).await?;
            let page =
                ListObjectsV2::parse_response(&answer).map_err(|error| odd(&what, format!("{error}: {answer}")))?;
            for object in page.contents {
                if let Some(name) = object.key.strip_prefix(&below).filter(|name| !name.contains('/')) {
                    names.insert(name.to_owned(), object.size.unwrap_or_default());
                }
            }
            match page.next_continuation_token {
                Some(token) => next = Some(token),
                None => return Ok(names),
            }
        }
    }

    /// Removes an object; one that is not there is fine.
    pub(super) async fn remove(&self, name: &str) -> Result<(), TargetError> {
        let key = self.key(name);
        let delete = DeleteObject::new(&self.bucket, Some(&self.credentials), &key);
        self.send(&format!("remove {}/{name}", self.place), delete, &[], Vec::new()).await.map(drop)
    }

    /// Reads an object.
    pub(super) async fn fetch(&self, name: &str, into: &mut (dyn Write + Send)) -> Result<(), TargetError> {
        let what = format!("read {}/{name}", self.place);
        let key = self.key(name);
        let get = GetObject::new(&self.bucket, Some(&self.credentials), &key);
        let mut answer = self.send(&what, get, &[], Vec::new()).await?;
        let announced = answer.content_length();
        let mut have = 0;
        loop {
            match answer.chunk().await {
                Ok(Some(piece)) => {
                    have += piece.len() as u64;
                    into.write_all(&piece).map_err(TargetError::io("writing what is read from a bucket"))?;
                }
                Ok(None) if announced.is_none_or(|announced| announced == have) => return Ok(()),
                Ok(None) => return Err(odd(&what, format!("it ended after {have} bytes"))),
                Err(error) => {
                    return Err(odd(
                        &what,
                        format!("it broke off after {have} bytes: {}", image::explain(&error.without_url())),
                    ));
                }
            }
        }
    }

    /// Signs a request, and sends it until the store has an answer to it.
    async fn send<'a, Action: S3Action<'a>>(
        &'a self,
        what: &str,
        mut action: Action,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Response, TargetError> {
        for (name, value) in headers {
            action.headers_mut().insert(*name, value.clone());
        }
        let method = Method::from_bytes(Action::METHOD.to_str().as_bytes()).map_err(|error| odd(what, error))?;
        let (body, mut pause) = (Bytes::from(body), PAUSE);
        let mut attempts = 0;
        loop {
            let request = self.client.request(method.clone(), action.sign(VALID)).body(body.clone());
            let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
            let why = match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) => {
                    let status = answer.status();
                    let why = refusal(status, &text(what, answer).await.unwrap_or_default());
                    if status == StatusCode::NOT_FOUND && why.contains("NoSuchKey") {
                        return Err(TargetError::Gone { what: what.to_owned() });
                    }
                    if !is_passing(status) {
                        return Err(odd(what, format!("{why} (at {})", self.place.endpoint)));
                    }
                    why
                }
                Err(error) => image::explain(&error.without_url()),
            };
            attempts += 1;
            if attempts > AGAIN {
                return Err(odd(what, format!("{why} (at {}, tried {attempts} times)", self.place.endpoint)));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

/// What came back, as far as people want to read it: what is no such store may answer with anything.
fn odd(what: &str, why: impl ToString) -> TargetError {
    let why = why.to_string();
    let plain: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_WORDS + 1).collect();
    let cut = plain.chars().count() > MOST_WORDS;
    TargetError::Store { what: what.to_owned(), why: if cut { format!("{plain}…") } else { plain } }
}

async fn text(what: &str, answer: Response) -> Result<String, TargetError> {
    answer.text().await.map_err(|error| odd(what, image::explain(&error.without_url())))
}

/// Whether the store may say something else in a moment.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// What a store says in its XML, or else the number.
fn refusal(status: StatusCode, body: &str) -> String {
    let field = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.trim().to_owned())
    };
    match (field("Code"), field("Message")) {
        (Some(code), Some(message)) => format!("the store answers {status}: {code}: {message}"),
        (Some(code), None) => format!("the store answers {status}: {code}"),
        _ => format!("the store answers {status}"),
    }
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
