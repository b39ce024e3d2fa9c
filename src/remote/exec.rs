//! A command that runs on a host: its input, its output, the tail of its errors, its end.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::incoming::{Incoming, Outlet, queue};
use super::tail::Tail;
use crate::host::protocol::MAX_FRAME;

/// Most bytes that may wait to be read: a whole frame and what follows it.
const QUEUE: usize = 2 * MAX_FRAME;
/// Messages that wait to be sent. Few, because each may be a piece of a blob.
const OUTGOING: usize = 2;
/// How long the exit status may come after the output has ended.
const EXIT_GRACE: Duration = Duration::from_secs(5);

/// A running command.
pub(super) struct Exec {
    /// Standard output.
    pub(super) incoming: Incoming,
    outgoing: mpsc::Sender<Outgoing>,
    shared: Arc<Shared>,
    gone: CancellationToken,
}

enum Outgoing {
    Bytes(Bytes),
    /// From now on, send this whenever nothing else was sent for so long.
    WhenIdle(Duration, Bytes),
}

#[derive(Default)]
struct Shared {
    stderr: Mutex<Tail>,
    stderr_grew: Notify,
    exit: OnceLock<String>,
}

/// The other side takes no more input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

impl Exec {
    /// Takes over `channel`, on which a command was started.
    pub(super) fn new(channel: Channel<Msg>) -> Self {
        let (read, write) = channel.split();
        let (outlet, incoming) = queue(QUEUE);
        let (outgoing, receiver) = mpsc::channel(OUTGOING);
        let (shared, gone) = (Arc::<Shared>::default(), CancellationToken::new());
        tokio::spawn(receive(read, outlet, Arc::clone(&shared), gone.clone()));
        tokio::spawn(send(write, receiver, gone.clone()));
        Self { incoming, outgoing, shared, gone }
    }

    /// Puts `bytes` in the queue of standard input; waits while it is full.
    pub(super) async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        self.sender().send(bytes).await
    }

    /// A second way to [`Exec::send`], for those who read at the same time.
    pub(super) fn sender(&self) -> Sender {
        Sender { outgoing: self.outgoing.clone() }
    }

    /// Sends `bytes` after each pause of `pause`.
    pub(super) async fn when_idle(&self, pause: Duration, bytes: Bytes) -> Result<(), Gone> {
        self.outgoing.send(Outgoing::WhenIdle(pause, bytes)).await.map_err(|_| Gone)
    }

    /// For those who wait for standard error while they read.
    pub(super) fn errors(&self) -> Errors {
        Errors { shared: Arc::clone(&self.shared) }
    }

    pub(super) fn stderr(&self) -> MutexGuard<'_, Tail> {
        self.shared.stderr()
    }

    /// How the command ended, waiting a little for it: `it ended with status 1`. `None`: it did not, or nobody told.
    pub(super) async fn exit(&self) -> Option<String> {
        let _ = tokio::time::timeout(EXIT_GRACE, self.gone.cancelled()).await;
        self.shared.exit.get().cloned()
    }

    /// Ends standard input and waits up to `limit` for the command to end.
    pub(super) async fn close(self, limit: Duration) {
        let Self { outgoing, gone, .. } = self;
        drop(outgoing);
        let _ = tokio::time::timeout(limit, gone.cancelled()).await;
    }
}

/// A command's standard error.
pub(super) struct Errors {
    shared: Arc<Shared>,
}

impl Errors {
    /// Waits until it has grown since the last call.
    pub(super) async fn grew(&self) {
        self.shared.stderr_grew.notified().await;
    }
}

/// Sends to a command's standard input.
pub(super) struct Sender {
    outgoing: mpsc::Sender<Outgoing>,
}

impl Sender {
    pub(super) async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        self.outgoing.send(Outgoing::Bytes(bytes)).await.map_err(|_| Gone)
    }
}

impl Shared {
    fn stderr(&self) -> MutexGuard<'_, Tail> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads until the channel is no more, whether or not anybody is interested: an unread channel would stop the others
/// of its connection.
async fn receive(mut read: ChannelReadHalf, outlet: Outlet, shared: Arc<Shared>, gone: CancellationToken) {
    let _gone = gone.clone().drop_guard();
    let mut outlet = Some(outlet);
    loop {
        let message = tokio::select! {
            message = read.wait() => message,
            // We have closed it ourselves; russh does not tell.
            () = gone.cancelled() => return,
        };
        match message {
            Some(ChannelMsg::Data { data }) => {
                if outlet.as_ref().is_some_and(|outlet| outlet.push(data).is_err()) {
                    return;
                }
            }
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                shared.stderr().push(&data);
                shared.stderr_grew.notify_one();
            }
            Some(ChannelMsg::Eof) => outlet = None,
            // These come after the end of the output.
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                let _ = shared.exit.set(format!("it ended with status {exit_status}"));
            }
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                let _ = shared.exit.set(format!("it was killed by signal {signal_name:?}"));
            }
            // The only request that wants an answer is the one to run the command.
            Some(ChannelMsg::Failure) => {
                let _ = shared.exit.set("the server refuses to run commands".to_owned());
                return;
            }
            Some(ChannelMsg::Close) | None => return,
            Some(_) => {}
        }
    }
}

/// Writes what is queued, each message whole or not at all: whoever queued it may be cancelled meanwhile. A write that
/// waits for the peer's window would never hear that the peer is gone, hence the race.
async fn send(write: ChannelWriteHalf<Msg>, mut queue: mpsc::Receiver<Outgoing>, gone: CancellationToken) {
    let mut idle: Option<(Duration, Bytes)> = None;
    let feed = async {
        loop {
            let next = match &idle {
                None => queue.recv().await,
                Some((pause, bytes)) => match tokio::time::timeout(*pause, queue.recv()).await {
                    Ok(next) => next,
                    Err(_) => Some(Outgoing::Bytes(bytes.clone())),
                },
            };
            match next {
                Some(Outgoing::Bytes(bytes)) => {
                    if write.data_bytes(bytes).await.is_err() {
                        return;
                    }
                }
                Some(Outgoing::WhenIdle(pause, bytes)) => idle = Some((pause, bytes)),
                None => {
                    let _ = write.eof().await;
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = feed => {}
        () = gone.cancelled() => {}
    }
    drop(queue);
    // Nobody needs the command any more. It has its end of file, and some time to finish.
    let _ = tokio::time::timeout(EXIT_GRACE, gone.cancelled()).await;
    let _ = write.close().await;
    gone.cancel();
}
