//! Takes away the thin pool with every layer and every container that is in it. Its volume group stays, with the file
//! system that the next install finds; that makes the pool anew.
//!
//! It goes before containerd's own account of what is in it: a pool of which nothing is known would be filled up with what
//! nobody can remove, but an account without a pool is seen, and refused.

use super::super::disk::{is_ours, mapped, report};
use super::super::machine::Machine;
use super::super::protocol::{Action, Failure};
use super::super::tool::tool;
use super::Work;
use crate::cluster::DiskUse;
use crate::desired::disk::{POOL, mapper_name, volume_group};
use crate::desired::state::Part;

pub(super) fn remove(work: &mut Work) {
    let group = volume_group(DiskUse::Containerd);
    let name = format!("{group}/{POOL}");
    let what = format!("thin pool {name}");
    if !work.look(is_there(work.machine, &what, &group)) {
        return;
    }
    work.step(Part::Disks, &what, Action::Remove, "removed with all its volumes", |machine| {
        // As containerd calls them.
        let snapshots = format!("{}-snap-", mapper_name(&group, POOL));
        for volume in mapped(machine)?.iter().filter(|volume| volume.starts_with(&snapshots)) {
            let command = tool(machine, "dmsetup").args(["remove", "--retry", volume]);
            Work::run(machine, &what, &command)
                .map_err(|failure| failure.hint(format!("end whatever uses /dev/mapper/{volume}, and reset again")))?;
        }
        Work::run(machine, &what, &tool(machine, "lvm").args(["lvremove", "--yes", &name]))
    });
}

/// Whether our group has a pool, awake or asleep. LVM makes a directory for a group with any volume that is awake.
fn is_there(machine: &Machine, what: &str, group: &str) -> Result<bool, Failure> {
    if !machine.exists(&format!("/dev/{group}"))? || !is_ours(machine, what, group)? {
        return Ok(false);
    }
    let volumes = report(machine, what, "lvs", "lv_name,segtype", group)?;
    Ok(volumes.iter().any(|row| row == &[POOL, "thin-pool"]))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::*;

    const TAGS: &str = "lvm vgs --noheadings --separator | --options vg_tags kubewright-containerd";
    const VOLUMES: &str = "lvm lvs --noheadings --separator | --options lv_name,segtype kubewright-containerd";

    fn removed(host: &Scripted) -> (Vec<String>, usize) {
        let mut events = |_| {};
        let mut work = Work { machine: &host.machine, events: &mut events, parts: Vec::new(), failures: Vec::new() };
        remove(&mut work);
        let changes = work.parts.iter().flat_map(|part| &part.changes);
        (changes.map(|change| format!("{}: {}", change.resource, change.summary)).collect(), work.failures.len())
    }

    #[test]
    fn the_pool_goes_with_containerds_volumes_and_no_others() {
        let host = Scripted::new();
        assert_eq!(removed(&host), (Vec::new(), 0), "LVM is not even asked");
        host.put("/dev/kubewright-containerd/data", "");
        for (device, name) in [
            ("dm-0", "kubewright--containerd-data"),
            ("dm-3", "kubewright--containerd-pool"),
            ("dm-4", "kubewright--containerd-pool-snap-7"),
            ("dm-5", "vg-pool-snap-7"),
        ] {
            host.put(&format!("/sys/class/block/{device}/dm/name"), &format!("{name}\n"));
        }
        host.expect(TAGS, "  kubewright\n");
        host.expect(VOLUMES, "  data|linear\n  pool|thin-pool\n");
        host.expect_failure("dmsetup remove --retry kubewright--containerd-pool-snap-7", "Device or resource busy");
        assert_eq!(removed(&host), (Vec::new(), 1), "what is used is not taken away");
        host.expect(TAGS, "  web,kubewright\n");
        host.expect(VOLUMES, "  data|linear\n  pool|thin-pool\n");
        host.expect("dmsetup remove --retry kubewright--containerd-pool-snap-7", "");
        host.expect("lvm lvremove --yes kubewright-containerd/pool", "");
        let told = "thin pool kubewright-containerd/pool: removed with all its volumes".to_owned();
        assert_eq!(removed(&host), (vec![told], 0));
        host.done();
    }

    #[test]
    fn a_group_of_others_is_left_alone_and_one_without_a_pool_needs_nothing() {
        let host = Scripted::new();
        host.put("/dev/kubewright-containerd/data", "");
        host.expect(TAGS, "\n");
        assert_eq!(removed(&host), (Vec::new(), 0));
        host.expect(TAGS, "kubewright\n");
        host.expect(VOLUMES, "  data|linear\n");
        assert_eq!(removed(&host), (Vec::new(), 0));
        host.expect_failure(TAGS, "I/O error");
        assert_eq!(removed(&host), (Vec::new(), 1), "not there and could not look are different answers");
        host.done();
    }
}
