//! Reaching a server at all: refused, silent, not SSH, and many at once.

use std::time::{Duration, Instant};

use kubewright::remote::{Connector, Options, RemoteError};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::server::Server;
use crate::tools::{error, host, known, says};

/// A host whose port is that of `listener`, which is no sshd.
async fn no_server() -> (Server, TcpListener, kubewright::cluster::Host) {
    let server = Server::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut host = host(&server, "root");
    host.ssh.port = listener.local_addr().unwrap().port();
    (server, listener, host)
}

#[tokio::test]
async fn a_closed_port_is_refused_and_tried_again() {
    let (server, listener, host) = no_server().await;
    drop(listener);
    let begun = Instant::now();
    let error = error(Connector::new(Options { connect_attempts: 2, ..known(&server) }).connect(&host).await);
    assert!(matches!(error, RemoteError::Unreachable(_)));
    says(&error, &[&format!("connecting to root@127.0.0.1:{}", host.ssh.port), "refused", "does sshd run there"]);
    assert!(begun.elapsed() >= Duration::from_millis(500), "it was tried once only");
}

#[tokio::test]
async fn a_host_that_comes_up_meanwhile_is_reached() {
    let (server, listener, host) = no_server().await;
    let port = server.port;
    let late = tokio::spawn(async move {
        // The first connection is dropped without a word, as sshd does above MaxStartups; the second is served.
        let (first, _) = listener.accept().await.unwrap();
        drop(first);
        let (mut client, _) = listener.accept().await.unwrap();
        let mut sshd = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut sshd).await;
    });
    let options = Options { connect_attempts: 2, ..known(&server) };
    let line = server.known_hosts_line().replace(&port.to_string(), &host.ssh.port.to_string());
    std::fs::write(&options.known_hosts[0], line).unwrap();
    let connection = Connector::new(options).connect(&host).await.unwrap_or_else(|error| panic!("{error}"));
    drop(connection);
    late.await.unwrap();
}

#[tokio::test]
async fn a_port_that_says_nothing_is_given_up() {
    let (server, listener, host) = no_server().await;
    let silent = tokio::spawn(async move {
        let accepted = listener.accept().await;
        std::future::pending::<()>().await;
        drop(accepted);
    });
    let options = Options { connect_timeout: Duration::from_millis(300), ..known(&server) };
    let error = error(Connector::new(options).connect(&host).await);
    assert!(matches!(error, RemoteError::Timeout(_)), "{error}");
    says(&error, &["no SSH server answered within 0.3 s", "firewall"]);
    silent.abort();
}

#[tokio::test]
async fn a_server_that_stops_in_the_handshake_is_given_up_and_let_go() {
    let (server, listener, host) = no_server().await;
    let half = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.write_all(b"SSH-2.0-Half\r\n").await.unwrap();
        let mut all = Vec::new();
        // Ends only when the other side closes: its session must not linger.
        tokio::io::AsyncReadExt::read_to_end(&mut client, &mut all).await.unwrap();
        all
    });
    let options = Options { connect_timeout: Duration::from_millis(300), ..known(&server) };
    let error = error(Connector::new(options).connect(&host).await);
    assert!(matches!(error, RemoteError::Timeout(_)), "{error}");
    let sent = tokio::time::timeout(Duration::from_secs(30), half).await.unwrap().unwrap();
    assert!(sent.starts_with(b"SSH-2.0-"));
}

#[tokio::test]
async fn what_is_no_ssh_server_is_called_so() {
    let (server, listener, host) = no_server().await;
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let error = error(Connector::new(known(&server)).connect(&host).await);
    assert!(matches!(error, RemoteError::Unreachable(_)), "{error}");
    says(&error, &["connecting to root@127.0.0.1"]);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_unreachable() {
    let server = Server::start();
    let mut host = host(&server, "root");
    host.ssh.host = "does-not-exist.invalid".into();
    let error = error(Connector::new(known(&server)).connect(&host).await);
    assert!(matches!(error, RemoteError::Unreachable(_) | RemoteError::Timeout(_)), "{error}");
    says(&error, &["does-not-exist.invalid"]);
}

#[tokio::test]
async fn sixty_four_hosts_behind_one_sshd_with_default_limits() {
    let server = Server::with(&["ed25519"], "MaxStartups 10:30:100");
    let connector = Connector::new(Options { connect_attempts: 3, ..known(&server) });
    let host = host(&server, "root");
    let all = futures::future::join_all((0..64).map(|_| connector.connect(&host))).await;
    let open: Vec<_> = all.into_iter().map(|one| one.unwrap_or_else(|error| panic!("{error}"))).collect();
    assert!(open.iter().all(|connection| !connection.is_closed()));
    assert!(!server.log().contains("drop connection"), "{}", server.log());
}
