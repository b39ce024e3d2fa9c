//! What a host remembers of restores of etcd: the one that is under way, and the last one, while there is a way back.

use serde::{Deserialize, Serialize};

use super::machine::{Machine, STATE};
use super::protocol::Failure;
use crate::image::Blob;

/// Where etcd's data are.
pub(super) const DATA: &str = "/var/lib/etcd";

/// A restore, the same one for all hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// Letters and digits; no two restores have the same.
    pub id: String,
    /// The snapshot.
    pub snapshot: Blob,
    /// When it was taken, and from which cluster, for people.
    pub title: String,
    /// Revision in it.
    pub revision: u64,
    /// `--initial-cluster` of the members.
    pub initial_cluster: String,
}

/// Where what was there before the restore is kept.
pub(super) fn before(id: &str) -> String {
    format!("{DATA}/before-{id}")
}

/// The restore that is under way on this host.
pub(super) fn under_way(machine: &Machine) -> Result<Option<Restore>, Failure> {
    read(machine, &format!("{STATE}/restore/under-way.json"))
}

/// The last restore that went to its end here, and whose way back is still open.
pub(super) fn last(machine: &Machine) -> Result<Option<Restore>, Failure> {
    let last: Option<Restore> = read(machine, &format!("{STATE}/restore/last.json"))?;
    Ok(last.filter(|last| machine.root.at(before(&last.id)).exists()))
}

fn read(machine: &Machine, path: &str) -> Result<Option<Restore>, Failure> {
    let Some(text) = machine.text(path)? else { return Ok(None) };
    let damaged = |error| Failure::new(format!("reading {path}"), error);
    serde_json::from_str(&text).map(Some).map_err(damaged)
}
