//! Volume groups of LVM: what a run that ended early has left of ours.

use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::super::tool::tool;
use super::Device;
use super::content::{is_physical_volume, of_others};
use crate::desired::disk::Disk;

/// Tells our volume groups from those of others.
pub(in crate::host) const TAG: &str = "kubewright";
/// Name of the volume for the file system.
pub(in crate::host) const VOLUME: &str = "data";
const SEPARATOR: &str = "|";

/// What was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Remains {
    /// A physical volume that is in no group.
    Label,
    /// The volume group, with a volume or without, and nothing on that.
    Group,
}

/// What is left on `device` of making the group of `disk`. `None` also where somebody else had a part in what is there.
/// The device must be the one of the note.
pub(super) fn remains(machine: &Machine, disk: &Disk, device: &Device) -> Result<Option<Remains>, Failure> {
    let Some(group) = disk.volume_group() else { return Ok(None) };
    if !is_physical_volume(machine, device)? {
        return Ok(None);
    }
    let fields = report(machine, &disk.title(), "pvs", "vg_name,vg_tags,pv_count", &device.path())?;
    let (name, tags, devices) = match fields.as_slice() {
        [row] => match row.as_slice() {
            [name, tags, devices] => (name, tags, devices),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    if name.is_empty() {
        return Ok(Some(Remains::Label));
    }
    if *name != group || devices != "1" || !tags.split(',').any(|tag| tag == TAG) {
        return Ok(None);
    }
    for row in report(machine, &disk.title(), "lvs", "lv_name", &group)? {
        if row != [VOLUME] {
            return Ok(None);
        }
        // Asleep it cannot be looked at.
        let Some(volume) = Device::at(machine, &format!("/dev/{group}/{VOLUME}"))? else { return Ok(None) };
        if volume.user(machine)?.is_some() || of_others(machine, &volume, &disk.uuid)?.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(Remains::Group))
}

/// What `lvm REPORT` says of `of`, asked for `what`: a row of fields for each thing.
pub(in crate::host) fn report(
    machine: &Machine,
    what: &str,
    verb: &str,
    fields: &str,
    of: &str,
) -> Result<Vec<Vec<String>>, Failure> {
    let command = tool(machine, "lvm").args([verb, "--noheadings", "--separator", SEPARATOR, "--options", fields, of]);
    let output = machine.system.run(&command).map_err(|error| Failure::command(what, &error))?;
    let row = |line: &str| line.trim().split(SEPARATOR).map(str::to_owned).collect();
    Ok(output.text().lines().filter(|line| !line.trim().is_empty()).map(row).collect())
}

/// Whether a volume group is kubewright's.
pub(in crate::host) fn is_ours(machine: &Machine, what: &str, group: &str) -> Result<bool, Failure> {
    let tags = report(machine, what, "vgs", "vg_tags", group)?;
    Ok(tags.iter().flatten().any(|tags| tags.split(',').any(|tag| tag == TAG)))
}

/// Whether a device mapper's device is called `name`.
pub(in crate::host) fn is_mapped(machine: &Machine, name: &str) -> Result<bool, Failure> {
    Ok(mapped(machine)?.iter().any(|mapped| mapped == name))
}

/// The names of the device mapper's devices.
pub(in crate::host) fn mapped(machine: &Machine) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for device in machine.names("/sys/class/block")? {
        names.extend(machine.text(&format!("/sys/class/block/{device}/dm/name"))?.map(|name| name.trim().to_owned()));
    }
    Ok(names)
}
