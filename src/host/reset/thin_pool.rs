//! Takes away the thin pool with every layer and every container that is in it: containerd's own account of them is gone
//! by now. Its volume group stays, with the file system that the next install finds; that makes the pool anew.

use super::super::disk::{TAG, is_mapped, mapped, report_of};
use super::super::protocol::Action;
use super::super::tool::tool;
use super::Work;
use crate::cluster::DiskUse;
use crate::desired::disk::{POOL, mapper_name, volume_group};
use crate::desired::state::Part;

pub(super) fn remove(work: &mut Work) {
    let group = volume_group(DiskUse::Containerd);
    let (name, pool) = (format!("{group}/{POOL}"), mapper_name(&group, POOL));
    let what = format!("thin pool {name}");
    if !work.look(is_mapped(work.machine, &pool)) {
        return;
    }
    let tags = work.look(report_of(work.machine, &what, "vgs", "vg_tags", &group));
    if !tags.iter().flatten().any(|tags| tags.split(',').any(|tag| tag == TAG)) {
        return;
    }
    work.step(Part::Disks, &what, Action::Remove, "removed with all its volumes", |machine| {
        // As containerd calls them.
        let snapshots = format!("{pool}-snap-");
        for volume in mapped(machine)?.iter().filter(|volume| volume.starts_with(&snapshots)) {
            let command = tool(machine, "dmsetup").args(["remove", "--retry", volume]);
            Work::run(machine, &what, &command)
                .map_err(|failure| failure.hint(format!("end whatever uses /dev/mapper/{volume}, and reset again")))?;
        }
        Work::run(machine, &what, &tool(machine, "lvm").args(["lvremove", "--yes", &name]))
    });
}
