//! Requests to a running agent.

use std::fs;
use std::time::Duration;

use kubewright::host::protocol::{Event, Reply, ToAgent};
use kubewright::image::Blob;
use kubewright::remote::{Agent, Connection, Connector, Options, RemoteError};

use crate::agents::{agent, ask};
use crate::server::Server;
use crate::tools::{error, host, known, says};

async fn start(server: &Server) -> (Connection, Agent) {
    start_with(server, known(server)).await
}

async fn start_with(server: &Server, options: Options) -> (Connection, Agent) {
    let connection =
        Connector::new(options).connect(&host(server, "root")).await.unwrap_or_else(|error| panic!("{error}"));
    let agent = connection.agent(&agent()).await.unwrap_or_else(|error| panic!("{error}"));
    (connection, agent)
}

fn blob(name: &str, size: usize) -> Blob {
    Blob { sha256: name.to_owned(), size: size as u64 }
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

#[tokio::test]
async fn events_come_before_the_answer() {
    let server = Server::start();
    let (_connection, mut agent) = start(&server).await;
    let mut seen = Vec::new();
    let request = ToAgent::Read { paths: vec!["events".into()] };
    let reply = agent.request(request, &mut |event| seen.push(event)).await.unwrap();
    assert!(matches!(reply, Reply::Files { .. }));
    let seen: Vec<_> = seen
        .iter()
        .map(|event| match event {
            Event::Changing { resource, .. } => resource.as_str(),
            Event::Changed { .. } | Event::Fetched { .. } => "?",
        })
        .collect();
    assert_eq!(seen, ["file 1", "file 2", "file 3"]);
    assert_eq!(agent.host(), "m1");
}

#[tokio::test]
async fn a_failure_is_an_error_and_the_session_goes_on() {
    let server = Server::start();
    let (_connection, mut agent) = start(&server).await;
    let error = ask(&mut agent, "fail").await.unwrap_err();
    assert!(matches!(error, RemoteError::Agent { .. }));
    assert_eq!(error.to_string(), "m1: file /x: no such directory\n  hint: make it");
    assert_eq!(ask(&mut agent, "whoami").await.unwrap(), "0 0");
}

#[tokio::test]
async fn blobs_arrive_whole_from_any_offset() {
    let server = Server::start();
    let (_connection, mut agent) = start(&server).await;
    for (name, size, offset) in [("big", 5_000_001, 0), ("rest", 700_000, 500_000), ("empty", 0, 0), ("there", 9, 9)] {
        let content = bytes(size);
        let mut told = 0;
        let reader = &content[offset..];
        agent.put(&blob(name, size), offset as u64, reader, &mut |bytes| told += bytes).await.unwrap();
        assert_eq!(told as usize, size - offset);
        let arrived = fs::read(server.var_lib().join(format!("agent.{name}"))).unwrap();
        assert!(arrived == content[offset..], "{name} arrived differently");
    }
    assert_eq!(ask(&mut agent, "whoami").await.unwrap(), "0 0");
}

#[tokio::test]
async fn a_source_that_is_too_short_is_an_error_here() {
    let server = Server::start();
    let (_connection, mut agent) = start(&server).await;
    let error = agent.put(&blob("short", 1_000_000), 0, &bytes(600_000)[..], &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, RemoteError::Local(_)), "{error}");
    says(&error, &["m1: sending blob short: the source ended 400000 bytes early"]);
    // The agent still waits for the rest, so nothing else can be said to it.
    let error = ask(&mut agent, "whoami").await.unwrap_err();
    assert!(matches!(error, RemoteError::Lost(_)), "{error}");
    says(&error, &["the session is spent: sending blob short was not finished"]);
}

#[tokio::test]
async fn an_agent_that_fails_in_the_middle_of_a_blob_is_heard() {
    let server = Server::start();
    let (_connection, mut agent) = start(&server).await;
    // More than any window: the agent stops reading after the first piece.
    let error = agent.put(&blob("full", 16 << 20), 0, &bytes(16 << 20)[..], &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, RemoteError::Agent { .. }), "{error}");
    says(&error, &["no space left", "free some"]);
    says(&ask(&mut agent, "whoami").await.unwrap_err(), &["the session is spent"]);
}

#[tokio::test]
async fn silence_has_a_limit() {
    let server = Server::start();
    let (_connection, mut agent) = start(&server).await;
    let request = ToAgent::Read { paths: vec!["hang".into()] };
    let error = error(agent.request_within(request, Duration::from_millis(300), &mut |_| {}).await);
    assert!(matches!(error, RemoteError::Timeout(_)), "{error}");
    says(&error, &["m1: reading hang: the agent said nothing for 0"]);
}

#[tokio::test]
async fn an_agent_that_does_not_read_is_given_up() {
    let server = Server::start();
    let options = Options { answer_timeout: Duration::from_millis(500), ..known(&server) };
    let (_connection, mut agent) = start_with(&server, options).await;
    let error = agent.put(&blob("stuck", 16 << 20), 0, &bytes(16 << 20)[..], &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, RemoteError::Timeout(_)), "{error}");
    says(&error, &["sending blob stuck"]);
}

#[tokio::test]
async fn an_agent_that_dies_leaves_its_last_words() {
    let server = Server::start();
    let (_connection, mut agent) = start(&server).await;
    let error = ask(&mut agent, "die").await.unwrap_err();
    assert!(matches!(error, RemoteError::Lost(_)), "{error}");
    says(
        &error,
        &[
            "m1: reading die: the agent is gone: it ended with status 7",
            "line 30",
            "caf\u{fffd} is closed",
            "run again",
        ],
    );
    assert!(!error.to_string().contains("line 9\n"), "the tail is long: {error}");
}

#[tokio::test]
async fn an_answer_that_is_no_frame_is_an_error() {
    let server = Server::start();
    let (_connection, mut agent) = start(&server).await;
    let error = ask(&mut agent, "rubbish").await.unwrap_err();
    assert!(matches!(error, RemoteError::Lost(_)), "{error}");
    says(&error, &["does not speak this protocol"]);
}

#[tokio::test]
async fn much_standard_error_stops_nothing() {
    let server = Server::start();
    let (_connection, mut agent) = start(&server).await;
    assert_eq!(ask(&mut agent, "flood").await.unwrap(), "dry");
    assert_eq!(ask(&mut agent, "whoami").await.unwrap(), "0 0");
}

#[tokio::test]
async fn the_agent_hears_that_we_are_still_here() {
    let server = Server::start();
    let options = Options { ping: Duration::from_millis(20), ..known(&server) };
    let (_connection, mut agent) = start_with(&server, options).await;
    let heard = async {
        while ask(&mut agent, "pings").await.unwrap().parse::<u32>().unwrap() < 3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), heard).await.expect("nobody pings");
    // Pings between the pieces of a blob are no part of it, and a source may take its time.
    let (reader, mut writer) = tokio::io::duplex(1000);
    let source = tokio::spawn(async move {
        for piece in bytes(3000).chunks(1000) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            tokio::io::AsyncWriteExt::write_all(&mut writer, piece).await.unwrap();
        }
    });
    agent.put(&blob("slow", 3000), 0, reader, &mut |_| {}).await.unwrap();
    source.await.unwrap();
    assert!(fs::read(server.var_lib().join("agent.slow")).unwrap() == bytes(3000));
}

#[tokio::test]
async fn a_request_that_was_dropped_spends_the_session() {
    let server = Server::start();
    let (connection, mut agent) = start(&server).await;
    tokio::select! {
        answer = ask(&mut agent, "hang") => panic!("{answer:?}"),
        () = tokio::time::sleep(Duration::from_millis(200)) => {}
    }
    says(&ask(&mut agent, "whoami").await.unwrap_err(), &["the session is spent: reading hang was not finished"]);
    drop(agent);
    let mut another = connection.agent(&crate::agents::agent()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&mut another, "whoami").await.unwrap(), "0 0");
}

#[tokio::test]
async fn the_agent_ends_with_its_session() {
    let server = Server::start();
    let (connection, agent) = start(&server).await;
    let ended = server.var_lib().join("agent.ended");
    agent.close().await;
    assert!(ended.exists(), "close returned before the agent had ended");

    fs::remove_file(&ended).unwrap();
    let agent = connection.agent(&crate::agents::agent()).await.unwrap_or_else(|error| panic!("{error}"));
    drop(agent);
    drop(connection);
    let waited = async {
        while !ended.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.expect("the agent outlives its session");
}
