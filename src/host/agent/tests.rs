//! Whole sessions over a pipe in memory, on a directory.

use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::super::blob::sha256;
use super::super::protocol::{Action, Change, Event, Failure, Holder, Reply, Upgrade};
use super::super::testing::Scripted;
use super::*;
use crate::desired::state::{File, Owner, Part, PartState, Resource};
use crate::image::Blob;

struct Client {
    stream: DuplexStream,
    agent: JoinHandle<Ended>,
}

impl Client {
    async fn connect(host: &Scripted) -> Self {
        let (stream, theirs) = duplex(64 << 10);
        let (stdin, stdout) = tokio::io::split(theirs);
        let machine = host.machine.clone();
        let agent = tokio::spawn(async move { attend(machine, "d1ce".into(), stdin, stdout).await });
        let mut client = Self { stream, agent };
        let FromAgent::Hello { sha256 } = client.receive().await else { panic!("no hello") };
        assert_eq!(sha256, "d1ce");
        client
    }

    async fn send(&mut self, request: &ToAgent) {
        frame::write_message(&mut self.stream, request).await.unwrap();
    }

    async fn receive(&mut self) -> FromAgent {
        frame::read(&mut self.stream).await.unwrap().message().unwrap()
    }

    async fn ask(&mut self, request: &ToAgent) -> Result<Reply, Failure> {
        self.send(request).await;
        loop {
            match self.receive().await {
                FromAgent::Reply(reply) => return Ok(*reply),
                FromAgent::Failed(failure) => return Err(failure),
                FromAgent::Event(_) => {}
                FromAgent::Hello { .. } => panic!("a second hello"),
            }
        }
    }

    async fn close(self) -> Ended {
        drop(self.stream);
        self.agent.await.unwrap()
    }
}

fn parts(content: &str) -> Vec<PartState> {
    let file = File {
        path: "/etc/x".into(),
        mode: 0o644,
        owner: Owner::root(),
        content: content.into(),
        secret: false,
        restarts: vec![],
        reloads: Vec::new(),
    };
    vec![PartState { part: Part::Kernel, resources: vec![Resource::File(file)] }]
}

fn holder(user: &str) -> Holder {
    Holder { user: user.into(), host: "b".into(), pid: 1, verb: "install".into(), since: "now".into() }
}

#[tokio::test]
async fn diff_converge_and_diff_again() {
    let host = Scripted::new();
    let mut client = Client::connect(&host).await;
    client.send(&ToAgent::Ping).await;
    let Ok(Reply::Changes { parts: told }) = client.ask(&ToAgent::Diff { parts: parts("one\n") }).await else {
        panic!()
    };
    assert!(!host.at("/etc/x").exists());
    client.send(&ToAgent::Converge { parts: parts("one\n") }).await;
    let FromAgent::Event(Event::Changing { resource, .. }) = client.receive().await else { panic!() };
    assert_eq!(resource, "file /etc/x");
    let FromAgent::Event(Event::Changed { change: Change { action: Action::Create, .. }, .. }) = client.receive().await
    else {
        panic!()
    };
    let FromAgent::Reply(reply) = client.receive().await else { panic!() };
    let Reply::Changes { parts: made } = *reply else { panic!() };
    assert_eq!(made, told);
    let Ok(Reply::Changes { parts: left }) = client.ask(&ToAgent::Diff { parts: parts("one\n") }).await else {
        panic!()
    };
    assert!(left.is_empty());
    let Ok(Reply::Files { files }) = client.ask(&ToAgent::Read { paths: vec!["/etc/x".into()] }).await else {
        panic!()
    };
    assert_eq!(files["/etc/x"].as_deref(), Some("one\n"));
    assert!(matches!(client.close().await.why, End::Closed));
}

#[tokio::test]
async fn what_is_kept_comes_back_over_the_wire() {
    let host = Scripted::new();
    let mut client = Client::connect(&host).await;
    let upgrade = Upgrade { to: "b".into() };
    client.ask(&ToAgent::Converge { parts: parts("old\n") }).await.unwrap();
    let keep = ToAgent::Keep { upgrade: upgrade.clone(), parts: parts("new\n") };
    assert!(matches!(client.ask(&keep).await, Ok(Reply::Done)));
    client.ask(&ToAgent::Converge { parts: parts("new\n") }).await.unwrap();
    drop(client.close().await);
    let mut client = Client::connect(&host).await;
    let Ok(Reply::Kept { upgrade: of, parts: back }) = client.ask(&ToAgent::Kept).await else { panic!() };
    assert_eq!(of, Some(upgrade));
    let Ok(Reply::Changes { parts: made }) = client.ask(&ToAgent::Converge { parts: back }).await else { panic!() };
    assert_eq!((made.len(), host.get("/etc/x").as_str()), (1, "old\n"));
    assert!(matches!(client.ask(&ToAgent::Forget).await, Ok(Reply::Done)));
    assert!(matches!(client.ask(&ToAgent::Kept).await, Ok(Reply::Kept { upgrade: None, .. })));
}

#[tokio::test]
async fn a_blob_is_sent_and_a_failed_transfer_does_not_spoil_the_session() {
    let host = Scripted::new();
    let mut client = Client::connect(&host).await;
    let content = vec![7_u8; 600_000];
    let blob = Blob { sha256: sha256(&content), size: content.len() as u64 };
    // An offset that does not fit fails at once, while the pieces are still on their way.
    client.send(&ToAgent::Put { blob: blob.clone(), offset: 5 }).await;
    for piece in content.chunks(100_000) {
        frame::write_data(&mut client.stream, piece).await.unwrap();
    }
    client.stream.flush().await.unwrap();
    assert!(matches!(client.receive().await, FromAgent::Failed(_)));
    let ask = ToAgent::Blobs { blobs: vec![blob.clone()] };
    let Ok(Reply::Blobs { have }) = client.ask(&ask).await else { panic!() };
    let offset = have[&blob.sha256];
    client.send(&ToAgent::Put { blob: blob.clone(), offset }).await;
    for piece in content.chunks(100_000) {
        client.send(&ToAgent::Ping).await;
        frame::write_data(&mut client.stream, piece).await.unwrap();
    }
    client.stream.flush().await.unwrap();
    let FromAgent::Reply(reply) = client.receive().await else { panic!() };
    assert!(matches!(*reply, Reply::Done));
    let Ok(Reply::Blobs { have }) = client.ask(&ask).await else { panic!() };
    assert_eq!(have[&blob.sha256], 600_000);
}

#[tokio::test]
async fn a_connection_lost_in_a_blob_goes_on_where_it_was() {
    let host = Scripted::new();
    let content = vec![3_u8; 300_000];
    let blob = Blob { sha256: sha256(&content), size: content.len() as u64 };
    let mut client = Client::connect(&host).await;
    client.send(&ToAgent::Put { blob: blob.clone(), offset: 0 }).await;
    frame::write_data(&mut client.stream, &content[..100_000]).await.unwrap();
    client.stream.write_all(&[0, 1, 0]).await.unwrap();
    client.stream.flush().await.unwrap();
    let part = host.at(&format!("/var/lib/kubewright/blobs/sha256/{}.part", blob.sha256));
    while std::fs::metadata(&part).map_or(0, |meta| meta.len()) < 100_000 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(matches!(client.close().await.why, End::Closed));
    let mut client = Client::connect(&host).await;
    let Ok(Reply::Blobs { have }) = client.ask(&ToAgent::Blobs { blobs: vec![blob.clone()] }).await else { panic!() };
    assert_eq!(have[&blob.sha256], 100_000);
    client.send(&ToAgent::Put { blob, offset: 100_000 }).await;
    frame::write_data(&mut client.stream, &content[100_000..]).await.unwrap();
    client.stream.flush().await.unwrap();
    assert!(matches!(client.receive().await, FromAgent::Reply(reply) if matches!(*reply, Reply::Done)));
}

#[tokio::test]
async fn the_lock_lives_as_long_as_the_session() {
    let host = Scripted::new();
    let (mut ann, mut bob) = (Client::connect(&host).await, Client::connect(&host).await);
    let lock = |user: &str| ToAgent::Lock { holder: holder(user) };
    assert!(matches!(ann.ask(&lock("ann")).await, Ok(Reply::Locked)));
    assert!(matches!(ann.ask(&lock("ann")).await, Ok(Reply::Locked)));
    assert!(matches!(bob.ask(&lock("bob")).await, Ok(Reply::Held { by }) if by.user == "ann"));
    let ended = ann.close().await;
    assert!(ended.lock.is_some());
    assert!(matches!(bob.ask(&lock("bob")).await, Ok(Reply::Held { .. })), "until the process is gone");
    drop(ended);
    assert!(matches!(bob.ask(&lock("bob")).await, Ok(Reply::Locked)));
}

#[tokio::test]
async fn rubbish_ends_the_session() {
    let host = Scripted::new();
    for rubbish in [&b"Welcome to Debian GNU/Linux\n"[..], b"\0\0\0\x02J{}", b"\0\0\0\x01X?"] {
        let mut client = Client::connect(&host).await;
        client.stream.write_all(rubbish).await.unwrap();
        assert!(matches!(client.agent.await.unwrap().why, End::Broken(_)), "{rubbish:?}");
    }
}

#[tokio::test]
async fn a_request_in_the_middle_of_a_blob_ends_the_session() {
    let host = Scripted::new();
    let mut client = Client::connect(&host).await;
    let blob = Blob { sha256: "0".repeat(64), size: 10 };
    client.send(&ToAgent::Put { blob, offset: 0 }).await;
    client.send(&ToAgent::Facts).await;
    assert!(matches!(client.agent.await.unwrap().why, End::Defect));
}

#[tokio::test]
async fn a_silent_session_ends() {
    let (_stream, theirs) = duplex(1 << 10);
    let (requests, _incoming) = mpsc::channel(1);
    assert!(matches!(listen(theirs, requests, mpsc::channel(1).1, Duration::from_millis(10)).await, End::Idle));
}
