//! Against a server whose every answer is written here. A real registry is in tests/registry.

use std::path::Path;
use std::sync::{Mutex as StdMutex, MutexGuard};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::cluster::RegistryReference;
use crate::image::blobs::Blobs;
use crate::image::{Blob, digest};

/// A request as it came: method and path, headers in lower case, body.
#[derive(Debug, Clone)]
struct Request {
    line: String,
    headers: String,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Status line with headers, announced length, and what is really sent.
struct Answer(String, usize, Vec<u8>);

fn answer(head: &str, body: impl AsRef<[u8]>) -> Answer {
    Answer(head.to_owned(), body.as_ref().len(), body.as_ref().to_vec())
}

struct Server {
    address: String,
    seen: Arc<StdMutex<Vec<Request>>>,
}

impl Server {
    /// Answers every request; `URL` in headers is the server's own.
    async fn start(respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(StdMutex::new(Vec::new()));
        let (log, own) = (Arc::clone(&seen), address.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                // Not HTTP: somebody tried TLS.
                let Ok(head) = String::from_utf8(head) else { continue };
                let Some((line, headers)) = head.split_once("\r\n") else { continue };
                let headers: Vec<_> = headers.lines().filter_map(|line| line.split_once(": ")).collect();
                let headers =
                    headers.iter().map(|(name, value)| format!("{}: {value}\n", name.to_lowercase())).collect();
                let mut request = Request { line: line.replace(" HTTP/1.1", ""), headers, body: String::new() };
                let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.unwrap();
                request.body = String::from_utf8(body).unwrap();
                let Answer(head, length, body) = respond(&request);
                log.lock().unwrap().push(request);
                let head = head.replace("URL", &format!("http://{own}"));
                let text = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.write_all(&body).await;
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Request>> {
        self.seen.lock().unwrap()
    }

    fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|request| request.line.clone()).collect()
    }

    /// `r.example/a/b:v1`, which this server is a mirror of.
    fn registry(&self, docker_config: &Path) -> (Registry, RegistryReference) {
        let mirrors = vec![format!("r.example=http://{}/pre", self.address).parse().unwrap()];
        let mut registry = Registry::new(RegistryOptions { mirrors, ..RegistryOptions::default() });
        registry.logins = Some(docker_config.to_owned());
        (registry, RegistryReference::parse("r.example/a/b:v1").unwrap())
    }

    fn docker_config(&self, entry: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!(r#"{{"auths": {{"{}": {entry}}}}}"#, self.address)).unwrap();
        file
    }
}

const NOBODY: &str = "/nonexistent/config.json";
const DEMAND: &str = "401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"URL/token\",service=\"r\"";
const MANIFEST: &str = "200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json; charset=utf-8";

#[tokio::test]
async fn a_token_is_fetched_once_with_the_password_that_docker_has() {
    let server = Server::start(|request| match request.header("authorization") {
        _ if request.line.starts_with("GET /token") => answer("200 OK", r#"{"token": "T"}"#),
        Some("Bearer T") => answer(MANIFEST, "{}"),
        _ => answer(DEMAND, ""),
    })
    .await;
    let config = server.docker_config(r#"{"auth": "b3BzOnB3"}"#);
    let (registry, reference) = server.registry(config.path());
    for _ in 0..2 {
        let document = registry.manifest(&reference).await.unwrap();
        assert_eq!(document.bytes, b"{}");
        assert_eq!(document.descriptor.media_type, "application/vnd.oci.image.manifest.v1+json");
    }
    let token = "GET /token?service=r&scope=repository%3Apre%2Fa%2Fb%3Apull&account=ops";
    let manifest = "GET /v2/pre/a/b/manifests/v1";
    assert_eq!(server.lines(), [manifest, token, manifest, manifest]);
    assert_eq!(server.seen()[1].header("authorization"), Some("Basic b3BzOnB3"));
}

#[tokio::test]
async fn an_identity_token_is_exchanged_in_the_body() {
    let server = Server::start(|request| match request.header("authorization") {
        _ if request.line == "POST /token" => answer("200 OK", r#"{"access_token": "T"}"#),
        Some("Bearer T") => answer(MANIFEST, "{}"),
        _ => answer(DEMAND, ""),
    })
    .await;
    let config = server.docker_config(r#"{"identitytoken": "i&d"}"#);
    let (registry, reference) = server.registry(config.path());
    registry.manifest(&reference).await.unwrap();
    let expected = "service=r&scope=repository%3Apre%2Fa%2Fb%3Apull\
        &grant_type=refresh_token&client_id=kubewright&refresh_token=i%26d";
    assert_eq!(server.seen()[1].body, expected);
}

#[tokio::test]
async fn a_refused_login_says_who_and_where_to_log_in() {
    let denied = r#"{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}"#;
    let server = Server::start(move |_| answer("401 Unauthorized\r\nWWW-Authenticate: Basic realm=x", denied)).await;
    let config = server.docker_config(r#"{"auth": "b3BzOnB3"}"#);
    let (registry, reference) = server.registry(config.path());
    let error = registry.manifest(&reference).await.unwrap_err().to_string();
    for part in ["as \"ops\"", "authentication required", &format!("docker login {}", server.address)] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(server.lines().len(), 2);

    let (registry, reference) = server.registry(Path::new(NOBODY));
    let error = registry.manifest(&reference).await.unwrap_err().to_string();
    assert!(error.contains("without a login: /nonexistent/config.json has none"), "{error}");
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn a_token_server_elsewhere_without_tls_gets_no_password() {
    let demand = "401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"ftp://evil.example/token\"";
    let server = Server::start(move |_| answer(demand, "")).await;
    let config = server.docker_config(r#"{"auth": "b3BzOnB3"}"#);
    let (registry, reference) = server.registry(config.path());
    let error = registry.manifest(&reference).await.unwrap_err().to_string();
    assert!(error.contains("ftp://evil.example/token for a token, which is not protected"), "{error}");
}

#[tokio::test]
async fn a_moved_tag_and_a_false_digest_are_refused() {
    let server = Server::start(|_| answer(MANIFEST, "{}")).await;
    let (registry, reference) = server.registry(Path::new(NOBODY));
    let (actual, other) = (digest::of_bytes(b"{}"), "a".repeat(64));
    let with = |sha256: &str| RegistryReference { sha256: Some(sha256.to_owned()), ..reference.clone() };
    registry.manifest(&with(&actual)).await.unwrap();
    let error = registry.manifest(&with(&other)).await.unwrap_err();
    assert!(matches!(&error, RegistryError::TagMoved { actual: now, .. } if *now == actual), "{error}");
    let error = registry.manifest(&reference.with_digest(&other)).await.unwrap_err();
    assert!(matches!(error, RegistryError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_busy_registry_is_asked_again_and_a_refusal_is_final() {
    let turn = StdMutex::new(0);
    let server = Server::start(move |_| {
        let mut turn = turn.lock().unwrap();
        *turn += 1;
        match *turn {
            1 => answer("503 Busy\r\nRetry-After: 0", ""),
            2 => answer("429 Too Many\r\nRetry-After: 0", ""),
            3 => answer(MANIFEST, "{}"),
            _ => {
                answer("404 Not Found", r#"{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}"#)
            }
        }
    })
    .await;
    let (registry, reference) = server.registry(Path::new(NOBODY));
    registry.manifest(&reference).await.unwrap();
    assert_eq!(server.lines().len(), 3);
    let error = registry.manifest(&reference).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("no manifest v1 in a/b: manifest unknown"), "{error}");
    assert_eq!(registry.manifest_if_any(&reference).await.unwrap(), None);
    assert_eq!(server.lines().len(), 5);
}

const CONTENT: &[u8] = b"0123456789abcdefghij";

fn content() -> Blob {
    Blob { sha256: digest::of_bytes(CONTENT), size: CONTENT.len() as u64 }
}

/// Serves ranges of `content`, but never more than `limit` bytes at a time.
fn ranges(request: &Request, content: &[u8], limit: usize) -> Answer {
    let from = request.header("range").map(|range| range["bytes=".len()..].trim_end_matches('-').parse().unwrap());
    let Some(from) = from else {
        return Answer("200 OK".into(), content.len(), content[..limit.min(content.len())].to_vec());
    };
    if from >= content.len() {
        return answer(&format!("416 No\r\nContent-Range: bytes */{}", content.len()), "");
    }
    let head = format!("206 Part\r\nContent-Range: bytes {from}-{}/{}", content.len() - 1, content.len());
    Answer(head, content.len() - from, content[from..content.len().min(from + limit)].to_vec())
}

async fn fetch(server: &Server, into: &Blobs) -> (Result<(), RegistryError>, Progress) {
    into.prepare_partial().unwrap();
    let (registry, reference) = server.registry(Path::new(NOBODY));
    let progress = Progress::default();
    (registry.download(&reference, "the layer", &content(), into, &progress).await, progress)
}

fn asked(server: &Server) -> Vec<Option<String>> {
    server.seen().iter().map(|request| request.header("range").map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_stopped() {
    let server = Server::start(|request| ranges(request, CONTENT, 8)).await;
    let root = tempfile::tempdir().unwrap();
    let into = Blobs::create(root.path()).unwrap();
    let (result, progress) = fetch(&server, &into).await;
    result.unwrap();
    assert!(into.is_intact(&content()));
    assert_eq!(asked(&server), [None, Some("bytes=8-".into()), Some("bytes=16-".into())]);
    assert_eq!((progress.moved(), progress.found()), (20, 0));

    // The second time, nobody is asked.
    let (result, progress) = fetch(&server, &into).await;
    result.unwrap();
    assert_eq!((asked(&server).len(), progress.moved(), progress.found()), (3, 0, 20));
}

#[tokio::test]
async fn what_an_earlier_run_left_is_used_and_not_trusted() {
    for (left, moved, requests) in [
        (&CONTENT[..12], 8, 1),
        (CONTENT, 0, 0),
        // Of the right size, but something else.
        (&[b'x'; 20], 20, 1),
        (&[b'x'; 7], 33, 2),
        // Too long.
        (&[b'x'; 30], 20, 1),
    ] {
        let server = Server::start(|request| ranges(request, CONTENT, 100)).await;
        let root = tempfile::tempdir().unwrap();
        let into = Blobs::create(root.path()).unwrap();
        into.prepare_partial().unwrap();
        std::fs::write(into.partial(&content().sha256), left).unwrap();
        let (result, progress) = fetch(&server, &into).await;
        result.unwrap();
        assert!(into.is_intact(&content()));
        assert_eq!((progress.moved(), asked(&server).len()), (moved, requests), "{}", left.len());
    }
}

#[tokio::test]
async fn a_damaged_copy_in_the_registry_is_told_from_a_broken_line() {
    for (served, why) in [
        (&CONTENT[..15], "it has 15 bytes there, not 20"),
        (&b"0123456789abcdefghiJ"[..], "it has digest"),
        (&b"0123456789abcdefghijk"[..], "it has more than 20 bytes there"),
    ] {
        let server = Server::start(move |request| ranges(request, served, 100)).await;
        let root = tempfile::tempdir().unwrap();
        let into = Blobs::create(root.path()).unwrap();
        let error = fetch(&server, &into).await.0.unwrap_err();
        assert!(matches!(error, RegistryError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(!into.has(&content()));
    }
}

#[tokio::test]
async fn a_login_does_not_follow_an_upload_elsewhere() {
    let elsewhere = Server::start(|_| answer("201 Created", "")).await;
    let target = format!("202 Accepted\r\nLocation: http://{}/up?x=1", elsewhere.address);
    let server =
        Server::start(move |request| match (request.header("authorization"), request.line.split(' ').next()) {
            (None, _) => answer("401 Unauthorized\r\nWWW-Authenticate: Basic realm=x", ""),
            (Some(_), Some("HEAD")) => answer("404 Not Found", ""),
            _ => answer(&target, ""),
        })
        .await;
    let config = server.docker_config(r#"{"auth": "b3BzOnB3"}"#);
    let mut registry = Registry::new(RegistryOptions::default());
    registry.logins = Some(config.path().to_owned());
    let reference = RegistryReference::parse(&format!("{}/a:v1", server.address)).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), CONTENT).unwrap();
    let progress = Progress::default();
    registry.upload(&reference, "the layer", &content(), file.path(), &progress).await.unwrap();
    let seen = elsewhere.seen();
    assert_eq!(seen[0].line, format!("PUT /up?x=1&digest=sha256%3A{}", content().sha256));
    assert_eq!((seen[0].header("authorization"), seen[0].body.as_bytes()), (None, CONTENT));
    assert_eq!(progress.moved(), 20);
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let registry = Registry::new(RegistryOptions::default());
    let reference = RegistryReference::parse(&format!("127.0.0.1:{port}/a:v1")).unwrap();
    let error = registry.manifest(&reference).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&format!("https://127.0.0.1:{port}/v2/a/manifests/v1")), "{text}");
    assert!(text.contains("refused") && text.matches("/v2/a/").count() == 1, "{text}");
}

#[tokio::test]
async fn hosts_are_handed_what_the_registry_wants_to_see_and_it_is_renewed() {
    let tokens = StdMutex::new(0);
    let server = Server::start(move |request| match request.header("authorization") {
        _ if request.line.starts_with("GET /token") => {
            let mut tokens = tokens.lock().unwrap();
            *tokens += 1;
            answer("200 OK", format!(r#"{{"token": "T{tokens}"}}"#))
        }
        // The first one has run out by the time of the third question.
        Some("Bearer T1") if request.line.contains("sha256:a") => answer("200 OK", ""),
        Some("Bearer T2") => answer("200 OK", ""),
        _ => answer(DEMAND, ""),
    })
    .await;
    let config = server.docker_config(r#"{"auth": "b3BzOnB3"}"#);
    let (registry, reference) = server.registry(config.path());
    let blob = |letter: &str| Blob { sha256: letter.repeat(64), size: 1 };
    let first = registry.blob_access(&reference, &blob("a")).await.unwrap();
    assert_eq!(first.blobs, format!("http://{}/v2/pre/a/b/blobs/", server.address));
    assert_eq!((first.authorization.as_deref(), first.authorities.as_deref()), (Some("Bearer T1"), None));
    assert_eq!(registry.blob_access(&reference, &blob("a")).await.unwrap(), first);
    let renewed = registry.blob_access(&reference, &blob("b")).await.unwrap();
    assert_eq!(renewed.authorization.as_deref(), Some("Bearer T2"));
    assert!(!format!("{renewed:?}").contains("T2"));
    assert!(server.lines().iter().all(|line| line.starts_with("HEAD ") || line.starts_with("GET /token")));
}
