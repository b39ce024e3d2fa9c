//! A TCP connection made by a host for us.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::client::EndReason;
use super::incoming::{Incoming, Outlet, queue};

/// Most bytes that may wait for a slow reader before its stream breaks.
const QUEUE: usize = 64 << 20;

/// A byte stream through a host. Writes end when the stream does, reads are buffered, and dropping it closes it.
pub struct Stream {
    incoming: Incoming,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    gone: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Dropping it closes the channel.
    _open: oneshot::Sender<()>,
}

impl Stream {
    /// Takes over an open channel of a session.
    pub(super) fn new(channel: Channel<Msg>, ended: EndReason) -> Self {
        let (read, write) = channel.split();
        let (outlet, incoming) = queue(QUEUE);
        let (open, closed) = oneshot::channel::<()>();
        let gone = CancellationToken::new();
        let writer = Box::pin(write.make_writer());
        let gone_here = Box::pin(gone.clone().cancelled_owned());
        tokio::spawn(async move {
            let _gone = gone.drop_guard();
            tokio::select! {
                () = receive(read, outlet, ended) => {}
                _ = closed => {}
            }
            // The reader is gone by now; as long as it was there, and full, the session could not have taken this.
            let _ = write.close().await;
        });
        Self { incoming, writer, gone: gone_here, _open: open }
    }

    /// A write that waits for the peer's window would never hear that the peer is gone.
    fn check_alive(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.gone.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the other side is gone")),
            Poll::Pending => Ok(()),
        }
    }
}

/// Reads for as long as the channel lives, whatever the stream's reader does: see `incoming`.
async fn receive(mut read: ChannelReadHalf, outlet: Outlet, ended: EndReason) {
    while let Some(message) = read.wait().await {
        match message {
            ChannelMsg::Data { data } => match outlet.push(data) {
                Ok(()) => {}
                Err(()) => return,
            },
            // After the peer has said all, it may still listen: the channel is closed by a message of its own.
            ChannelMsg::Eof => {
                drop(outlet);
                while !matches!(read.wait().await, Some(ChannelMsg::Close) | None) {}
                return;
            }
            ChannelMsg::Close => return,
            _ => {}
        }
    }
    outlet.break_off(ended.get().cloned().unwrap_or_else(|| "the SSH session ended".to_owned()));
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.incoming).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_alive(context)?;
        // russh calls this an error, encoders do it all the time.
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.writer.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.check_alive(context).is_err() {
            return Poll::Ready(Ok(()));
        }
        self.writer.as_mut().poll_shutdown(context)
    }
}
