//! Rules about data disks.

use std::collections::BTreeMap;

use super::{Place, Violation};
use crate::cluster::{DeviceRule, DiskUse, Host, Parts};

pub(super) fn every_disk_is_for_something_else(parts: &Parts) -> Vec<Violation> {
    each(parts, |host| {
        let twice = host
            .disks
            .iter()
            .enumerate()
            .find(|(index, disk)| host.disks.iter().take(*index).any(|before| before.purpose == disk.purpose));
        twice.map(|(_, disk)| {
            let message = format!("{} has two disks for {}", host.name, disk.purpose);
            (message, format!("keep one of them; everything of {} is on one disk", disk.purpose))
        })
    })
}

pub(super) fn no_device_is_named_twice(parts: &Parts) -> Vec<Violation> {
    each(parts, |host| {
        let mut first: BTreeMap<&str, DiskUse> = BTreeMap::new();
        let twice = host.disks.iter().find_map(|disk| {
            let DeviceRule::Path(device) = &disk.device else { return None };
            let before = *first.entry(device.as_str()).or_insert(disk.purpose);
            (before != disk.purpose).then_some((before, disk.purpose, device))
        });
        twice.map(|(before, this, device)| {
            let message = format!("{} has {device} for {before} and for {this}", host.name);
            (message, "give each use a disk of its own".into())
        })
    })
}

pub(super) fn the_roles_have_a_use_for_every_disk(parts: &Parts) -> Vec<Violation> {
    each(parts, |host| {
        let idle = host.disks.iter().find(|disk| !disk.purpose.suits(&host.roles))?;
        let roles = host.roles.iter().map(|role| role.to_string()).collect::<Vec<_>>().join(", ");
        let message =
            format!("{} has a disk for {}, which does not run there: its roles are {roles}", host.name, idle.purpose);
        Some((message, "remove the disk, or add the role that needs it".into()))
    })
}

pub(super) fn only_containerd_has_a_thin_pool(parts: &Parts) -> Vec<Violation> {
    each(parts, |host| {
        let other = host.disks.iter().find(|disk| disk.thin_pool().is_some() && disk.purpose != DiskUse::Containerd)?;
        let message = format!("{} has a snapshotter on its disk for {}", host.name, other.purpose);
        Some((message, "`snapshotter` goes with `for: containerd` only: remove it".into()))
    })
}

/// One violation at most for each host.
fn each(parts: &Parts, judge: impl Fn(&Host) -> Option<(String, String)>) -> Vec<Violation> {
    let judged = parts.hosts.iter().enumerate().filter_map(|(index, host)| {
        let (message, hint) = judge(host)?;
        Some(Violation::new(Place::host(index, "disks"), message, hint))
    });
    judged.collect()
}
