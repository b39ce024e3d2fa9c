//! Bounded concurrency: many requests over a slow link, and not all at once.

use futures::stream::{self, StreamExt};

/// Most requests in flight at once: enough to hide a slow link, few enough for a small API server. Each in flight is
/// a connection of its own, and each of those a channel of the tunnel.
const LIMIT: usize = 8;

/// Does all of the work, a few at a time; the results are in the order of the work.
///
/// It takes futures, not a function that makes them: the latter, held across an await, would keep the caller's future
/// from being `Send`.
pub(super) async fn all<F: Future>(work: Vec<F>) -> Vec<F::Output> {
    stream::iter(work).buffered(LIMIT).collect().await
}
