//! A host of etcd saves it by itself, when it is its turn: what its timer starts. It asks nobody but the members of etcd,
//! needs no one's login, and tells of every snapshot that did not come about.

mod saves;
#[cfg(test)]
mod tests;
mod word;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::etcdctl;
use super::machine::{Machine, STATE};
use super::probe::{etcd_get, etcd_probe, etcd_put};
use super::protocol::{ETCD_CA, ETCD_CLIENT_CERTIFICATE, ETCD_CLIENT_KEY, EtcdMember, Failure, Probed};
use super::prove::prove;
use crate::etcd::{Identity, MemberClient};
use crate::snapshot::{self, Delivered, Order, Origin, Record, Schedule, Target, Turn};

pub(super) use saves::read as saves;
pub use saves::{PlaceSaves, Saves};

/// What came of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Another host had its turn before this one, and has saved.
    SavedBy(String),
    /// Saved to these places.
    Saved(Vec<String>),
}

/// Takes this host's turn, as `settings` say.
pub async fn save(root: &Path, settings: &Path) -> Result<Outcome, Failure> {
    let machine = Machine::at(root.to_owned());
    take_turn(&machine, &read(settings)?, Timestamp::now()).await
}

fn read(settings: &Path) -> Result<Schedule, Failure> {
    let failed = |why: String| {
        Failure::new(format!("reading {}", settings.display()), why).hint("`kubewright install` writes it anew")
    };
    let text = std::fs::read_to_string(settings).map_err(|error| failed(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}

async fn take_turn(machine: &Machine, schedule: &Schedule, now: Timestamp) -> Result<Outcome, Failure> {
    let turn = schedule.turn(now);
    let turn = turn.ok_or_else(|| Failure::new("save etcd", format!("{} is no host of etcd", schedule.host)))?;
    let wait = Duration::try_from(turn.begins.duration_since(now)).unwrap_or_default();
    tokio::time::sleep(wait).await;
    if turn.rank > 0
        && let Some(by) = saved_by(machine, schedule, turn).await
    {
        return Ok(Outcome::SavedBy(by));
    }
    let began = Instant::now();
    let Made { delivered, proved, mut failures } = match deliver(machine, schedule).await {
        Ok(made) => made,
        Err(failure) => Made { delivered: Delivered::default(), proved: None, failures: vec![failure] },
    };
    failures.extend(delivered.failed.iter().map(|(what, error)| Failure::new(what, error)));
    if failures.is_empty() {
        // Who cannot say so is cut off from the others, and they will save, too.
        failures.extend(record(machine, schedule, turn).await.err());
    }
    let places: Vec<String> = delivered.kept.iter().map(|kept| kept.location.clone()).collect();
    let saves = saves::note(machine, schedule, &delivered, &failures, proved, began.elapsed())?;
    failures.extend(word::spread(schedule, &saves).await);
    Failure::all(failures).map_or(Ok(Outcome::Saved(places)), Err)
}

/// The host that has saved in this slot already, as far as etcd knows.
async fn saved_by(machine: &Machine, schedule: &Schedule, turn: Turn) -> Option<String> {
    let endpoint = endpoint(schedule).ok()?;
    let value = etcd_get(machine, endpoint, Schedule::RECORD).await.ok()??;
    let record: Record = serde_json::from_slice(&value).ok()?;
    (record.slot >= turn.slot).then_some(record.host)
}

async fn record(machine: &Machine, schedule: &Schedule, turn: Turn) -> Result<(), Failure> {
    let record = Record { slot: turn.slot, host: schedule.host.clone() };
    let value = serde_json::to_vec(&record).map_err(|error| Failure::new("save etcd", error))?;
    let put = etcd_put(machine, endpoint(schedule)?, Schedule::RECORD, &value).await;
    put.map_err(|why| Failure::new("tell the other members that a snapshot was saved", why))
}

fn endpoint(schedule: &Schedule) -> Result<&str, Failure> {
    let own = schedule.members.iter().find(|(name, _)| *name == schedule.host);
    own.map(|(_, endpoint)| endpoint.as_str())
        .ok_or_else(|| Failure::new("save etcd", format!("{} is no host of etcd", schedule.host)))
}

/// What became of a snapshot of this host's own member.
struct Made {
    delivered: Delivered,
    /// When it was proven, if it was.
    proved: Option<Timestamp>,
    /// What makes it doubtful.
    failures: Vec<Failure>,
}

async fn deliver(machine: &Machine, schedule: &Schedule) -> Result<Made, Failure> {
    let what = "save etcd";
    let failed = |why: String| Failure::new(what, why);
    let endpoint = endpoint(schedule)?;
    let view = view(machine, endpoint).await.map_err(failed)?;
    if view.leader.is_none() {
        let why = "its member knows of no leader: it is cut off, or there is no majority";
        return Err(failed(why.to_owned()).hint("`kubewright status` shows the other members"));
    }
    let errors: Vec<&str> = view.errors_but_space().map(String::as_str).collect();
    if !errors.is_empty() {
        let why = format!("its member is not well: {}", errors.join("; "));
        return Err(failed(why).hint("on the host: journalctl -u etcd"));
    }
    let targets = schedule.places.iter().map(Target::open).collect::<Result<Vec<_>, _>>();
    let targets = targets.map_err(|error| failed(error.to_string()))?;
    let keys = match &schedule.pki {
        // A file that is sealed already, so that it goes as it is.
        Some(path) => Some(machine.bytes(&path.to_string_lossy())?.ok_or_else(|| {
            failed(format!("{} is not there", path.display())).hint("`kubewright install` writes it anew")
        })?),
        None => None,
    };
    let scratch = machine.own_directory(&format!("{STATE}/snapshots"))?;
    let order = Order {
        targets: &targets,
        recipients: &schedule.recipients,
        pki: keys.as_deref().map(snapshot::Pki::Sealed),
        keep: schedule.keep.as_ref(),
        scratch: &scratch,
    };
    let identity = identity(machine)?;
    let origin = origin(schedule, &view, &identity);
    let address: SocketAddr = address(endpoint).ok_or_else(|| failed(format!("{endpoint} is no address")))?;
    let client = MemberClient::connect(address, &address.ip().to_string(), &identity).await;
    let mut stream = match client {
        Ok(client) => client.snapshot().await,
        Err(error) => Err(error),
    }
    .map_err(|error| failed(error.to_string()).hint("on the host: journalctl -u etcd"))?;
    let taken = snapshot::receive(&mut stream, &order, &origin, view.db_size, view.revision).await;
    let taken = taken.map_err(|error| failed(error.to_string()))?;
    let mut doubts = differing(machine, schedule, &view).await;
    let mut failures: Vec<_> = doubts.iter().map(|doubt| Failure::new("compare the members of etcd", doubt)).collect();
    let mut proved = None;
    if is_due(machine, schedule)? {
        let programs = etcdctl::programs(machine, what)?;
        match prove(&programs, &taken.path(), &scratch, taken.revision()).await {
            Ok(_) => proved = Some(Timestamp::now()),
            Err(failure) => {
                doubts.push(failure.to_string());
                failures.push(failure);
            }
        }
    }
    let delivered = snapshot::deliver(taken, origin, doubts, &order).await;
    delivered.map(|delivered| Made { delivered, proved, failures }).map_err(|error| failed(error.to_string()))
}

/// Whether it is time for a proof.
fn is_due(machine: &Machine, schedule: &Schedule) -> Result<bool, Failure> {
    let Some(every) = schedule.prove_every else { return Ok(false) };
    let last = saves::read(machine)?.and_then(|saves| saves.proved);
    let age = last.map(|last| Timestamp::now().as_second() - last.as_second());
    Ok(age.is_none_or(|age| u64::try_from(age).is_ok_and(|age| age >= every)))
}

fn address(endpoint: &str) -> Option<SocketAddr> {
    endpoint.split_once("://")?.1.parse().ok()
}

async fn view(machine: &Machine, endpoint: &str) -> Result<EtcdMember, String> {
    match etcd_probe(machine, endpoint).await.map_err(|failure| failure.to_string())? {
        Probed::Etcd(view) => Ok(view),
        Probed::Unreachable { why } => Err(why),
        other => Err(format!("{other:?}")),
    }
}

/// Members that have other data than this host's at the same revision. One that cannot be asked is no doubt of what
/// the others have, and one of another version cannot be compared.
async fn differing(machine: &Machine, schedule: &Schedule, own: &EtcdMember) -> Vec<String> {
    let mut doubts = Vec::new();
    let Ok(endpoint) = endpoint(schedule) else { return doubts };
    let Some(ours) = hash(machine, endpoint, own.revision) else { return doubts };
    for (name, endpoint) in schedule.members.iter().filter(|(name, _)| *name != schedule.host) {
        if !view(machine, endpoint).await.is_ok_and(|view| view.version == own.version) {
            continue;
        }
        // Members that have not compacted to the same revision have other hashes of the same data.
        if let Some(theirs) = hash(machine, endpoint, own.revision)
            && theirs.1 == ours.1
            && theirs.0 != ours.0
        {
            doubts.push(format!(
                "the member of {name} has other data than that of {} at revision {}",
                schedule.host, own.revision
            ));
        }
    }
    doubts
}

fn hash(machine: &Machine, endpoint: &str, revision: u64) -> Option<(u32, i64)> {
    match etcdctl::hash(machine, endpoint, revision) {
        Ok(Probed::EtcdHash { hash, compact_revision, .. }) => Some((hash, compact_revision)),
        _ => None,
    }
}

fn identity(machine: &Machine) -> Result<Identity, Failure> {
    let hint = "`kubewright install` writes it anew";
    let gone = |path: &str| Failure::new("save etcd", format!("{path} is not there")).hint(hint);
    let read = |path: &str| machine.text(path)?.ok_or_else(|| gone(path));
    Ok(Identity { ca: read(ETCD_CA)?, certificate: read(ETCD_CLIENT_CERTIFICATE)?, key: read(ETCD_CLIENT_KEY)? })
}

fn origin(schedule: &Schedule, view: &EtcdMember, identity: &Identity) -> Origin {
    Origin {
        cluster: schedule.cluster.clone(),
        member: schedule.host.clone(),
        taken: Timestamp::now(),
        etcd: view.version.clone(),
        kubernetes: schedule.kubernetes.clone(),
        image: schedule.image.clone(),
        kubewright: env!("CARGO_PKG_VERSION").to_owned(),
        ca: Some(snapshot::fingerprint(&identity.ca)),
    }
}
