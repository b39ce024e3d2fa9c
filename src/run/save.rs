//! `etcd snapshot save`: from one healthy member straight to every target, verified there before it counts.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use prost::bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::etcd;
use super::failure::{HostFailure, RunError};
use super::fleet::{Fleet, Member, unexpected};
use super::subject::Subject;
use crate::cluster::{HostName, Role};
use crate::etcd::{EtcdError, Identity, MemberClient, SnapshotStream};
use crate::host::protocol::{ETCD_CA, ETCD_CLIENT_CERTIFICATE, ETCD_CLIENT_KEY, EtcdMember, Failure, Reply, ToAgent};
use crate::remote::Tunnel;
use crate::report::Events;
use crate::snapshot::{Directory, Keep, Kept, Manifest, Origin, Part, TargetError, Verified};

/// Pieces that may wait for a slow target, of 32 KiB each.
const QUEUE: usize = 64;

/// What came of a save.
#[derive(Debug, Default)]
pub struct Saved {
    /// The snapshot, at every target that has it.
    pub kept: Vec<Kept>,
    /// Older ones that went.
    pub pruned: Vec<Kept>,
    /// What failed: targets, members that a snapshot could not be taken from, members with other data.
    pub failures: Vec<HostFailure>,
    /// How long it took.
    pub took: Duration,
}

/// Saves a snapshot to every one of `targets`; prunes those that have it, where `keep` says how.
pub async fn save(
    subject: &Subject<'_>,
    targets: &[Directory],
    keep: Option<&Keep>,
    events: &Events,
) -> Result<Saved, RunError> {
    let began = Instant::now();
    let members = subject.cluster.with_role(Role::Etcd);
    let (fleet, unreachable) = Fleet::connect(members, subject.connector, subject.parallel).await;
    // One member is enough; that others are gone is told, and is no failure of the snapshot.
    unreachable.iter().for_each(|failure| events.note(failure.to_string()));
    let views = etcd::views(&fleet, |_| true).await;
    views.failed.iter().for_each(|failure| events.note(failure.to_string()));
    let savers = etcd::savers(&views.ok);
    if savers.is_empty() {
        let none = HostFailure::cluster("save a snapshot", "no member of etcd is well and in sync");
        let none = none.hint("kubewright status tells what each of them lacks");
        return Err(RunError::Failed([unreachable, views.failed, vec![none]].concat()));
    }
    let mut saved = Saved::default();
    for host in &savers {
        let (Some(member), Some(view)) = (fleet.member(host), views.ok.get(host)) else { continue };
        match from(subject, member, view, targets).await {
            Ok(written) => {
                let doubts = etcd::differing(&fleet).await;
                settle(written, targets, &doubts, &mut saved);
                break;
            }
            Err(failure) => saved.failures.push(HostFailure::of(host, failure)),
        }
    }
    if saved.kept.is_empty() {
        return Err(RunError::Failed(saved.failures));
    }
    if let Some(keep) = keep {
        prune(subject.cluster.name.as_str(), keep, &mut saved);
    }
    saved.took = began.elapsed();
    Ok(saved)
}

/// A snapshot at every target, not yet named.
struct Written {
    origin: Origin,
    parts: Vec<Result<(Part, Verified), TargetError>>,
}

/// Streams the snapshot of one member to all targets. An error is one of the member; targets have their own.
async fn from(
    subject: &Subject<'_>,
    member: &Member,
    view: &EtcdMember,
    targets: &[Directory],
) -> Result<Written, Failure> {
    let failed = |error: EtcdError| Failure {
        what: "save a snapshot of etcd".into(),
        why: error.to_string(),
        hint: Some("on the host: journalctl -u etcd".into()),
    };
    let origin = origin(subject, &member.host.name, view);
    let (_tunnel, mut stream) = open(member).await?.map_err(failed)?;
    let writers: Vec<_> = targets.iter().map(|target| Writer::begin(target, &origin, view)).collect();
    while let Some(piece) = stream.next().await.map_err(failed)? {
        if piece.is_empty() {
            continue;
        }
        for writer in writers.iter().flatten() {
            // One that has failed says so at its end.
            let _ = writer.pieces.send(piece.clone()).await;
        }
    }
    let mut parts = Vec::new();
    for writer in writers {
        parts.push(match writer {
            Ok(writer) => writer.finish().await,
            Err(error) => Err(error),
        });
    }
    Ok(Written { origin, parts })
}

fn origin(subject: &Subject<'_>, host: &HostName, view: &EtcdMember) -> Origin {
    Origin {
        cluster: subject.cluster.name.to_string(),
        member: host.to_string(),
        taken: Timestamp::now(),
        etcd: view.version.clone(),
        kubernetes: subject.image.manifest.kubernetes.to_string(),
        image: subject.image.digest.clone(),
        kubewright: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// A way to the member, and its snapshot.
async fn open(member: &Member) -> Result<Result<(Tunnel, SnapshotStream), EtcdError>, Failure> {
    let what = "read the certificate of a client of etcd";
    let paths = [ETCD_CA, ETCD_CLIENT_CERTIFICATE, ETCD_CLIENT_KEY].map(str::to_owned).to_vec();
    let mut files = match member.ask(what, ToAgent::Read { paths }).await? {
        Reply::Files { files } => files,
        other => return Err(unexpected(what, &other)),
    };
    let mut file = |path: &str| {
        let text = files.remove(path).flatten();
        text.ok_or_else(|| Failure { what: what.into(), why: format!("{path} is not there"), hint: None })
    };
    let (ca, certificate, key) = (file(ETCD_CA)?, file(ETCD_CLIENT_CERTIFICATE)?, file(ETCD_CLIENT_KEY)?);
    let identity = Identity { ca, certificate, key };
    let address = member.host.address.to_string();
    let tunnel = Tunnel::open(member.connection.clone(), &address, etcd::CLIENT_PORT).await;
    let tunnel =
        tunnel.map_err(|error| Failure { what: "open a way to etcd".into(), why: error.to_string(), hint: None })?;
    let stream = match MemberClient::connect(tunnel.local_address, &address, &identity).await {
        Ok(client) => client.snapshot().await,
        Err(error) => Err(error),
    };
    Ok(stream.map(|stream| (tunnel, stream)))
}

/// A target that is being written to, on a thread of its own: disks block.
struct Writer {
    pieces: mpsc::Sender<Bytes>,
    writing: JoinHandle<Result<(Part, Verified), TargetError>>,
}

impl Writer {
    fn begin(target: &Directory, origin: &Origin, view: &EtcdMember) -> Result<Self, TargetError> {
        let mut part = target.begin(origin, view.db_size)?;
        let (pieces, mut queue) = mpsc::channel::<Bytes>(QUEUE);
        let least = view.revision;
        let writing = tokio::task::spawn_blocking(move || {
            while let Some(piece) = queue.blocking_recv() {
                part.write(&piece)?;
            }
            let whole = part.verify(least)?;
            Ok((part, whole))
        });
        Ok(Self { pieces, writing })
    }

    async fn finish(self) -> Result<(Part, Verified), TargetError> {
        drop(self.pieces);
        self.writing.await.unwrap_or_else(|panic| Err(TargetError::Thread(panic.to_string())))
    }
}

/// Gives the snapshot its name wherever it is whole.
fn settle(written: Written, targets: &[Directory], doubts: &[String], saved: &mut Saved) {
    for (target, part) in targets.iter().zip(written.parts) {
        let kept = part.and_then(|(part, whole)| {
            let manifest = Manifest::of(written.origin.clone(), &whole, doubts.to_vec());
            target.settle(part, &manifest)
        });
        match kept {
            Ok(kept) => saved.kept.push(kept),
            Err(error) => saved.failures.push(failure("save a snapshot", target, &error)),
        }
    }
    for doubt in doubts {
        let hint = "the snapshot is kept and counts as unverified; find the member that differs and replace it";
        saved.failures.push(HostFailure::cluster("compare the members of etcd", doubt).hint(hint));
    }
}

/// Older snapshots go where the new one is, and only where it is good.
fn prune(cluster: &str, keep: &Keep, saved: &mut Saved) {
    for kept in saved.kept.iter().filter(|kept| kept.manifest.is_good()) {
        let Some(directory) = kept.path.parent().map(Directory::new) else { continue };
        match directory.prune(cluster, keep) {
            Ok(pruned) => saved.pruned.extend(pruned),
            Err(error) => saved.failures.push(failure("prune old snapshots", &directory, &error)),
        }
    }
}

fn failure(what: &str, target: &Directory, error: &TargetError) -> HostFailure {
    HostFailure::cluster(format!("{what} in {}", target.path().display()), error)
}
