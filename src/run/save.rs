//! `etcd snapshot save`: from one healthy member straight to every target, verified there before it counts.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::etcd;
use super::failure::{HostFailure, RunError, remote};
use super::fleet::{Fleet, Member, unexpected};
use super::subject::Subject;
use crate::cluster::{HostName, Role};
use crate::etcd::{EtcdError, Identity, MemberClient, SnapshotStream};
use crate::host::protocol::{ETCD_CA, ETCD_CLIENT_CERTIFICATE, ETCD_CLIENT_KEY, EtcdMember, Failure, Reply, ToAgent};
use crate::remote::Tunnel;
use crate::report::Events;
use crate::snapshot::{self, Kept, Order, Origin, TakeError, Taken};

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

/// Saves a snapshot as `order` says: from the first member that gives a whole one.
pub async fn save(subject: &Subject<'_>, order: &Order<'_>, events: &Events) -> Result<Saved, RunError> {
    let began = Instant::now();
    let unusable: Vec<_> = order.targets.iter().filter_map(|target| target.usable().err()).collect();
    if unusable.len() == order.targets.len() {
        let failed = |error| HostFailure::cluster("save a snapshot", error);
        return Err(RunError::Failed(unusable.into_iter().map(failed).collect()));
    }
    let members = subject.cluster.with_role(Role::Etcd);
    let (fleet, unreachable) = Fleet::connect(members, subject.connector, subject.parallel, events).await;
    let views = etcd::views(&fleet, |_| true).await;
    let savers = etcd::savers(&views.ok);
    if savers.is_empty() {
        let none = HostFailure::cluster("save a snapshot", "no member of etcd is well and in sync");
        let none = none.hint("`kubewright etcd members` tells what each of them lacks");
        return Err(RunError::Failed([unreachable, views.failed, vec![none]].concat()));
    }
    // One member is enough; that others are gone is told, and is no failure of the snapshot.
    unreachable.iter().chain(&views.failed).for_each(|failure| events.note(failure.to_string()));
    let mut saved = Saved::default();
    for host in &savers {
        let (Some(member), Some(view)) = (fleet.member(host), views.ok.get(host)) else { continue };
        match from(subject, member, view, order).await {
            Ok((taken, origin)) => {
                let doubts = etcd::differing(&fleet).await;
                deliver(taken, origin, doubts, order, &mut saved).await;
                break;
            }
            Err(failure) => saved.failures.push(HostFailure::of(host, failure)),
        }
    }
    if saved.kept.is_empty() {
        return Err(RunError::Failed(saved.failures));
    }
    saved.took = began.elapsed();
    Ok(saved)
}

/// A whole snapshot of one member.
async fn from(
    subject: &Subject<'_>,
    member: &Member,
    view: &EtcdMember,
    order: &Order<'_>,
) -> Result<(Taken, Origin), Failure> {
    let failed = |error: TakeError| Failure {
        what: "save a snapshot of etcd".into(),
        why: error.to_string(),
        hint: matches!(error, TakeError::Member(_)).then(|| "on the host: journalctl -u etcd".into()),
    };
    let identity = identity(member).await?;
    let origin = origin(subject, &member.host.name, view, &identity);
    let (_tunnel, mut stream) = open(member, &identity).await?.map_err(|error| failed(error.into()))?;
    let taken = snapshot::receive(&mut stream, order, &origin, view.db_size, view.revision).await.map_err(failed)?;
    Ok((taken, origin))
}

fn origin(subject: &Subject<'_>, host: &HostName, view: &EtcdMember, identity: &Identity) -> Origin {
    Origin {
        cluster: subject.cluster.name.to_string(),
        member: host.to_string(),
        taken: Timestamp::now(),
        etcd: view.version.clone(),
        kubernetes: subject.image.manifest.kubernetes.to_string(),
        image: subject.image.digest.clone(),
        kubewright: env!("CARGO_PKG_VERSION").to_owned(),
        ca: Some(snapshot::fingerprint(&identity.ca)),
    }
}

/// Who we are to a member: what its host has for that.
async fn identity(member: &Member) -> Result<Identity, Failure> {
    let what = "read the certificate of a client of etcd";
    let paths = [ETCD_CA, ETCD_CLIENT_CERTIFICATE, ETCD_CLIENT_KEY].map(str::to_owned).to_vec();
    let mut files = match member.ask(what, ToAgent::Read { paths }).await? {
        Reply::Files { files } => files,
        other => return Err(unexpected(what, &other)),
    };
    let mut file = |path: &str| {
        let text = files.remove(path).flatten();
        let lost = || Failure::new(what, format!("{path} is not there")).hint("`kubewright install` writes it anew");
        text.ok_or_else(lost)
    };
    let (ca, certificate, key) = (file(ETCD_CA)?, file(ETCD_CLIENT_CERTIFICATE)?, file(ETCD_CLIENT_KEY)?);
    Ok(Identity { ca, certificate, key })
}

/// A way to the member, and its snapshot.
async fn open(member: &Member, identity: &Identity) -> Result<Result<(Tunnel, SnapshotStream), EtcdError>, Failure> {
    let address = member.host.address.to_string();
    let tunnel = Tunnel::open(member.connection.clone(), &address, etcd::CLIENT_PORT).await;
    let tunnel = tunnel.map_err(|error| remote("open a way to etcd", error))?;
    let stream = match MemberClient::connect(tunnel.local_address, &address, identity).await {
        Ok(client) => client.snapshot().await,
        Err(error) => Err(error),
    };
    Ok(stream.map(|stream| (tunnel, stream)))
}

/// Gives the snapshot to every place.
async fn deliver(taken: Taken, origin: Origin, doubts: Vec<String>, order: &Order<'_>, saved: &mut Saved) {
    for doubt in &doubts {
        let hint = "the snapshot is kept and counts as unverified; find the member that differs, and give it new data \
                    with `kubewright etcd replace`";
        saved.failures.push(HostFailure::cluster("compare the members of etcd", doubt).hint(hint));
    }
    match snapshot::deliver(taken, origin, doubts, order).await {
        Ok(delivered) => {
            saved.kept = delivered.kept;
            saved.pruned = delivered.pruned;
            let failed = delivered.failed.into_iter();
            saved.failures.extend(failed.map(|(what, error)| HostFailure::cluster(what, error)));
        }
        Err(error) => saved.failures.push(HostFailure::cluster("save a snapshot", error)),
    }
}
