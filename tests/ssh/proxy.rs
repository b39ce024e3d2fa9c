//! A TCP proxy that can pretend to be a dead network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Forwards to a port of this machine, until it goes silent. Dropping it closes its connections.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    dead: CancellationToken,
    accepted: AtomicUsize,
    /// Bytes that may still go to the server.
    budget: AtomicUsize,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, budget) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let state = Arc::new(State { dead: CancellationToken::new(), accepted, budget });
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            let mut forwards = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let ((from, to), (back_from, back_to)) = (client.into_split(), server.into_split());
                forwards.spawn(forward(from, back_to, Arc::clone(&shared), Way::There));
                forwards.spawn(forward(back_from, to, Arc::clone(&shared), Way::Back));
            }
        });
        Self { address, state, accepting }
    }

    /// From now on nothing passes, and nobody is told: connections stay open and silent.
    pub(crate) fn die(&self) {
        self.state.dead.cancel();
    }

    /// Dies when `bytes` more have gone to the server.
    pub(crate) fn die_after(&self, bytes: usize) {
        self.state.budget.store(bytes, Ordering::SeqCst);
    }

    /// Connections that were made.
    pub(crate) fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[derive(PartialEq)]
enum Way {
    There,
    Back,
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: Arc<State>, way: Way) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = state.dead.cancelled() => break,
        };
        let read = match read {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        if way == Way::There {
            let before = state.budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(read));
            if before.is_err() {
                state.dead.cancel();
                break;
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    // Holds both halves open.
    std::future::pending::<()>().await;
}
