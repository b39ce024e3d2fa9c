//! The agent's side of a session: frames in, requests answered one after the other, frames out.
//!
//! The session's end is the agent's end, at once and in the middle of anything: the run lock must not outlive the
//! session, and everything that the agent does can be cut off anywhere and is mended by the next run.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::frame::{self, Frame, FrameError};
use super::lock::Lock;
use super::machine::Machine;
use super::own;
use super::probe::Listeners;
use super::protocol::{FromAgent, IDLE_LIMIT_SECONDS, ToAgent};
use super::request::{HeldLock, Incoming, Session};

/// Pieces of a blob that may wait for the disk.
const QUEUE: usize = 16;

/// How a session ended. The caller ends the process right away: work may still be under way on another thread, and
/// the lock in here must be the last thing to go.
#[derive(Debug)]
pub struct Ended {
    /// Why.
    pub why: End,
    /// The run lock, when it was taken.
    pub lock: Option<Lock>,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The installer closed it.
    #[error("the session ended")]
    Closed,
    /// Nothing came for too long.
    #[error("no frame for {IDLE_LIMIT_SECONDS} s")]
    Idle,
    /// Something came or went that is no frame.
    #[error(transparent)]
    Broken(FrameError),
    /// The installer spoke out of turn, or the agent has a defect that it wrote to standard error.
    #[error("the agent gave up")]
    Defect,
}

/// Serves one installer on `stdin` and `stdout`, below `root`, until the session ends.
pub async fn serve<R, W>(root: PathBuf, stdin: R, stdout: W) -> Ended
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    match own::digest() {
        Ok(sha256) => attend(Machine::at(root), sha256, stdin, stdout).await,
        Err(failure) => {
            let why = End::Broken(FrameError::Io(io::Error::other(failure)));
            Ended { why, lock: None }
        }
    }
}

/// [`serve`] on a given machine, for tests too.
pub(super) async fn attend<R, W>(machine: Machine, sha256: String, stdin: R, stdout: W) -> Ended
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let lock: HeldLock = Arc::new(Mutex::new(None));
    let (requests, incoming) = mpsc::channel(QUEUE);
    let (outgoing, replies) = mpsc::channel(QUEUE);
    let (used, spare) = mpsc::channel(QUEUE);
    let binary = std::env::current_exe().unwrap_or_default();
    let session = Session {
        machine,
        lock: Arc::clone(&lock),
        incoming,
        used,
        outgoing,
        runtime: Handle::current(),
        listeners: Listeners::default(),
        server: None,
        binary,
    };
    let why = tokio::select! {
        end = listen(stdin, requests, spare, Duration::from_secs(IDLE_LIMIT_SECONDS)) => end,
        end = speak(stdout, sha256, replies) => end,
        _ = tokio::task::spawn_blocking(move || session.run()) => End::Defect,
    };
    let lock = lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ended { why, lock }
}

/// Frames for the thread that answers. Pieces of blobs come back through `spare` when they are written, to be used
/// again: where page faults are dear, fresh memory for each would cost more than all else that is done with it.
async fn listen<R: AsyncRead + Unpin>(
    mut stdin: R,
    requests: mpsc::Sender<Incoming>,
    mut spare: mpsc::Receiver<Vec<u8>>,
    limit: Duration,
) -> End {
    loop {
        let memory = spare.try_recv().unwrap_or_default();
        let frame = match tokio::time::timeout(limit, frame::read_into(&mut stdin, memory)).await {
            Err(_) => return End::Idle,
            Ok(Err(FrameError::Closed)) => return End::Closed,
            Ok(Err(error)) => return End::Broken(error),
            Ok(Ok(frame)) => frame,
        };
        let incoming = match frame {
            Frame::Data(piece) => Incoming::Piece(piece),
            message @ Frame::Json(_) => match message.message::<ToAgent>() {
                Ok(ToAgent::Ping) => continue,
                Ok(request) => Incoming::Request(Box::new(request)),
                Err(error) => return End::Broken(error),
            },
        };
        if requests.send(incoming).await.is_err() {
            // The thread that answers has ended, and says why itself.
            return std::future::pending().await;
        }
    }
}

async fn speak<W: AsyncWrite + Unpin>(mut stdout: W, sha256: String, mut replies: mpsc::Receiver<FromAgent>) -> End {
    let mut message = FromAgent::Hello { sha256 };
    loop {
        match frame::write_message(&mut stdout, &message).await {
            Err(FrameError::Closed) => return End::Closed,
            Err(error) => return End::Broken(error),
            Ok(()) => {}
        }
        message = match replies.recv().await {
            Some(message) => message,
            None => return std::future::pending().await,
        };
    }
}

#[cfg(test)]
mod tests;
