//! Whether the data disks of a host can be brought about: decided by the same code that does it, with nothing changed.

use super::super::disk::{Decision, Device, decide};
use super::super::machine::Machine;
use super::super::protocol::{Failure, Probed};
use super::super::tool::has_tool;
use super::modules::kernel_has;
use crate::cluster::{Bytes, DiskLayout, Filesystem};
use crate::desired::disk::Disk;

pub(super) fn unusable(machine: &Machine, disks: &[Disk]) -> Result<Probed, Failure> {
    let mut problems = Vec::new();
    for disk in disks.iter().filter(|disk| disk.has_thin_pool()) {
        problems.extend(pool_programs(machine, disk));
    }
    for (disk, decision) in disks.iter().zip(decide(machine, disks)) {
        match decision {
            Ok(Decision::InPlace) => {}
            Ok(Decision::Mount(_)) => problems.extend(kernel(machine, disk)?),
            Ok(Decision::Format(device) | Decision::FormatAnew(device, _)) => {
                problems.extend(group(machine, disk, &device)?);
                problems.extend(pool_size(disk, &device));
                problems.extend(kernel(machine, disk)?);
                problems.extend(programs(machine, disk));
            }
            Err(failure) => problems.push(failure),
        }
    }
    Ok(Probed::Unusable { problems })
}

/// A volume group of the name that its own will have. One that is awake has a directory; one on the disk itself is what a
/// run that ended early has left.
fn group(machine: &Machine, disk: &Disk, device: &Device) -> Result<Option<Failure>, Failure> {
    let Some(group) = disk.volume_group() else { return Ok(None) };
    let taken = machine.exists(&format!("/dev/{group}"))? && device.user(machine)?.is_none();
    Ok(taken.then(|| {
        let why = format!("another disk of the host has a volume group {group}");
        Failure::new(disk.title(), why).hint("rename that one (vgrename), or take `lvm` out of the inventory")
    }))
}

/// The programs that make it.
fn programs(machine: &Machine, disk: &Disk) -> Vec<Failure> {
    let made = match disk.filesystem {
        Filesystem::Ext4 => ("mkfs.ext4", "e2fsprogs", ""),
        Filesystem::Xfs => ("mkfs.xfs", "xfsprogs", ", or write `filesystem: ext4` at this disk in the inventory"),
    };
    let divided = disk.volume_group().map(|_| ("lvm", "lvm2", ", or take `lvm` out of the inventory"));
    let missing = divided.into_iter().chain([made]).filter(|(program, _, _)| !has_tool(machine, program));
    let failure = |(program, package, other): (&str, &str, &str)| {
        let why = format!("the host has no {program} to make it with");
        Failure::new(disk.title(), why).hint(format!("install the package {package} on the host{other}"))
    };
    missing.map(failure).collect()
}

/// Every image without a layer in common with others begins with a file system of the full size, and a few per cent of
/// that are written at once. A pool that is full stops all containers of the host.
fn pool_size(disk: &Disk, device: &Device) -> Option<Failure> {
    let DiskLayout::ThinPool(pool) = disk.layout else { return None };
    let half = device.size / 2;
    (half < pool.base_image_size).then(|| {
        let (half, wanted) = (Bytes(half), Bytes(pool.base_image_size));
        let why = format!("{device} gives a thin pool of some {half}, and one container can grow to {wanted}");
        Failure::new(disk.title(), why).hint("name a larger disk, or write a smaller `baseImageSize`")
    })
}

/// What works with its thin pool: LVM checks one with `thin_check` before it wakes it, and containerd calls the other two.
fn pool_programs(machine: &Machine, disk: &Disk) -> Vec<Failure> {
    let needed = [
        ("dmsetup", "dmsetup or device-mapper"),
        ("thin_check", "thin-provisioning-tools or device-mapper-persistent-data"),
    ];
    let needed =
        needed.into_iter().chain([("mkfs.ext4", "e2fsprogs")]).filter(|(program, _)| !has_tool(machine, program));
    let failure = |(program, package): (&str, &str)| {
        let why = format!("the host has no {program}, which containerd's devmapper snapshotter needs");
        let hint = format!("install the package {package} on the host, or take `snapshotter` out of the inventory");
        Failure::new(disk.title(), why).hint(hint)
    };
    needed.map(failure).collect()
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::super::disk::tests::{UUID, disk, make_ext4, plug_in, write};
    use super::super::super::testing::Scripted;
    use super::*;
    use crate::cluster::{DeviceRule, DiskUse, ThinPool};

    fn problems(host: &Scripted, disk: &Disk) -> Vec<String> {
        let Probed::Unusable { problems } = unusable(&host.machine, std::slice::from_ref(disk)).unwrap() else {
            panic!("another answer")
        };
        assert!(problems.iter().all(|problem| problem.hint.is_some()), "{problems:?}");
        problems.into_iter().map(|problem| problem.why).collect()
    }

    #[test]
    fn what_is_missing_is_told_before_anything_is_made() {
        let host = Scripted::new();
        plug_in(&host, "vdb", "254:16", 16);
        let plain = disk(DiskUse::Etcd, DeviceRule::Path("/dev/vdb".into()));
        let volume = Disk { layout: DiskLayout::Lvm, ..plain.clone() };
        assert_eq!(
            problems(&host, &volume),
            [
                "the running kernel has no ext4",
                "the host has no lvm to make it with",
                "the host has no mkfs.ext4 to make it with",
            ]
        );
        host.put("/proc/filesystems", "nodev\tsysfs\n\text4\n");
        for program in ["lvm", "mkfs.ext4"] {
            host.put(&format!("/sbin/{program}"), "");
            std::fs::set_permissions(host.at(&format!("/sbin/{program}")), std::fs::Permissions::from_mode(0o755))
                .unwrap();
        }
        assert_eq!(problems(&host, &volume), [""; 0]);
        let layout = DiskLayout::ThinPool(ThinPool { base_image_size: 9 << 20 });
        let pool = Disk { layout, purpose: DiskUse::Containerd, ..plain.clone() };
        assert_eq!(
            problems(&host, &pool),
            [
                "the host has no dmsetup, which containerd's devmapper snapshotter needs",
                "the host has no thin_check, which containerd's devmapper snapshotter needs",
                "/dev/vdb (16 MiB) gives a thin pool of some 8 MiB, and one container can grow to 9 MiB",
            ]
        );
        write(&host, "vdb", 1 << 20, b"x");
        assert_eq!(problems(&host, &plain).len(), 1);
        // What is there already needs no program.
        let host = Scripted::new();
        plug_in(&host, "vdb", "254:16", 16);
        make_ext4(host.directory(), "vdb", UUID);
        host.put("/proc/filesystems", "\text4\n");
        assert_eq!(problems(&host, &plain), [""; 0]);
    }
}
