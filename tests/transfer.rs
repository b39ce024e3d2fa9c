//! Agents that give blobs to each other, as processes of their own: over loopback, with certificates of one run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's way to fail")]

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use kubewright::host::frame;
use kubewright::host::protocol::{Event, Failure, FromAgent, Reply, ToAgent};
use kubewright::host::transfer::{Fetch, PeerIdentity, Serve, Source};
use kubewright::image::Blob;
use kubewright::pki::RunAuthority;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const STORE: &str = "var/lib/kubewright/blobs/sha256";
/// No limit that a test would notice.
const FAST: u64 = 1 << 30;

struct Host {
    root: tempfile::TempDir,
    _process: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// Bytes that the last request told of on its way.
    told: u64,
}

impl Host {
    async fn start() -> Self {
        Self::at(tempfile::tempdir().unwrap()).await
    }

    async fn at(root: tempfile::TempDir) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_kubewright"))
            .args(["agent", "--root"])
            .arg(root.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut host = Self { root, _process: process, stdin, stdout, told: 0 };
        assert!(matches!(host.receive().await, FromAgent::Hello { .. }));
        host
    }

    /// Ends the agent, as the end of a session does, and keeps the host.
    async fn stop(self) -> tempfile::TempDir {
        let Self { root, mut _process, stdin, .. } = self;
        drop(stdin);
        _process.wait().await.unwrap();
        root
    }

    async fn receive(&mut self) -> FromAgent {
        frame::read(&mut self.stdout).await.unwrap().message().unwrap()
    }

    async fn ask(&mut self, request: &ToAgent) -> Result<Reply, Failure> {
        frame::write_message(&mut self.stdin, request).await.unwrap();
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Reply, Failure> {
        self.told = 0;
        loop {
            match self.receive().await {
                FromAgent::Reply(reply) => return Ok(*reply),
                FromAgent::Failed(failure) => return Err(failure),
                FromAgent::Event(Event::Fetched { bytes }) => self.told = bytes,
                other => panic!("{other:?}"),
            }
        }
    }

    fn file(&self, blob: &Blob) -> PathBuf {
        self.root.path().join(STORE).join(&blob.sha256)
    }

    fn put(&self, blob: &Blob, content: &[u8]) {
        fs::create_dir_all(self.root.path().join(STORE)).unwrap();
        fs::write(self.file(blob), content).unwrap();
    }

    async fn serve(&mut self, run: &RunAuthority, blobs: &[&Blob], rate_limit: u64) -> Result<SocketAddr, Failure> {
        self.serve_at(run, SocketAddr::new(HERE, 0), blobs, rate_limit).await
    }

    async fn serve_at(
        &mut self,
        run: &RunAuthority,
        address: SocketAddr,
        blobs: &[&Blob],
        rate_limit: u64,
    ) -> Result<SocketAddr, Failure> {
        let blobs = blobs.iter().map(|blob| (*blob).clone()).collect();
        let serve = Serve { address, identity: identity(run), blobs, rate_limit };
        match self.ask(&ToAgent::Serve(serve)).await? {
            Reply::Serving { address } => Ok(address),
            other => panic!("{other:?}"),
        }
    }

    async fn have(&mut self, blob: &Blob) -> u64 {
        match self.ask(&ToAgent::Blobs { blobs: vec![blob.clone()] }).await.unwrap() {
            Reply::Blobs { have } => have[&blob.sha256],
            other => panic!("{other:?}"),
        }
    }

    /// Fetches the rest of a blob.
    async fn fetch(&mut self, blob: &Blob, from: &Source) -> Result<(), Failure> {
        let offset = self.have(blob).await;
        match self.ask(&ToAgent::Fetch(Fetch { blob: blob.clone(), offset, from: from.clone() })).await? {
            Reply::Done => Ok(()),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn has(&self, blob: &Blob, content: &[u8]) {
        assert!(fs::read(self.file(blob)).unwrap() == content, "another content");
        assert!(!self.file(blob).with_extension("part").exists());
    }

    #[track_caller]
    fn has_nothing(&self) {
        let left: Vec<_> = fs::read_dir(self.root.path().join(STORE)).into_iter().flatten().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn run() -> RunAuthority {
    RunAuthority::new(jiff::Timestamp::now()).unwrap()
}

fn identity(run: &RunAuthority) -> PeerIdentity {
    let own = run.issue("n1", HERE).unwrap();
    PeerIdentity { authority: run.certificate().to_owned(), certificate: own.certificate, key: own.key }
}

fn peer(run: &RunAuthority, address: SocketAddr) -> Source {
    Source::Peer { address, identity: identity(run) }
}

fn web(address: SocketAddr, path: &str) -> Source {
    let headers = BTreeMap::from([("authorization".to_owned(), "Bearer token".to_owned())]);
    Source::Web { url: format!("http://{address}{path}"), headers, authorities: None }
}

fn blob(size: usize, seed: usize) -> (Blob, Vec<u8>) {
    let content: Vec<u8> =
        (0..size).map(|n| (n.wrapping_mul(2_654_435_761).wrapping_add(seed << 20) >> 13) as u8).collect();
    let sha256 = digest(&SHA256, &content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    (Blob { sha256, size: size as u64 }, content)
}

#[tokio::test]
async fn a_blob_goes_from_host_to_host_and_on() {
    let (run, (blob, content)) = (run(), blob(5 << 20, 1));
    let (mut first, mut second, mut third) = (Host::start().await, Host::start().await, Host::start().await);
    first.put(&blob, &content);
    let address = first.serve(&run, &[&blob], FAST).await.unwrap();
    // Who does not have it yet gives it as soon as he does.
    let onward = second.serve(&run, &[&blob], FAST).await.unwrap();
    let early = third.fetch(&blob, &peer(&run, onward)).await.unwrap_err();
    assert!(early.why.contains("404") && early.why.contains("not here yet"), "{early}");
    second.fetch(&blob, &peer(&run, address)).await.unwrap();
    second.has(&blob, &content);
    assert!(second.told >= 4 << 20, "{}", second.told);
    third.fetch(&blob, &peer(&run, onward)).await.unwrap();
    third.has(&blob, &content);
}

#[tokio::test]
async fn a_transfer_that_was_cut_goes_on_where_it_stopped() {
    let (run, (blob, content)) = (run(), blob(6 << 20, 2));
    let (mut giver, mut taker) = (Host::start().await, Host::start().await);
    giver.put(&blob, &content);
    let address = giver.serve(&run, &[&blob], 4 << 20).await.unwrap();
    let from = peer(&run, address);
    frame::write_message(&mut taker.stdin, &ToAgent::Fetch(Fetch { blob: blob.clone(), offset: 0, from }))
        .await
        .unwrap();
    while !matches!(taker.receive().await, FromAgent::Event(Event::Fetched { bytes }) if bytes >= 2 << 20) {}
    // The session's end is the end of giving, in the middle of a blob.
    let root = giver.stop().await;
    let cut = taker.answer().await.unwrap_err();
    assert!(cut.what.contains(&blob.sha256), "{cut}");
    let there = taker.have(&blob).await;
    assert!((2 << 20..blob.size).contains(&there), "{there}");

    let mut giver = Host::at(root).await;
    let address = giver.serve(&run, &[&blob], FAST).await.unwrap();
    taker.fetch(&blob, &peer(&run, address)).await.unwrap();
    taker.has(&blob, &content);
    assert!(taker.told <= blob.size - there, "{} bytes came again", taker.told);
}

#[tokio::test]
async fn a_stranger_gets_nothing_and_is_not_believed() {
    let (ours, theirs, (blob, content)) = (run(), run(), blob(1000, 3));
    let (mut giver, mut taker) = (Host::start().await, Host::start().await);
    giver.put(&blob, &content);
    let address = giver.serve(&ours, &[&blob], FAST).await.unwrap();
    // Knows our CA, but has a certificate of another one.
    let forged = PeerIdentity { authority: ours.certificate().to_owned(), ..identity(&theirs) };
    let refused = taker.fetch(&blob, &Source::Peer { address, identity: forged }).await.unwrap_err();
    assert!(refused.what.contains(&address.to_string()), "{refused}");
    // Has no reason to believe that this is a host of its run.
    let doubted = taker.fetch(&blob, &peer(&theirs, address)).await.unwrap_err();
    assert!(doubted.why.contains("certificate"), "{doubted}");
    // The name of the host counts, not the CA alone.
    let elsewhere = ours.issue("n2", "10.1.0.99".parse().unwrap()).unwrap();
    let (certificate, key) = (elsewhere.certificate, elsewhere.key);
    let serve = Serve {
        address: SocketAddr::new(HERE, 0),
        identity: PeerIdentity { authority: ours.certificate().to_owned(), certificate, key },
        blobs: vec![blob.clone()],
        rate_limit: FAST,
    };
    let Reply::Serving { address } = giver.ask(&ToAgent::Serve(serve)).await.unwrap() else { panic!() };
    let other = taker.fetch(&blob, &peer(&ours, address)).await.unwrap_err();
    assert!(other.why.contains("certificate"), "{other}");
    taker.has_nothing();
}

#[tokio::test]
async fn only_blobs_of_the_run_are_given_and_only_as_long_as_it_lasts() {
    let (run, (ours, content), (secret, hidden)) = (run(), blob(1000, 4), blob(1000, 5));
    let (mut giver, mut taker) = (Host::start().await, Host::start().await);
    giver.put(&ours, &content);
    giver.put(&secret, &hidden);
    let address = giver.serve(&run, &[&ours], FAST).await.unwrap();
    let refused = taker.fetch(&secret, &peer(&run, address)).await.unwrap_err();
    assert!(refused.why.contains("403") && refused.why.contains("not of this run"), "{refused}");
    taker.has_nothing();
    taker.fetch(&ours, &peer(&run, address)).await.unwrap();
    assert!(matches!(giver.ask(&ToAgent::StopServing).await, Ok(Reply::Done)));
    let gone = taker.fetch(&secret, &peer(&run, address)).await.unwrap_err();
    assert!(gone.why.contains("refused"), "{gone}");
}

#[tokio::test]
async fn a_damaged_blob_of_another_host_is_found_out_and_leaves_nothing() {
    let (run, (blob, content)) = (run(), blob(300_000, 6));
    let (mut giver, mut taker) = (Host::start().await, Host::start().await);
    let mut damaged = content.clone();
    damaged[150_000] ^= 1;
    giver.put(&blob, &damaged);
    let address = giver.serve(&run, &[&blob], FAST).await.unwrap();
    let failure = taker.fetch(&blob, &peer(&run, address)).await.unwrap_err();
    assert!(
        failure.what.contains(&address.to_string()) && failure.why.contains("what arrived is sha256:"),
        "{failure}"
    );
    taker.has_nothing();
    // The session goes on, and the installer sends it.
    let put = ToAgent::Put { blob: blob.clone(), offset: 0 };
    frame::write_message(&mut taker.stdin, &put).await.unwrap();
    for piece in content.chunks(100_000) {
        frame::write_data(&mut taker.stdin, piece).await.unwrap();
    }
    taker.stdin.flush().await.unwrap();
    assert!(matches!(taker.answer().await, Ok(Reply::Done)));
    taker.has(&blob, &content);
}

#[tokio::test]
async fn a_taken_port_is_told_with_what_to_do() {
    let (run, (blob, _)) = (run(), blob(10, 7));
    let taken = TcpListener::bind((HERE, 0)).unwrap();
    let mut host = Host::start().await;
    let failure = host.serve_at(&run, taken.local_addr().unwrap(), &[&blob], FAST).await.unwrap_err();
    assert!(failure.why.contains("in use") && failure.hint.unwrap().contains("distribution.port"));
    // It may serve elsewhere, and a second request takes the place of the first.
    let first = host.serve(&run, &[&blob], FAST).await.unwrap();
    drop(taken);
    host.serve(&run, &[&blob], FAST).await.unwrap();
    assert!(tokio::net::TcpStream::connect(first).await.is_err());
}

/// A registry that answers each request in turn: status, headers and body. It returns what it was asked.
async fn registry(answers: Vec<(&'static str, Vec<u8>)>) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = tokio::net::TcpListener::bind((HERE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (head, body) in answers {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                stream.read_line(&mut request).await.unwrap();
            }
            asked.push(request.to_lowercase());
            stream.write_all(format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
            stream.shutdown().await.unwrap();
        }
        asked
    });
    (address, served)
}

#[tokio::test]
async fn a_registry_is_asked_with_credentials_and_for_the_rest_alone() {
    let ((blob, content), mut taker) = (blob(1000, 8), Host::start().await);
    let (address, served) = registry(vec![
        ("200 OK\r\ncontent-length: 1000", content[..400].to_vec()),
        ("206 Partial Content\r\ncontent-range: bytes 400-699/1000\r\ncontent-length: 300", content[400..700].to_vec()),
        // Not every server knows of ranges.
        ("200 OK\r\ncontent-length: 1000", content.clone()),
    ])
    .await;
    let from = web(address, "/v2/k8s/blobs/sha256:x?secret");
    let cut = taker.fetch(&blob, &from).await.unwrap_err();
    assert!(!cut.to_string().contains("secret"), "{cut}");
    assert_eq!(taker.have(&blob).await, 400);
    let short = taker.fetch(&blob, &from).await.unwrap_err();
    assert!(short.why.contains("it ended after 700 of 1000 bytes"), "{short}");
    taker.fetch(&blob, &from).await.unwrap();
    taker.has(&blob, &content);
    let asked = served.await.unwrap();
    assert!(asked.iter().all(|request| request.contains("authorization: bearer token")), "{asked:?}");
    let ranges: Vec<_> = asked.iter().map(|request| request.lines().find(|line| line.starts_with("range"))).collect();
    assert_eq!(ranges, [None, Some("range: bytes=400-"), Some("range: bytes=700-")]);
}

#[tokio::test]
async fn what_is_no_blob_is_told_and_leaves_nothing() {
    let ((blob, content), mut taker) = (blob(1000, 9), Host::start().await);
    let too_long = [content.clone(), b"more".to_vec()].concat();
    let other_range = "206 Partial Content\r\ncontent-range: bytes 5-1004/1005\r\ncontent-length: 1000";
    let (address, _served) = registry(vec![
        ("401 Unauthorized\r\ncontent-length: 12", b"no token, no".to_vec()),
        ("200 OK\r\ncontent-length: 1004", too_long),
        (other_range, content.clone()),
    ])
    .await;
    let from = web(address, "/v2/k8s/blobs/sha256:x");
    let refused = taker.fetch(&blob, &from).await.unwrap_err();
    assert!(refused.why.contains("401") && refused.why.contains("no token, no"), "{refused}");
    taker.has_nothing();
    let failure = taker.fetch(&blob, &from).await.unwrap_err();
    assert!(failure.why.contains("more than its 1000 bytes"), "{failure}");
    let failure = taker.fetch(&blob, &from).await.unwrap_err();
    assert!(failure.why.contains("206"), "{failure}");
    let nobody = TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap();
    let failure = tokio::time::timeout(Duration::from_secs(20), taker.fetch(&blob, &web(nobody, "/"))).await.unwrap();
    assert!(failure.unwrap_err().why.contains("refused"));
}
