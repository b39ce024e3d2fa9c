//! Restarts that are owed to units, because files that they read have changed.
//!
//! The note is on disk before the file changes and goes after the restart: a run that is killed in between leaves
//! the note, and the next run restarts what still runs on old files.

use std::collections::BTreeMap;
use std::fs;

use super::atomic::{self, Attributes};
use super::machine::{Machine, STATE, found};
use super::protocol::Failure;

fn directory() -> String {
    format!("{STATE}/pending")
}

/// What is owed: the cause by unit.
pub(super) fn owed(machine: &Machine) -> Result<BTreeMap<String, String>, Failure> {
    let mut owed = BTreeMap::new();
    for name in machine.names(&directory())?.into_iter().filter(|name| !atomic::is_ours(name)) {
        if let Some(cause) = machine.text(&format!("{}/{name}", directory()))? {
            owed.insert(name, cause);
        }
    }
    Ok(owed)
}

/// Notes that `name` is owed because of `cause`, durably.
pub(super) fn note(machine: &Machine, name: &str, cause: &str) -> Result<(), Failure> {
    let path = machine.own_directory(&directory())?.join(name);
    let written = atomic::write(&path, cause.as_bytes(), Attributes { mode: 0o600, owner: None });
    written.map_err(|error| Failure::new(format!("noting that {name} is owed in {}", path.display()), error))
}

/// Takes the note away.
pub(super) fn settle(machine: &Machine, name: &str) -> Result<(), Failure> {
    let path = machine.root.at(format!("{}/{name}", directory()));
    let removed = found(fs::remove_file(&path)).map(drop);
    removed.map_err(|error| Failure::new(format!("removing {}", path.display()), error))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scripted;
    use super::*;

    #[test]
    fn a_note_lasts_until_it_is_settled() {
        let host = Scripted::new();
        assert!(owed(&host.machine).unwrap().is_empty());
        note(&host.machine, "etcd.service", "/etc/etcd/etcd.env").unwrap();
        note(&host.machine, "a.service", "/etc/a changed").unwrap();
        host.put("/var/lib/kubewright/pending/.kubewright-1-kubelet.service.tmp", "");
        let names: Vec<String> = owed(&host.machine).unwrap().into_keys().collect();
        assert_eq!(names, ["a.service", "etcd.service"]);
        settle(&host.machine, "a.service").unwrap();
        settle(&host.machine, "a.service").unwrap();
        assert_eq!(owed(&host.machine).unwrap()["etcd.service"], "/etc/etcd/etcd.env");
    }
}
