//! File systems, disks and swap.

use nix::sys::statvfs::statvfs;

use super::super::machine::Machine;
use super::super::proc::{self, MountLine};
use super::super::protocol::Failure;
use crate::cluster::{Disk, Facts, Mount};

const DISKS: &str = "/sys/block";
/// Local file systems that hold data. Asking one on the network that is gone would hang for ever.
const KINDS: [&str; 9] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "overlay"];
/// What containers mount is no data of the host.
const CONTAINERS: [&str; 4] = ["/var/lib/kubelet/", "/run/containerd/", "/var/lib/docker/", "/var/lib/containers/"];

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    let text = machine.text("/proc/mounts")?.unwrap_or_default();
    for MountLine { path, kind, options, .. } in data(&text) {
        let stat = statvfs(&machine.root.at(&path));
        let stat = stat.map_err(|error| Failure::new(format!("looking at the file system {path}"), error))?;
        let unit = stat.fragment_size();
        let (size, free) = (stat.blocks() * unit, stat.blocks_free() * unit);
        let (inodes, inodes_free) = (stat.files(), stat.files_free());
        facts.mounts.push(Mount { path, kind, options, size, free, inodes, inodes_free });
    }
    for name in machine.names(DISKS)? {
        let directory = format!("{DISKS}/{name}");
        // Loop devices, RAM disks and device-mapper volumes have no device behind them.
        if !machine.exists(&format!("{directory}/device"))? {
            continue;
        }
        let number = |path: &str| machine.text(&format!("{directory}/{path}"));
        let sectors: u64 = number("size")?.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let rotational = number("queue/rotational")?.is_some_and(|text| text.trim() == "1");
        facts.disks.push(Disk { name, size: sectors * 512, rotational });
    }
    facts.swaps = proc::swaps(&machine.text("/proc/swaps")?.unwrap_or_default());
    Ok(())
}

/// Mount points that hold data, each once: what was mounted last on a path hides the rest.
fn data(mounts: &str) -> Vec<MountLine> {
    let mut seen = std::collections::BTreeSet::new();
    let mut data: Vec<MountLine> = proc::mounts(mounts)
        .into_iter()
        .rev()
        .filter(|mount| seen.insert(mount.path.clone()))
        .filter(|mount| KINDS.contains(&mount.kind.as_str()))
        .filter(|mount| !CONTAINERS.iter().any(|prefix| mount.path.starts_with(prefix)))
        .collect();
    data.reverse();
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_file_systems_that_hold_data_count() {
        let text = "sysfs /sys sysfs rw 0 0\n/dev/ubda / ext4 rw 0 0\n/dev/sdb /var/lib/etcd xfs rw 0 0\n\
            nas:/x /mnt nfs4 rw 0 0\noverlay /run/containerd/io.containerd.runtime.v2.task/k8s.io/x/rootfs overlay rw 0 0\n\
            /dev/sdc /hidden ext4 rw 0 0\ntmpfs /hidden tmpfs rw 0 0\n";
        let data: Vec<_> = data(text).into_iter().map(|mount| format!("{} {}", mount.path, mount.kind)).collect();
        assert_eq!(data, ["/ ext4", "/var/lib/etcd xfs"]);
    }
}
