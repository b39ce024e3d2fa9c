//! When the other side goes away, in the open or in silence.

use std::time::Duration;

use kubewright::image::Blob;
use kubewright::remote::{Agent, Connection, Connector, Options, RemoteError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::agents::{agent, ask, big_agent};
use crate::proxy::Proxy;
use crate::server::Server;
use crate::tools::{error, host, jump, known, says};

/// Longest that noticing may take here: keepalives are short in these tests.
const SOON: Duration = Duration::from_secs(40);

/// A connection through `proxy`, with keepalives of a fraction of a second.
async fn connect(server: &Server, proxy: &Proxy) -> Connection {
    let options = Options { keepalive: Duration::from_millis(300), keepalive_count: 2, ..known(server) };
    let line = server.known_hosts_line().replace(&server.port.to_string(), &proxy.address.port().to_string());
    std::fs::write(&options.known_hosts[0], line).unwrap();
    let mut host = host(server, "root");
    host.ssh.port = proxy.address.port();
    Connector::new(options).connect(&host).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn start(connection: &Connection) -> Agent {
    connection.agent(&agent()).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, work).await.expect("nobody noticed")
}

#[tokio::test]
async fn a_killed_sshd_is_a_lost_session_and_no_success() {
    let mut server = Server::start();
    let connection =
        Connector::new(known(&server)).connect(&host(&server, "root")).await.unwrap_or_else(|error| panic!("{error}"));
    let mut agent = start(&connection).await;
    let request = ask(&mut agent, "hang");
    let mut request = std::pin::pin!(request);
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut request).await.is_err());
    server.kill();
    let lost = soon(request).await.unwrap_err();
    assert!(matches!(lost, RemoteError::Lost(_)), "{lost}");
    says(&lost, &["m1: reading hang: the session ended", "run again"]);
    assert!(connection.is_closed());
    let lost = error(soon(connection.dial("127.0.0.1", 1)).await);
    assert!(matches!(lost, RemoteError::Lost(_)), "{lost}");
}

#[tokio::test]
async fn a_silent_network_ends_a_request() {
    let server = Server::start();
    let proxy = Proxy::to(server.port).await;
    let connection = connect(&server, &proxy).await;
    let mut agent = start(&connection).await;
    proxy.die();
    assert!(agent.ended().is_none() && connection.ended().is_none());
    let error = soon(ask(&mut agent, "whoami")).await.unwrap_err();
    assert!(matches!(error, RemoteError::Lost(_)), "{error}");
    // Whoever asks later hears the same, and why.
    let again = soon(ask(&mut agent, "hang")).await.unwrap_err();
    assert_eq!((again.to_string(), agent.ended().unwrap().to_string()), (error.to_string(), error.to_string()));
    says(&connection.ended().unwrap(), &["m1: staying connected: the other side stopped answering", "run again"]);
}

#[tokio::test]
async fn a_silent_network_ends_an_upload() {
    let server = Server::start();
    let proxy = Proxy::to(server.port).await;
    let connection = connect(&server, &proxy).await;
    let mut agent = start(&connection).await;
    let size = 256 << 20;
    let blob = Blob { sha256: "endless".into(), size };
    proxy.die_after(3 << 20);
    let error = soon(agent.put(&blob, 0, tokio::io::repeat(7).take(size), &mut |_| {})).await.unwrap_err();
    assert!(matches!(error, RemoteError::Lost(_)), "{error}");
    says(&error, &["m1: sending blob endless: the session ended"]);
}

#[tokio::test]
async fn a_silent_network_ends_the_bringing_of_the_agent() {
    let server = Server::start();
    let proxy = Proxy::to(server.port).await;
    let connection = connect(&server, &proxy).await;
    let binary = big_agent(16 << 20);
    proxy.die_after(3 << 20);
    let error = error(soon(connection.agent(&binary)).await);
    assert!(matches!(error, RemoteError::Lost(_)), "{error}");
}

#[tokio::test]
async fn a_silent_network_between_jump_and_host_is_noticed() {
    let (near, inside) = (Server::start(), Server::start());
    let proxy = Proxy::to(inside.port).await;
    let options = Options { keepalive: Duration::from_millis(300), keepalive_count: 2, ..known(&near) };
    let line = inside.known_hosts_line().replace(&inside.port.to_string(), &proxy.address.port().to_string());
    std::fs::write(&options.known_hosts[0], line + &near.known_hosts_line()).unwrap();
    std::fs::copy(near.path().join("authorized_keys"), inside.path().join("authorized_keys")).unwrap();
    let mut host = host(&near, "root");
    (host.ssh.port, host.ssh.jumps) = (proxy.address.port(), vec![jump(&near)]);
    let connection = Connector::new(options).connect(&host).await.unwrap_or_else(|error| panic!("{error}"));
    let mut agent = start(&connection).await;
    let size = 256 << 20;
    let blob = Blob { sha256: "endless".into(), size };
    proxy.die_after(3 << 20);
    let error = soon(agent.put(&blob, 0, tokio::io::repeat(7).take(size), &mut |_| {})).await.unwrap_err();
    assert!(matches!(error, RemoteError::Lost(_)), "{error}");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_stops_no_other() {
    let server = Server::start();
    let connection =
        Connector::new(known(&server)).connect(&host(&server, "root")).await.unwrap_or_else(|error| panic!("{error}"));
    let mut agent = start(&connection).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Far more than the 4 MiB at which an unread channel of russh would stop everything.
    let sender = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.write_all(&vec![1; 24 << 20]).await.unwrap();
        client
    });
    let mut unread = connection.dial("127.0.0.1", port).await.unwrap_or_else(|error| panic!("{error}"));
    let kept_open = soon(sender).await.unwrap();
    assert_eq!(soon(ask(&mut agent, "whoami")).await.unwrap(), "0 0");
    let mut all = vec![0; 24 << 20];
    soon(unread.read_exact(&mut all)).await.unwrap();
    drop(kept_open);
}

#[tokio::test]
async fn a_stream_that_nobody_reads_at_all_breaks_alone() {
    let server = Server::start();
    let connection =
        Connector::new(known(&server)).connect(&host(&server, "root")).await.unwrap_or_else(|error| panic!("{error}"));
    let mut agent = start(&connection).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sender = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let piece = vec![1; 1 << 20];
        while client.write_all(&piece).await.is_ok() {}
    });
    let mut unread = connection.dial("127.0.0.1", port).await.unwrap_or_else(|error| panic!("{error}"));
    // It fills up until it breaks, which writing to it shows.
    soon(async { while unread.write_all(b"x").await.is_ok() {} }).await;
    let mut all = Vec::new();
    let error = soon(unread.read_to_end(&mut all)).await.unwrap_err();
    assert_eq!(error.to_string(), "more than 67108864 bytes wait to be read");
    // The host was told: whoever sends there is stopped.
    soon(sender).await.unwrap();
    assert_eq!(soon(ask(&mut agent, "whoami")).await.unwrap(), "0 0");
}
