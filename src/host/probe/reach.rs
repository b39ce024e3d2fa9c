//! Whether hosts reach each other on ports where nobody listens yet: one side listens for a moment, the others connect.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::protocol::Probed;

/// A way that drops packets is told from a slow one after this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sockets that listen as long as this lives.
#[derive(Default)]
pub(in crate::host) struct Listeners(JoinSet<()>);

impl Listeners {
    /// Listens on `addresses`. Where somebody else does, he is as good to connect to; an address that the host does not
    /// have is a preflight check of its own.
    pub(super) async fn listen(&mut self, addresses: &[SocketAddr]) {
        for address in addresses {
            let Ok(listener) = TcpListener::bind(address).await else { continue };
            self.0.spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    // Who connects closes first: the port must not be left waiting here when its owner comes.
                    tokio::spawn(async move { timeout(PATIENCE, stream.read_u8()).await.map(drop) });
                }
            });
        }
    }

    /// Closes all of them.
    pub(super) async fn hush(&mut self) {
        self.0.shutdown().await;
    }
}

/// Connects to every address at once.
pub(super) async fn reach(addresses: &[SocketAddr]) -> Probed {
    let mut attempts = JoinSet::new();
    for address in addresses.iter().copied() {
        attempts.spawn(async move {
            let why = match timeout(PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(_)) => return None,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer for {} s", PATIENCE.as_secs()),
            };
            Some((address, why))
        });
    }
    let unreached: BTreeMap<_, _> = attempts.join_all().await.into_iter().flatten().collect();
    Probed::Unreached { addresses: unreached }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_listens_is_reached_until_it_is_hushed() {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (here, nowhere) = (free(), free());
        let unreached = async || match reach(&[here, nowhere]).await {
            Probed::Unreached { addresses } => addresses.into_keys().collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        let mut listeners = Listeners::default();
        listeners.listen(&[here, here]).await;
        assert_eq!(unreached().await, [nowhere]);
        listeners.hush().await;
        let mut both = vec![here, nowhere];
        both.sort();
        assert_eq!(unreached().await, both);
        // The port is free at once for whoever needs it.
        drop(std::net::TcpListener::bind(here).unwrap());
    }
}
