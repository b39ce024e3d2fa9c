//! What a host gives to others: requests in, pieces of files out, no faster than it may.

use std::collections::BTreeMap;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::time::{Instant, sleep_until};

use super::protocol::BLOB_PIECE;
use super::transfer::PATH;

/// The blobs that are given.
pub(super) struct Shelf {
    /// File and size by SHA-256.
    files: BTreeMap<String, (PathBuf, u64)>,
    pace: Pace,
}

impl Shelf {
    pub(super) fn new(files: BTreeMap<String, (PathBuf, u64)>, rate_limit: u64) -> Self {
        Self { files, pace: Pace { rate: rate_limit.max(1), next: Mutex::new(Instant::now()) } }
    }

    /// The file behind a path; the error is an answer.
    fn find(&self, path: &str) -> Result<(&Path, u64), (StatusCode, &'static str)> {
        let digest = path.strip_prefix(PATH).ok_or((StatusCode::NOT_FOUND, "only blobs are here"))?;
        let (file, size) = self.files.get(digest).ok_or((StatusCode::FORBIDDEN, "the blob is not of this run"))?;
        Ok((file, *size))
    }
}

/// A body made of text or of a file.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Answers one request.
pub(super) async fn answer<B>(shelf: &Arc<Shelf>, request: &Request<B>) -> Response<Body> {
    if request.method() != Method::GET {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered");
    }
    let (path, size) = match shelf.find(request.uri().path()) {
        Ok(found) => found,
        Err((status, why)) => return refusal(status, why),
    };
    let range = request.headers().get(RANGE);
    let offset = match range.map(|range| range.to_str().ok().and_then(open_range)) {
        None => 0,
        Some(Some(offset)) if offset < size => offset,
        Some(_) => return refusal(StatusCode::RANGE_NOT_SATISFIABLE, "no such range"),
    };
    let file = match open(path, size, offset).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return refusal(StatusCode::NOT_FOUND, "the blob is not here yet");
        }
        Err(_) => return refusal(StatusCode::INTERNAL_SERVER_ERROR, "the blob cannot be read"),
    };
    let mut response = Response::new(body(file, size - offset, Arc::clone(shelf)));
    response.headers_mut().insert(CONTENT_LENGTH, (size - offset).into());
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        if let Ok(value) = format!("bytes {offset}-{}/{size}", size - 1).parse() {
            response.headers_mut().insert(CONTENT_RANGE, value);
        }
    }
    response
}

fn refusal(status: StatusCode, why: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(why.as_bytes())).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response
}

/// N of `bytes=N-`, the only range that anybody here asks for.
fn open_range(text: &str) -> Option<u64> {
    text.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

async fn open(path: &Path, size: u64, offset: u64) -> io::Result<File> {
    let mut file = File::open(path).await?;
    // Whatever has the name of a blob and another size is none.
    if file.metadata().await?.len() != size {
        return Err(io::ErrorKind::NotFound.into());
    }
    file.seek(SeekFrom::Start(offset)).await?;
    file.set_max_buf_size(BLOB_PIECE);
    Ok(file)
}

/// The next `rest` bytes of `file`.
fn body(file: File, rest: u64, shelf: Arc<Shelf>) -> Body {
    let pieces = futures::stream::try_unfold((file, rest, shelf), |(mut file, rest, shelf)| async move {
        if rest == 0 {
            return Ok(None);
        }
        let want = usize::try_from(rest).unwrap_or(BLOB_PIECE).min(BLOB_PIECE);
        let mut piece = Vec::with_capacity(want);
        if (&mut file).take(want as u64).read_buf(&mut piece).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        shelf.pace.wait(piece.len()).await;
        let rest = rest - piece.len() as u64;
        Ok(Some((Frame::data(Bytes::from(piece)), (file, rest, shelf))))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// Spreads bytes over time, for all who ask together.
struct Pace {
    /// Bytes in a second.
    rate: u64,
    /// When the next piece may go.
    next: Mutex<Instant>,
}

impl Pace {
    async fn wait(&self, bytes: usize) {
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (*next).max(Instant::now());
            *next = at + Duration::from_secs_f64(bytes as f64 / self.rate as f64);
            at
        };
        sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(shelf: &Arc<Shelf>, method: Method, path: &str, range: Option<&str>) -> (u16, String, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        let response = answer(shelf, &request.body(()).unwrap()).await;
        let header = response.headers().get(CONTENT_RANGE).map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map(|body| body.to_bytes().to_vec());
        (status, header.unwrap_or_default(), body.map_or("broken".into(), |body| String::from_utf8(body).unwrap()))
    }

    #[tokio::test]
    async fn blobs_of_the_run_are_given_from_any_offset_and_nothing_else_is() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("here"), "hello world").unwrap();
        std::fs::write(at("short"), "hello").unwrap();
        std::fs::write(at("secret"), "hunter2").unwrap();
        let files = ["here", "short", "missing"].map(|name| (name.to_owned(), (at(name), 11)));
        let shelf = Arc::new(Shelf::new(files.into(), 1 << 30));
        let mut answers = Vec::new();
        for (path, range) in [
            ("/blobs/sha256/here", None),
            ("/blobs/sha256/here", Some("bytes=6-")),
            ("/blobs/sha256/here", Some("bytes=11-")),
            ("/blobs/sha256/here", Some("bytes=0-4")),
            ("/blobs/sha256/here", Some("bytes=-4")),
            ("/blobs/sha256/short", None),
            ("/blobs/sha256/missing", None),
            ("/blobs/sha256/secret", None),
            ("/blobs/sha256/../secret", None),
            ("/", None),
        ] {
            let (status, header, body) = ask(&shelf, Method::GET, path, range).await;
            answers.push(format!("{path} {}: {status} {header} {body}", range.unwrap_or("all")));
        }
        insta::assert_snapshot!(answers.join("\n"), @"
        /blobs/sha256/here all: 200  hello world
        /blobs/sha256/here bytes=6-: 206 bytes 6-10/11 world
        /blobs/sha256/here bytes=11-: 416  no such range
        /blobs/sha256/here bytes=0-4: 416  no such range
        /blobs/sha256/here bytes=-4: 416  no such range
        /blobs/sha256/short all: 404  the blob is not here yet
        /blobs/sha256/missing all: 404  the blob is not here yet
        /blobs/sha256/secret all: 403  the blob is not of this run
        /blobs/sha256/../secret all: 403  the blob is not of this run
        / all: 404  only blobs are here
        ");
        assert_eq!(ask(&shelf, Method::PUT, "/blobs/sha256/here", None).await.0, 405);
    }

    #[tokio::test]
    async fn all_who_ask_share_one_pace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let size = 8 * BLOB_PIECE;
        std::fs::write(&path, vec![7; size]).unwrap();
        let shelf = Arc::new(Shelf::new([("x".to_owned(), (path, size as u64))].into(), 10 * size as u64));
        let began = Instant::now();
        let get = async || ask(&shelf, Method::GET, "/blobs/sha256/x", None).await;
        let answers = futures::future::join_all([get(), get(), get()]).await;
        assert!(answers.iter().all(|(status, _, body)| *status == 200 && body.len() == size));
        let took = began.elapsed().as_secs_f64();
        assert!((0.25..3.0).contains(&took), "{took}");
    }
}
