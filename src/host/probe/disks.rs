//! Whether the data disks of a host can be brought about: decided by the same code that does it, with nothing changed.

use super::super::disk::{Decision, decide};
use super::super::machine::Machine;
use super::super::protocol::{Failure, Probed};
use super::super::tool::has_tool;
use super::modules::kernel_has;
use crate::cluster::Filesystem;
use crate::desired::disk::Disk;

pub(super) fn unusable(machine: &Machine, disks: &[Disk]) -> Result<Probed, Failure> {
    let mut problems = Vec::new();
    for (disk, decision) in disks.iter().zip(decide(machine, disks)) {
        match decision {
            Ok(Decision::InPlace) => {}
            Ok(Decision::Mount(_)) => problems.extend(kernel(machine, disk)?),
            Ok(Decision::Format(_)) => {
                problems.extend(kernel(machine, disk)?);
                problems.extend(program(machine, disk));
            }
            Err(failure) => problems.push(failure),
        }
    }
    Ok(Probed::Unusable { problems })
}

/// The program that makes the file system.
fn program(machine: &Machine, disk: &Disk) -> Option<Failure> {
    let program = format!("mkfs.{}", disk.filesystem);
    let (package, other) = match disk.filesystem {
        Filesystem::Ext4 => ("e2fsprogs", ""),
        Filesystem::Xfs => ("xfsprogs", ", or write `filesystem: ext4` at this disk in the inventory"),
    };
    (!has_tool(machine, &program)).then(|| {
        let why = format!("the host has no {program} to format it with");
        Failure::new(disk.title(), why).hint(format!("install the package {package} on the host{other}"))
    })
}

fn kernel(machine: &Machine, disk: &Disk) -> Result<Option<Failure>, Failure> {
    let kind = disk.filesystem.as_str();
    let known = machine.text("/proc/filesystems")?.unwrap_or_default();
    let known = known.lines().any(|line| line.split_whitespace().next_back() == Some(kind));
    Ok((!known && !kernel_has(machine, kind)?).then(|| {
        let why = format!("the running kernel has no {kind}");
        Failure::new(disk.title(), why).hint("install the kernel's modules for it, or write another `filesystem`")
    }))
}
