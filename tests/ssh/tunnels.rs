//! Ports through a host.

use std::sync::Arc;

use kubewright::remote::{Connection, Connector, RemoteError, Tunnel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::server::Server;
use crate::tools::{error, host, known, says};

async fn connect(server: &Server) -> Arc<Connection> {
    let connected = Connector::new(known(server)).connect(&host(server, "root")).await;
    Arc::new(connected.unwrap_or_else(|error| panic!("{error}")))
}

/// Answers with what it heard, once the other side has finished.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut heard = Vec::new();
                client.read_to_end(&mut heard).await.unwrap();
                client.write_all(&heard).await.unwrap();
            });
        }
    });
    port
}

async fn exchange(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, size: usize) {
    let sent: Vec<u8> = (0..size).map(|n| (n.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
    stream.write_all(b"").await.unwrap();
    stream.write_all(&sent).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert!(heard == sent, "{} bytes came back", heard.len());
}

#[tokio::test]
async fn a_dialled_stream_carries_bytes_and_half_closes() {
    let server = Server::start();
    let (connection, port) = (connect(&server).await, echo().await);
    for size in [0, 1, 6_000_000] {
        exchange(connection.dial("127.0.0.1", port).await.unwrap_or_else(|error| panic!("{error}")), size).await;
    }
}

#[tokio::test]
async fn a_port_where_nothing_listens() {
    let server = Server::start();
    let connection = connect(&server).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = error(connection.dial("127.0.0.1", closed).await);
    assert!(matches!(error, RemoteError::Unreachable(_)), "{error}");
    says(
        &error,
        &[&format!("connecting from the host to 127.0.0.1:{closed}: Connect failed"), "does something listen"],
    );
}

#[tokio::test]
async fn a_tunnel_carries_many_connections_and_ends_when_dropped() {
    let server = Server::start();
    let (connection, port) = (connect(&server).await, echo().await);
    let tunnel =
        Tunnel::open(Arc::clone(&connection), "127.0.0.1", port).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(tunnel.local_address.ip().is_loopback());
    let each = (0..20).map(|n| async move {
        exchange(TcpStream::connect(tunnel.local_address).await.unwrap(), n * 30_000).await;
    });
    futures::future::join_all(each).await;
    assert_eq!(tunnel.last_error(), None);

    let mut open = TcpStream::connect(tunnel.local_address).await.unwrap();
    open.write_all(b"half a").await.unwrap();
    let address = tunnel.local_address;
    drop(tunnel);
    let mut rest = Vec::new();
    // Closed, by an end or by a reset: either way it ends.
    let _ = open.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!connection.is_closed());
}

#[tokio::test]
async fn a_tunnel_to_nowhere_remembers_why() {
    let server = Server::start();
    let connection = connect(&server).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tunnel = Tunnel::open(connection, "127.0.0.1", closed).await.unwrap_or_else(|error| panic!("{error}"));
    let mut stream = TcpStream::connect(tunnel.local_address).await.unwrap();
    let mut nothing = Vec::new();
    let _ = stream.read_to_end(&mut nothing).await;
    assert!(nothing.is_empty());
    let waited = async {
        while tunnel.last_error().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waited).await.expect("the reason is kept");
    assert!(tunnel.last_error().unwrap().contains("Connect failed"));
}
