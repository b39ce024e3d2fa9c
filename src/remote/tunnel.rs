//! A port on this machine that leads to one as seen from a host.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::connection::Connection;
use super::error::{RemoteError, Trouble};

/// Forwards connections until it is dropped.
pub struct Tunnel {
    /// Where to connect to: a port of the loopback interface.
    pub local_address: SocketAddr,
    last_error: Arc<Mutex<Option<String>>>,
    accepting: JoinHandle<()>,
}

impl Tunnel {
    /// Listens on a free port and forwards each connection to `host`:`port` through `connection`.
    pub async fn open(connection: Arc<Connection>, host: &str, port: u16) -> Result<Self, RemoteError> {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local_address, listener) = bound.map_err(|error| {
            let trouble = Trouble::new(connection.host(), "listening on a port of 127.0.0.1", error.to_string());
            RemoteError::Local(Box::new(trouble.hint("are there too many open files or connections?")))
        })?;
        let last_error = Arc::<Mutex<Option<String>>>::default();
        let target = Target { connection, host: host.to_owned(), port, last_error: Arc::clone(&last_error) };
        let accepting = tokio::spawn(accept(listener, Arc::new(target)));
        Ok(Self { local_address, last_error, accepting })
    }

    /// Why the last connection that failed did so: the one who connected sees only that it was closed.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Target {
    connection: Arc<Connection>,
    host: String,
    port: u16,
    last_error: Arc<Mutex<Option<String>>>,
}

async fn accept(listener: TcpListener, target: Arc<Target>) {
    // Dropped with this task, and all connections with it.
    let mut forwards = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let target = Arc::clone(&target);
                    forwards.spawn(async move {
                        if let Err(why) = forward(client, &target).await {
                            *target.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                        }
                    });
                }
                // Out of file descriptors, most likely: they come back when connections end.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            },
            Some(_) = forwards.join_next() => {}
        }
    }
}

async fn forward(mut client: tokio::net::TcpStream, target: &Target) -> Result<(), String> {
    let _ = client.set_nodelay(true);
    let dialled = target.connection.dial(&target.host, target.port).await;
    let mut stream = dialled.map_err(|error| error.to_string())?;
    match tokio::io::copy_bidirectional(&mut client, &mut stream).await {
        Ok(_) => Ok(()),
        // The client has seen enough.
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
