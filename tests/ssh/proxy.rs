//! A TCP proxy that can pretend to be a dead network.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Forwards to a port of this machine, until it is told to swallow everything.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    dead: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dead = CancellationToken::new();
        let watch = dead.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let ((from, to), (back_from, back_to)) = (client.into_split(), server.into_split());
                tokio::spawn(forward(from, back_to, watch.clone()));
                tokio::spawn(forward(back_from, to, watch.clone()));
            }
        });
        Self { address, dead, accepting }
    }

    /// From now on nothing passes, and nobody is told: connections stay open and silent.
    pub(crate) fn die(&self) {
        self.dead.cancel();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward<R, W>(mut from: R, mut to: W, dead: CancellationToken)
where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = dead.cancelled() => {
                // Holds both halves open for as long as the test runs.
                std::future::pending::<()>().await;
                return;
            }
        };
        match read {
            Ok(0) | Err(_) => return,
            Ok(read) if to.write_all(&buffer[..read]).await.is_err() => return,
            Ok(_) => {}
        }
    }
}
