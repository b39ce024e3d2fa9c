//! The thin pool of containerd's snapshots, in the volume group of its disk. Only the pool is made here: the thin volumes
//! in it are made and removed by containerd, which remembers them in a database of its own, on the file system beside the
//! pool. The one without the other is worth nothing.

use super::super::disk::{TAG, is_mapped, is_ours, report};
use super::super::protocol::Failure;
use super::super::tool::tool;
use super::Context;
use crate::desired::disk::{Disk, POOL, mapper_name};

/// Where containerd remembers its thin volumes.
pub(in crate::host) const SNAPSHOTS: &str = "/var/lib/containerd/io.containerd.snapshotter.v1.devmapper/metadata.db";

/// The rest is for the pool's metadata and their spare copy, and for whoever must make the pool larger.
const SHARE: &str = "90%FREE";
/// A first write to a chunk takes all of it, and every chunk needs metadata: between what small files like and what large
/// pools do.
const CHUNK: &str = "256k";

/// Whether `disk` should have a pool that is not there, or asleep.
pub(super) fn is_wanting(cx: &Context, disk: &Disk) -> Result<bool, Failure> {
    match group(disk) {
        Some(group) => is_mapped(&cx.machine, &mapper_name(&group, POOL)).map(|there| !there),
        None => Ok(false),
    }
}

/// Wakes the pool, or makes it. Never anew where containerd has had one: what is lost is told.
pub(super) fn ensure(cx: &Context, disk: &Disk) -> Result<(), Failure> {
    let Some(group) = group(disk) else { return Ok(()) };
    if !is_wanting(cx, disk)? {
        return Ok(());
    }
    let name = format!("{group}/{POOL}");
    let lvm = |arguments: &[&str]| cx.run(&disk.title(), &tool(&cx.machine, "lvm").args(arguments.iter().copied()));
    let volumes = report(&cx.machine, &disk.title(), "lvs", "lv_name,segtype", &group)?;
    match volumes.iter().find(|row| row.first().is_some_and(|volume| volume == POOL)) {
        Some(row) if row.get(1).is_some_and(|kind| kind == "thin-pool") => {
            lvm(&["lvchange", "--activate", "y", &name])?
        }
        Some(_) => {
            let failure = Failure::new(disk.title(), format!("{name} is no thin pool"));
            return Err(failure.hint(format!("see `lvs {group}`; where nobody needs it: lvremove {name}")));
        }
        None => {
            if cx.machine.exists(SNAPSHOTS)? {
                let why = format!("the thin pool {name} is gone, and with it what {SNAPSHOTS} speaks of");
                let hint = "drain the node, reset this host alone (by an inventory of its own, with another name), and \
                            install again";
                return Err(Failure::new(disk.title(), why).hint(hint));
            }
            if !is_ours(&cx.machine, &disk.title(), &group)? {
                let why = format!("the volume group {group} is not kubewright's: it has no tag {TAG}");
                return Err(Failure::new(disk.title(), why).hint("rename the group (vgrename) and run again"));
            }
            // New chunks need not be zeroed: containerd makes a file system on each volume.
            let shape = ["--extents", SHARE, "--chunksize", CHUNK, "--zero", "n", "--name", POOL, &group];
            lvm(&[&["lvcreate", "--yes", "--type", "thin-pool"][..], &shape].concat())?
        }
    };
    if is_wanting(cx, disk)? {
        let failure = Failure::new(disk.title(), format!("LVM has succeeded, but {name} is not there"));
        return Err(failure.hint("see `lvs --all` and `dmesg` on the host"));
    }
    Ok(())
}

fn group(disk: &Disk) -> Option<String> {
    disk.volume_group().filter(|_| disk.has_thin_pool())
}
