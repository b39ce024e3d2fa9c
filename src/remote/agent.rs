//! A session with the agent on a host.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use tokio_util::bytes::Bytes;

use super::error::{RemoteError, Trouble};
use super::exec::{Exec, Gone, Sender};
use super::options::Options;
use crate::host::frame::{self, FrameError};
use crate::host::protocol::{BLOB_PIECE, Event, FromAgent, Reply, ToAgent};
use crate::image::Blob;

/// How long the agent may take to end when it is no longer needed.
const FAREWELL: Duration = Duration::from_secs(5);
/// Lines of standard error that an error shows.
const LINES: usize = 10;

/// The agent on a host, as root. It lives as long as this value, and so does a run lock that it has taken.
///
/// One request at a time. Between requests it is kept alive, and whatever it prints is read. A request that was
/// dropped before its answer, or a [`Agent::put`] that failed half-way, spends the session: later requests fail.
pub struct Agent {
    host: String,
    exec: Exec,
    answer_timeout: Duration,
    /// The request that waits for its answer.
    unfinished: Option<String>,
    /// Why the session is over.
    ended: Option<Box<Trouble>>,
}

impl Agent {
    pub(super) async fn new(host: String, exec: Exec, options: &Options) -> Result<Self, RemoteError> {
        let mut ping = Vec::new();
        let written = frame::write_message(&mut ping, &ToAgent::Ping).await;
        let agent = Self { host, exec, answer_timeout: options.answer_timeout, unfinished: None, ended: None };
        written.map_err(|error| agent.lost("starting the agent", error.to_string(), ""))?;
        // If the agent is gone already, the first request tells.
        let _ = agent.exec.when_idle(options.ping, Bytes::from(ping)).await;
        Ok(agent)
    }

    /// Host name of the inventory.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Why the session has ended, if it has.
    pub fn ended(&self) -> Option<RemoteError> {
        self.ended.clone().map(RemoteError::Lost)
    }

    /// Sends `request` and waits for its answer, passing on what happens meanwhile. The agent may work as long as it
    /// likes, but not be silent for longer than [`Options::answer_timeout`].
    pub async fn request(
        &mut self,
        request: ToAgent,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Reply, RemoteError> {
        let limit = self.answer_timeout;
        self.request_within(request, limit, on_event).await
    }

    /// [`Agent::request`] with its own limit for the agent's silence.
    pub async fn request_within(
        &mut self,
        request: ToAgent,
        limit: Duration,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Reply, RemoteError> {
        let doing = describe(&request);
        self.begin(&doing)?;
        let frame = self.frame(&doing, &request).await?;
        // If nobody takes it any more, the answer tells why.
        let _ = timeout(limit, self.exec.send(frame)).await;
        let answer = self.answer(&doing, Some(limit), on_event).await;
        self.finish(answer)
    }

    /// Sends `blob` from `offset` on: what `reader` gives, which must be exactly the rest of it. `on_bytes` hears the
    /// size of each piece that was sent.
    pub async fn put<R: AsyncRead + Unpin>(
        &mut self,
        blob: &Blob,
        offset: u64,
        mut reader: R,
        on_bytes: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), RemoteError> {
        let doing = format!("sending blob {}", blob.sha256.get(..12).unwrap_or(&blob.sha256));
        self.begin(&doing)?;
        let frame = self.frame(&doing, &ToAgent::Put { blob: blob.clone(), offset }).await?;
        let (limit, sender, rest) = (self.answer_timeout, self.exec.sender(), blob.size.saturating_sub(offset));
        let feed = async {
            sender.send(frame).await.map_err(|Gone| Feed::Gone)?;
            feed(&mut reader, rest, &sender, limit, on_bytes).await
        };
        let fed = {
            let mut nothing = |_| {};
            let early = self.answer(&doing, None, &mut nothing);
            tokio::select! {
                fed = feed => fed,
                // The agent answers before it has everything only when it fails. Whether it then still expects the
                // rest is not known, so the session is spent.
                answer = early => return answer.and_then(|_| Err(self.early(&doing))),
            }
        };
        match fed {
            Ok(()) | Err(Feed::Gone) => {}
            Err(Feed::Stalled) => return Err(self.silent(&doing, limit)),
            Err(Feed::Reader(why)) => {
                let trouble = Trouble::new(&self.host, doing, why);
                return Err(RemoteError::Local(Box::new(
                    trouble.hint("verify the image: `kubewright image verify` finds damaged blobs"),
                )));
            }
        }
        let answer = self.answer(&doing, Some(limit), &mut |_| {}).await;
        self.finish(answer).map(drop)
    }

    /// Ends the session in order: the agent sees the end of its input, lets go of the lock and ends.
    pub async fn close(self) {
        self.exec.close(FAREWELL).await;
    }

    fn begin(&mut self, doing: &str) -> Result<(), RemoteError> {
        if let Some(ended) = self.ended() {
            return Err(ended);
        }
        if let Some(earlier) = &self.unfinished {
            let why = format!("the session is spent: {earlier} was not finished");
            return Err(self.lost(doing, why, RUN_AGAIN));
        }
        self.unfinished = Some(doing.to_owned());
        Ok(())
    }

    /// An answer, good or bad, leaves the session usable; anything else does not.
    fn finish(&mut self, answer: Result<Reply, RemoteError>) -> Result<Reply, RemoteError> {
        match &answer {
            Ok(_) | Err(RemoteError::Agent { .. }) => self.unfinished = None,
            Err(error) => self.ended = error.trouble().cloned().map(Box::new),
        }
        answer
    }

    async fn frame(&self, doing: &str, request: &ToAgent) -> Result<Bytes, RemoteError> {
        let mut frame = Vec::new();
        let written = frame::write_message(&mut frame, request).await;
        written.map_err(|error| self.lost(doing, error.to_string(), ""))?;
        Ok(frame.into())
    }

    /// Reads until the request is answered; each message must come within `limit` of the one before.
    async fn answer(
        &mut self,
        doing: &str,
        limit: Option<Duration>,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Reply, RemoteError> {
        loop {
            let read = frame::read(&mut self.exec.incoming);
            let read = match limit {
                Some(limit) => timeout(limit, read).await.map_err(|_| self.silent(doing, limit))?,
                None => read.await,
            };
            let message = match read.and_then(|frame| frame.message()) {
                Ok(message) => message,
                Err(FrameError::Closed) => {
                    let why = self.exec.exit().await;
                    let why =
                        why.map_or_else(|| "the session ended".to_owned(), |exit| format!("the agent is gone: {exit}"));
                    return Err(self.lost(doing, why, RUN_AGAIN));
                }
                Err(error) => return Err(self.lost(doing, error.to_string(), RUN_AGAIN)),
            };
            match message {
                FromAgent::Event(event) => on_event(event),
                FromAgent::Reply(reply) => return Ok(*reply),
                FromAgent::Failed(failure) => return Err(RemoteError::Agent { host: self.host.clone(), failure }),
                FromAgent::Hello { .. } => return Err(self.lost(doing, "the agent greets again".into(), RUN_AGAIN)),
            }
        }
    }

    fn lost(&self, doing: &str, why: String, hint: &str) -> RemoteError {
        let stderr = self.exec.stderr().text(LINES, "");
        RemoteError::Lost(Box::new(Trouble::new(&self.host, doing, why).stderr(stderr).hint(hint)))
    }

    fn silent(&self, doing: &str, limit: Duration) -> RemoteError {
        let why = format!("the agent said nothing for {} s", limit.as_secs());
        let stderr = self.exec.stderr().text(LINES, "");
        let hint = "is a disk of the host stuck? `dmesg` there may tell; then run again";
        RemoteError::Timeout(Box::new(Trouble::new(&self.host, doing, why).stderr(stderr).hint(hint)))
    }

    fn early(&self, doing: &str) -> RemoteError {
        self.lost(doing, "the agent answered before it had everything".into(), RUN_AGAIN)
    }
}

const RUN_AGAIN: &str = "run again: what was done so far is kept";

/// Why a blob was not sent.
enum Feed {
    Gone,
    Stalled,
    Reader(String),
}

async fn feed<R: AsyncRead + Unpin>(
    reader: &mut R,
    mut rest: u64,
    sender: &Sender,
    limit: Duration,
    on_bytes: &mut (dyn FnMut(u64) + Send),
) -> Result<(), Feed> {
    while rest > 0 {
        let want = rest.min(BLOB_PIECE as u64);
        let mut piece = Vec::with_capacity(want as usize);
        while (piece.len() as u64) < want {
            let left = want - piece.len() as u64;
            let read = (&mut *reader).take(left).read_buf(&mut piece).await;
            match read {
                Ok(0) => {
                    return Err(Feed::Reader(format!("the source ended {} bytes early", rest - piece.len() as u64)));
                }
                Ok(_) => {}
                Err(error) => return Err(Feed::Reader(format!("reading it: {error}"))),
            }
        }
        let mut frame = Vec::with_capacity(piece.len() + 8);
        frame::write_data(&mut frame, &piece).await.map_err(|error| Feed::Reader(error.to_string()))?;
        match timeout(limit, sender.send(frame.into())).await {
            Ok(Ok(())) => {}
            Ok(Err(Gone)) => return Err(Feed::Gone),
            Err(_) => return Err(Feed::Stalled),
        }
        on_bytes(want);
        rest -= want;
    }
    Ok(())
}

/// What a request does, for messages. Contents of requests may be secret and are not shown.
fn describe(request: &ToAgent) -> String {
    match request {
        ToAgent::Facts => "reading facts".into(),
        ToAgent::Read { paths } => format!("reading {}", paths.join(", ")),
        ToAgent::Lock { .. } => "taking the run lock".into(),
        ToAgent::Holder => "looking for another run".into(),
        ToAgent::Diff { .. } => "looking for changes".into(),
        ToAgent::Converge { .. } => "making changes".into(),
        ToAgent::Blobs { .. } => "looking for blobs".into(),
        ToAgent::Put { .. } => "sending a blob".into(),
        ToAgent::Serve(serve) => format!("giving blobs to other hosts at {}", serve.address),
        ToAgent::StopServing => "giving no more blobs".into(),
        ToAgent::Fetch(fetch) => format!("taking a blob from {}", fetch.from),
        ToAgent::Probe(_) => "looking at what runs".into(),
        ToAgent::Keep { .. } => "keeping what was there before the upgrade".into(),
        ToAgent::Kept => "looking for what was there before the upgrade".into(),
        ToAgent::Forget => "throwing away what was there before the upgrade".into(),
        ToAgent::Backup { .. } => "backing up what an upgrade changes".into(),
        ToAgent::Snapshot { .. } => "taking a snapshot of etcd".into(),
        ToAgent::MoveLeader { .. } => "moving etcd's leader".into(),
        ToAgent::Restore { step, .. } => format!("restoring etcd ({step})"),
        ToAgent::Member { act, .. } => act.to_string(),
        ToAgent::Join(_) => "starting a member of etcd".into(),
        ToAgent::SetAside => "putting the data of a member of etcd aside".into(),
        ToAgent::Saves => "looking for snapshots of etcd".into(),
        ToAgent::Restores => "looking for restores of etcd".into(),
        ToAgent::Sources { .. } => "looking for what can be collected".into(),
        ToAgent::Collect(wanted) => format!("collecting {}", wanted.source),
        ToAgent::Reset => "resetting the host".into(),
        ToAgent::Ping => "waiting".into(),
    }
}
