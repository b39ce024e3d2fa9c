//! How fast the disk of etcd's data syncs: what etcd does for every write, measured the way its own documentation does
//! it with fio.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::machine::Machine;
use super::super::protocol::{Failure, Probed};

/// Size of a write: about that of an entry in etcd's log.
const BYTES: [u8; 2300] = [0x5a; 2300];
const WRITES: usize = 500;
/// A slow disk shows itself early.
const LIMIT: Duration = Duration::from_millis(1500);

pub(super) fn probe(machine: &Machine) -> Result<Probed, Failure> {
    let data = machine.root.at("/var/lib/etcd");
    let directory = if data.is_dir() { data } else { machine.root.at("/var/lib") };
    let file = directory.join(format!(".kubewright-sync-{}", std::process::id()));
    let took = measure(&file);
    let _ = fs::remove_file(&file);
    let mut took = took
        .map_err(|error| Failure::writing(format!("trying the disk of {}", directory.display()), &error, &directory))?;
    took.sort_unstable();
    let p99 = took.get(took.len().saturating_mul(99) / 100).or(took.last()).copied().unwrap_or_default();
    Ok(Probed::Syncs { p99_microseconds: u64::try_from(p99.as_micros()).unwrap_or(u64::MAX) })
}

fn measure(path: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let began = Instant::now();
    let mut took = Vec::with_capacity(WRITES);
    while took.len() < WRITES && began.elapsed() < LIMIT {
        let write = Instant::now();
        file.write_all(&BYTES)?;
        file.sync_data()?;
        took.push(write.elapsed());
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::*;

    #[test]
    fn a_disk_is_tried_and_nothing_is_left() {
        let host = Scripted::new();
        host.put("/var/lib/etcd/member/x", "");
        let Probed::Syncs { p99_microseconds } = probe(&host.machine).unwrap() else { panic!("another answer") };
        assert!(p99_microseconds > 0);
        assert_eq!(host.machine.names("/var/lib/etcd").unwrap(), ["member"]);
        let bare = Scripted::new();
        assert!(probe(&bare.machine).unwrap_err().what.contains("/var/lib"));
    }
}
