//! What has come from the other side and waits to be read.
//!
//! The session loop of russh delivers to all channels of a connection in turn and blocks on a full one, so a reader
//! that pauses would stop its neighbours, keepalives included. Hence this queue always takes: it is bounded by
//! breaking the one stream whose reader is too slow, not by pausing all of them.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::bytes::Bytes;

/// The reading end.
pub(super) struct Incoming {
    receiver: UnboundedReceiver<Bytes>,
    current: Bytes,
    shared: Arc<Shared>,
}

/// The delivering end; dropping it is the end of the stream.
pub(super) struct Outlet {
    sender: UnboundedSender<Bytes>,
    shared: Arc<Shared>,
    limit: usize,
}

#[derive(Default)]
struct Shared {
    waiting: AtomicUsize,
    broken: OnceLock<String>,
}

/// A queue of at most `limit` bytes.
pub(super) fn queue(limit: usize) -> (Outlet, Incoming) {
    let (sender, receiver) = unbounded_channel();
    let shared = Arc::new(Shared::default());
    let incoming = Incoming { receiver, current: Bytes::new(), shared: Arc::clone(&shared) };
    (Outlet { sender, shared, limit }, incoming)
}

impl Outlet {
    /// Delivers `piece`; an error when nobody will ever read it.
    pub(super) fn push(&self, piece: Bytes) -> Result<(), ()> {
        let length = piece.len();
        if self.shared.waiting.fetch_add(length, Ordering::Relaxed) + length > self.limit {
            self.break_off(format!("more than {} bytes wait to be read", self.limit));
            return Err(());
        }
        self.sender.send(piece).map_err(|_| ())
    }

    /// Ends the stream with an error instead of an end of file.
    pub(super) fn break_off(&self, why: String) {
        let _ = self.shared.broken.set(why);
    }
}

impl AsyncBufRead for Incoming {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.current.is_empty() {
            match ready!(this.receiver.poll_recv(context)) {
                Some(piece) => {
                    this.shared.waiting.fetch_sub(piece.len(), Ordering::Relaxed);
                    this.current = piece;
                }
                None => match this.shared.broken.get() {
                    Some(why) => return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, why.clone()))),
                    None => break,
                },
            }
        }
        Poll::Ready(Ok(&this.current))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        let _ = self.current.split_to(amount);
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let available = ready!(self.as_mut().poll_fill_buf(context))?;
        let amount = available.len().min(buffer.remaining());
        buffer.put_slice(&available[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn pieces_arrive_in_order_and_end() {
        let (outlet, mut incoming) = queue(100);
        for piece in ["one", "", "two"] {
            outlet.push(Bytes::from(piece)).unwrap();
        }
        drop(outlet);
        let mut text = String::new();
        incoming.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "onetwo");
    }

    #[tokio::test]
    async fn a_reader_that_never_reads_loses_its_stream_only() {
        let (outlet, mut incoming) = queue(5);
        outlet.push(Bytes::from("1234")).unwrap();
        assert_eq!(outlet.push(Bytes::from("56")), Err(()));
        drop(outlet);
        let mut there = Vec::new();
        let error = incoming.read_to_end(&mut there).await.unwrap_err();
        assert_eq!((there.as_slice(), error.to_string().as_str()), (&b"1234"[..], "more than 5 bytes wait to be read"));
    }

    #[tokio::test]
    async fn what_was_read_no_longer_counts() {
        let (outlet, mut incoming) = queue(5);
        for _ in 0..3 {
            outlet.push(Bytes::from("12345")).unwrap();
            let mut buffer = [0; 5];
            incoming.read_exact(&mut buffer).await.unwrap();
        }
    }
}
