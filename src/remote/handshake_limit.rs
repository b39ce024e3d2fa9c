//! How many handshakes run at once with one server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One limit for each server. sshd drops connections at random above its `MaxStartups`, which a bastion reaches
/// when many hosts are connected to through it.
pub(super) struct HandshakeLimit {
    each: usize,
    servers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl HandshakeLimit {
    pub(super) fn new(each: usize) -> Self {
        Self { each: each.max(1), servers: Mutex::default() }
    }

    /// Waits for a place in the queue of `server`; dropping the permit leaves it. `None` never happens: nobody
    /// closes the semaphores.
    pub(super) async fn acquire(&self, server: String) -> Option<OwnedSemaphorePermit> {
        let semaphore = {
            let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(servers.entry(server).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
        };
        semaphore.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn servers_do_not_wait_for_each_other() {
        let limit = HandshakeLimit::new(1);
        let first = limit.acquire("a".into()).await;
        assert!(first.is_some() && limit.acquire("b".into()).await.is_some());
        let mut waiting = Box::pin(limit.acquire("a".into()));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(first);
        assert!(waiting.await.is_some());
    }
}
