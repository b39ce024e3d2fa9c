//! What a transfer has done so far: written by it, read by whoever shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of one transfer: to move, moved, and found where they were to go. A clone counts the same transfer.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    total: AtomicU64,
    moved: AtomicU64,
    found: AtomicU64,
}

impl Progress {
    /// Bytes that the transfer is about, as far as that is known.
    pub fn total(&self) -> u64 {
        self.0.total.load(Ordering::Relaxed)
    }

    /// Bytes that went over the network.
    pub fn moved(&self) -> u64 {
        self.0.moved.load(Ordering::Relaxed)
    }

    /// Bytes that did not have to, because they were there.
    pub fn found(&self) -> u64 {
        self.0.found.load(Ordering::Relaxed)
    }

    pub(in crate::image) fn expect(&self, bytes: u64) {
        self.0.total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(in crate::image) fn add_moved(&self, bytes: u64) {
        self.0.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(in crate::image) fn add_found(&self, bytes: u64) {
        self.0.found.fetch_add(bytes, Ordering::Relaxed);
    }
}
