//! Carries one blob to one host.

use std::collections::{BTreeMap, BTreeSet};
use std::io::SeekFrom;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::io::AsyncSeekExt;

use super::super::failure::remote;
use super::super::fleet::{Member, unexpected};
use super::Job;
use crate::host::protocol::{self, Failure, Reply, ToAgent};
use crate::host::transfer::{Fetch, Source};
use crate::image::Blob;
use crate::remote::{Agent, RemoteError};
use crate::report::Event;

/// A host that takes blobs.
pub(super) struct Taker<'a> {
    job: &'a Job<'a>,
    pub(super) member: &'a Member,
    /// Sessions beside the member's own, as long as nobody uses them.
    spare: Mutex<Vec<Agent>>,
    /// How much of each blob is there, until somebody has relied on it.
    there: Mutex<BTreeMap<String, u64>>,
    came: AtomicU64,
    total: u64,
}

impl<'a> Taker<'a> {
    /// A host on which `there` bytes of each of the `missing` blobs are.
    pub(super) fn new(
        job: &'a Job<'a>,
        member: &'a Member,
        missing: &BTreeSet<Blob>,
        there: BTreeMap<String, u64>,
    ) -> Self {
        let rest = |blob: &Blob| blob.size.saturating_sub(there.get(&blob.sha256).copied().unwrap_or(0));
        let total = missing.iter().map(rest).sum();
        Self { job, member, spare: Mutex::default(), there: Mutex::new(there), came: AtomicU64::new(0), total }
    }

    /// Opens further sessions, up to `count` together with the member's own; fewer are good, too. How many there are.
    pub(super) async fn open(&self, count: usize) -> usize {
        let further = futures::future::join_all((1..count).map(|_| self.member.further_agent())).await;
        let open: Vec<Agent> = further.into_iter().filter_map(Result::ok).collect();
        let count = 1 + open.len();
        open.into_iter().for_each(|agent| self.give_back(agent));
        count
    }

    /// Whether the host's session has ended.
    pub(super) fn is_lost(&self) -> bool {
        self.member.lost().is_some()
    }

    /// The host takes `blob` from `source` by itself.
    pub(super) async fn fetch(&self, blob: &Blob, from: Source) -> Result<(), Failure> {
        let offset = match self.known(blob) {
            Some(offset) => offset,
            None => self.ask(blob).await?,
        };
        if offset >= blob.size {
            return Ok(());
        }
        let mut before = 0;
        let mut on_event = |event| {
            if let protocol::Event::Fetched { bytes } = event {
                self.tell(bytes.saturating_sub(before));
                before = bytes;
            }
        };
        let what = format!("take blob sha256:{} from {from}", blob.sha256);
        let fetch = ToAgent::Fetch(Fetch { blob: blob.clone(), offset, from });
        match self.member.ask_with(&what, fetch, &mut on_event).await? {
            Reply::Done => {
                self.tell((blob.size - offset).saturating_sub(before));
                Ok(())
            }
            other => Err(unexpected(&what, &other)),
        }
    }

    /// Sends `blob` from here, over a spare session where there is one.
    pub(super) async fn push(&self, blob: &Blob) -> Result<(), Failure> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut agent) = spare {
            // What goes wrong here may be the session's own fault, and the member's own session will tell.
            if self.put(&mut agent, blob).await.is_ok() {
                self.give_back(agent);
                return Ok(());
            }
        }
        self.put(&mut *self.member.agent().await, blob).await
    }

    fn give_back(&self, agent: Agent) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(agent);
    }

    async fn put(&self, agent: &mut Agent, blob: &Blob) -> Result<(), Failure> {
        let what = format!("send blob sha256:{}", blob.sha256);
        let mut again = true;
        loop {
            let offset = match self.known(blob) {
                Some(offset) => offset,
                None => offset(blob, agent.request(question(blob), &mut |_| {}).await.map_err(|e| remote(&what, e))?)?,
            };
            if offset >= blob.size {
                return Ok(());
            }
            let file = self.open_at(blob, offset).await?;
            match agent.put(blob, offset, file, &mut |piece| self.tell(piece)).await {
                Ok(()) => return Ok(()),
                // Its beginning was damaged, and is gone now.
                Err(RemoteError::Agent { .. }) if offset > 0 && again => again = false,
                Err(error) => return Err(remote(&what, error)),
            }
        }
    }

    async fn open_at(&self, blob: &Blob, offset: u64) -> Result<tokio::fs::File, Failure> {
        let path = (self.job.blob_path)(blob);
        let opened = async {
            let mut file = tokio::fs::File::open(&path).await?;
            file.seek(SeekFrom::Start(offset)).await?;
            Ok::<_, std::io::Error>(file)
        };
        opened.await.map_err(|error| {
            let what = format!("read blob sha256:{} from {}", blob.sha256, path.display());
            Failure::new(what, error).hint("build or fetch the cluster image again")
        })
    }

    /// What is known to be there without asking; only once.
    fn known(&self, blob: &Blob) -> Option<u64> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner).remove(&blob.sha256)
    }

    async fn ask(&self, blob: &Blob) -> Result<u64, Failure> {
        offset(blob, self.member.ask("ask for blobs", question(blob)).await?)
    }

    fn tell(&self, more: u64) {
        // What came twice, because it had to come from somewhere else, counts once.
        let bytes = (self.came.fetch_add(more, Ordering::Relaxed) + more).min(self.total);
        let (stage, host) = (self.job.stage.to_owned(), self.member.host.name.to_string());
        self.job.events.send(Event::Sent { stage, host, bytes, total: self.total });
    }
}

fn question(blob: &Blob) -> ToAgent {
    ToAgent::Blobs { blobs: vec![blob.clone()] }
}

fn offset(blob: &Blob, answer: Reply) -> Result<u64, Failure> {
    match answer {
        Reply::Blobs { have } => Ok(have.get(&blob.sha256).copied().unwrap_or(0).min(blob.size)),
        other => Err(unexpected("ask for blobs", &other)),
    }
}
