//! From the stream of a member to every place: spooled once, verified there, and only then delivered. Used by whoever
//! runs kubewright and by the hosts of etcd alike; who is asked for a snapshot, and when, is decided elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::join_all;
use prost::bytes::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;

use super::Verified;
use super::manifest::{Manifest, Origin, Sealed};
use super::seal::seal;
use super::store::{Delivery, Kept, Ready, Spool, Target, TargetError};
use crate::cluster::Keep;
use crate::etcd::{EtcdError, SnapshotStream};

/// Pieces that may wait for a slow disk, of 32 KiB each.
const QUEUE: usize = 64;

/// What is wanted of a snapshot, besides being whole.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// Where to.
    pub targets: &'a [Target],
    /// Who may read it; nobody named leaves it as it is.
    pub recipients: &'a [String],
    /// Keys of the cluster to be saved with it.
    pub pki: Option<Pki<'a>>,
    /// How many stay in each place; all of them without it.
    pub keep: Option<&'a Keep>,
    /// Where files without a name are made while a snapshot comes.
    pub scratch: &'a Path,
}

/// Keys of a cluster. They never lie around unencrypted.
#[derive(Clone, Copy)]
pub enum Pki<'a> {
    /// To be encrypted for whoever may read the snapshot.
    Plain(&'a [u8]),
    /// Encrypted already.
    Sealed(&'a [u8]),
}

impl std::fmt::Debug for Pki<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pki(secret)")
    }
}

/// Why a snapshot did not come.
#[derive(Debug, Error)]
pub enum TakeError {
    /// The member did not send it.
    #[error(transparent)]
    Member(#[from] EtcdError),
    /// There is nowhere to write it, or it is not whole.
    #[error(transparent)]
    Spool(#[from] TargetError),
}

/// What became of a snapshot, place by place.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Where it is kept.
    pub kept: Vec<Kept>,
    /// Older ones that went.
    pub pruned: Vec<Kept>,
    /// Places that do not have it, or still have too many; with what was tried.
    pub failed: Vec<(String, TargetError)>,
}

/// A whole snapshot that is nowhere yet.
#[derive(Debug)]
pub struct Taken {
    spool: Spool,
    whole: Verified,
}

impl Taken {
    /// Where another program can read it, as long as this is there.
    pub fn path(&self) -> PathBuf {
        self.spool.path()
    }

    /// Latest revision in it.
    pub fn revision(&self) -> u64 {
        self.whole.contents.revision
    }
}

/// Receives a snapshot of about `size` bytes, and proves that it is whole and reaches `least`, a revision.
pub async fn receive(
    stream: &mut SnapshotStream,
    order: &Order<'_>,
    origin: &Origin,
    size: u64,
    least: u64,
) -> Result<Taken, TakeError> {
    let spool = begin(order, origin, size)?;
    let (pieces, mut queue) = mpsc::channel::<Bytes>(QUEUE);
    let writing = tokio::task::spawn_blocking(move || {
        let mut spool = spool;
        while let Some(piece) = queue.blocking_recv() {
            spool.write(&piece)?;
        }
        let whole = spool.verify(least)?;
        Ok::<_, TargetError>(Taken { spool, whole })
    });
    while let Some(piece) = stream.next().await? {
        // One that has failed says so at its end.
        if !piece.is_empty() && pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    let taken = writing.await.unwrap_or_else(|panic| Err(TargetError::Thread(panic.to_string())))?;
    Ok(taken)
}

/// In the first directory that takes it, so that it has to be written once only. What is to be encrypted gets no name.
fn begin(order: &Order<'_>, origin: &Origin, size: u64) -> Result<Spool, TargetError> {
    let directories = order.targets.iter().filter_map(|target| match target {
        Target::Directory(directory) if order.recipients.is_empty() => Some(directory),
        _ => None,
    });
    // One that does not take it will say why when it is delivered.
    let part =
        directories.into_iter().find_map(|directory| directory.begin(&origin.cluster, &origin.file_name(), size).ok());
    part.map_or_else(|| Spool::nameless(order.scratch), |part| Ok(Spool::Part(part)))
}

/// Gives a snapshot to every place; what spoke against it is `doubts`. Only where a good one has arrived, older ones go.
pub async fn deliver(
    taken: Taken,
    origin: Origin,
    doubts: Vec<String>,
    order: &Order<'_>,
) -> Result<Delivered, TargetError> {
    let delivery = Arc::new(pack(taken, origin, doubts, order)?);
    let cluster = delivery.manifest.origin.cluster.as_str();
    let put = order.targets.iter().map(|target| target.put(&delivery));
    let mut delivered = Delivered::default();
    for (target, put) in order.targets.iter().zip(join_all(put).await) {
        let kept = match put {
            Ok(kept) => kept,
            Err(error) => {
                delivered.failed.push((format!("save a snapshot in {}", target.place()), error));
                continue;
            }
        };
        let good = kept.manifest.is_good();
        delivered.kept.push(kept);
        let Some(keep) = order.keep.filter(|_| good) else { continue };
        match target.prune(cluster, keep).await {
            Ok(pruned) => delivered.pruned.extend(pruned),
            Err(error) => delivered.failed.push((format!("prune old snapshots in {}", target.place()), error)),
        }
    }
    Ok(delivered)
}

fn pack(taken: Taken, origin: Origin, doubts: Vec<String>, order: &Order<'_>) -> Result<Delivery, TargetError> {
    let Taken { spool, whole } = taken;
    let mut manifest = Manifest::of(origin, &whole, doubts);
    let sealed = |ready: &Ready| Sealed { bytes: ready.bytes, sha256: ready.sha256.clone() };
    let encrypted = |mut from: &mut dyn std::io::Read| {
        Ready::made(order.scratch, |mut into| seal(order.recipients, &mut from, &mut into))
    };
    let snapshot = if order.recipients.is_empty() {
        spool.ready(whole.sha256)?
    } else {
        let ready = encrypted(&mut spool.reader()?)?;
        manifest.encrypted = Some(sealed(&ready));
        ready
    };
    let pki = match order.pki {
        None => None,
        Some(Pki::Sealed(keys)) => Some(Ready::made(order.scratch, |into| into.write_all(keys))?),
        Some(Pki::Plain(_)) if order.recipients.is_empty() => None,
        Some(Pki::Plain(mut keys)) => Some(encrypted(&mut keys)?),
    };
    manifest.pki = pki.as_ref().map(sealed);
    Ok(Delivery { manifest, snapshot, pki })
}

/// A directory for files without a name, where none is said.
pub fn scratch() -> PathBuf {
    std::env::temp_dir()
}
