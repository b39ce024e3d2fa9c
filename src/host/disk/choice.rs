//! Which device a data disk is, and what is still to be done about it. Never a guess: what is not blank, in use or not
//! the only one is refused with what was found.

use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::content::{file_system, of_others, what_is_on};
use super::group::{Remains, remains};
use super::note::Note;
use super::table::mounted_at;
use super::{Device, Found};
use crate::cluster::{DeviceRule, SizeRule};
use crate::desired::disk::Disk;

/// What is still to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) enum Decision {
    /// Nothing: its file system is mounted in its place.
    InPlace,
    /// Its file system is on this device, and not mounted.
    Mount(Device),
    /// This device is blank, or was blank when an earlier run began to format it.
    Format(Device),
    /// This device was blank when an earlier run began to make its volume group, and has this of it.
    FormatAnew(Device, Remains),
}

impl Decision {
    fn device(&self) -> Option<&Device> {
        match self {
            Self::InPlace => None,
            Self::Mount(device) | Self::Format(device) | Self::FormatAnew(device, _) => Some(device),
        }
    }

    /// The device that nobody may be using. Where our own group is left, that one does.
    fn idle(&self) -> Option<&Device> {
        match self {
            Self::InPlace | Self::FormatAnew(..) => None,
            Self::Mount(device) | Self::Format(device) => Some(device),
        }
    }
}

/// Decides about every disk of a host, in order. Two that turn out to be the same device are both refused.
pub(in crate::host) fn decide(machine: &Machine, disks: &[Disk]) -> Vec<Result<Decision, Failure>> {
    let decisions: Vec<_> = disks.iter().map(|disk| one(machine, disk, disks)).collect();
    let devices: Vec<Option<Device>> =
        decisions.iter().map(|made| made.as_ref().ok().and_then(Decision::device).cloned()).collect();
    let alone = |(index, made): (usize, Result<Decision, Failure>)| {
        let device = devices.get(index).cloned().flatten();
        let other = devices
            .iter()
            .zip(disks)
            .enumerate()
            .find(|(other, (one, _))| *other != index && device.is_some() && **one == device);
        match (other, disks.get(index), device) {
            (Some((_, (_, other))), Some(disk), Some(device)) => {
                let why = format!("{device} would be for {}, too", other.purpose);
                Err(Failure::new(disk.title(), why)
                    .hint("name each disk by its path in the inventory, or narrow the sizes"))
            }
            _ => made,
        }
    };
    decisions.into_iter().enumerate().map(alone).collect()
}

fn one(machine: &Machine, disk: &Disk, all: &[Disk]) -> Result<Decision, Failure> {
    let place = disk.purpose.mount_point();
    if let Some(mount) = mounted_at(machine, place)? {
        let device = Device::numbered(machine, &mount.number)?;
        let found = device.as_ref().map(|device| file_system(machine, device)).transpose()?.flatten();
        if found.as_ref().is_some_and(|found| found.uuid == disk.uuid) {
            return Ok(Decision::InPlace);
        }
        let why = format!("another file system is mounted at {place}: {}", device_words(&mount.source, found.as_ref()));
        let hint = format!(
            "a disk that you have mounted yourself needs no entry: remove the one for {} from the inventory; to make one of \
             kubewright's in another way, drain the node, reset this host alone (by an inventory of its own, with \
             another name), and wipe the disk",
            disk.purpose
        );
        return Err(Failure::new(disk.title(), why).hint(hint));
    }
    let note = Note::read(machine, disk)?;
    let decision = match own(machine, disk, note.as_ref())? {
        Some(device) => Decision::Mount(device),
        None => blank(machine, disk, note.as_ref(), all)?,
    };
    if let Some(user) = decision.idle().map(|device| device.user(machine)).transpose()?.flatten() {
        let device = decision.idle().map(Device::path).unwrap_or_default();
        return Err(Failure::new(disk.title(), format!("{device} {user}")).hint(IN_USE));
    }
    is_free(machine, disk, place)?;
    Ok(decision)
}

const IN_USE: &str = "name another disk in the inventory; one that is in use is never touched";

fn device_words(source: &str, found: Option<&Found>) -> String {
    found.map_or_else(|| source.to_owned(), |found| format!("{source}, {} with the UUID {}", found.kind, found.uuid))
}

/// The device that has the file system already. One that an earlier run had begun and not ended is not it.
fn own(machine: &Machine, disk: &Disk, note: Option<&Note>) -> Result<Option<Device>, Failure> {
    let mut having = Vec::new();
    for device in Device::all(machine)? {
        // A device that cannot be read has nothing to say here: the idle path to a disk that has several is one.
        let found = file_system(machine, &device).ok().flatten();
        let ours =
            found.is_some_and(|found| found.uuid == disk.uuid && found.kind == disk.filesystem && found.complete);
        let unfinished = note.filter(|note| note.is_unfinished(disk));
        match unfinished.map(|note| was_begun(machine, disk, note, &device)).transpose()? {
            _ if !ours => {}
            None => having.push(device),
            // It is made anew.
            Some(true) => {}
            Some(false) => return Err(half_made(disk, &device)),
        }
    }
    if having.len() > 1 {
        // Paths to one disk are held by the device that joins them.
        let mut top = Vec::new();
        for device in having {
            if !device.is_held(machine)? {
                top.push(device);
            }
        }
        having = top;
    }
    match having.as_slice() {
        [] | [_] => Ok(having.pop()),
        several => {
            let names = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let why = format!("{names} have the same file system, with the UUID {}", disk.uuid);
            Err(Failure::new(disk.title(), why).hint("one is a copy of the other: take it out of the host"))
        }
    }
}

/// Whether `device`, or the disk that it is a volume of, is the one of the note.
fn was_begun(machine: &Machine, disk: &Disk, note: &Note, device: &Device) -> Result<bool, Failure> {
    if disk.volume_group().is_some() {
        for below in device.below(machine)? {
            if note.allows(machine, disk, &below)? {
                return Ok(true);
            }
        }
    }
    note.allows(machine, disk, device)
}

/// It may be another disk than the one of the note, and then hold data.
fn half_made(disk: &Disk, device: &Device) -> Failure {
    let why = format!(
        "a run that ended early was formatting a disk, and nothing tells whether it was {device}, whose file system may \
         be half made"
    );
    let (path, note) = (device.path(), format!("/var/lib/kubewright/disks/{}", disk.purpose));
    Failure::new(disk.title(), why)
        .hint(format!("mount {path} and look: if it holds data, remove {note}; if not, wipe it: {}", wiping(device)))
}

/// A blank device that is meant by the inventory.
fn blank(machine: &Machine, disk: &Disk, note: Option<&Note>, all: &[Disk]) -> Result<Decision, Failure> {
    match &disk.device {
        DeviceRule::Path(path) => named(machine, disk, path, note),
        DeviceRule::Size(rule) => sized(machine, disk, rule, note, all),
    }
}

fn named(machine: &Machine, disk: &Disk, path: &str, note: Option<&Note>) -> Result<Decision, Failure> {
    let Some(device) = Device::at(machine, path)? else {
        let failure = Failure::new(disk.title(), format!("there is no {path}"));
        return Err(failure.hint(format!("correct the inventory: the host has {}", disks_of(machine)?)));
    };
    match verdict(machine, disk, &device, note)? {
        Verdict::Blank => Ok(Decision::Format(device)),
        Verdict::Left(remains) => Ok(Decision::FormatAnew(device, remains)),
        Verdict::Used(how) if disk.volume_group().is_some() && how.starts_with("is part of") => {
            Err(asleep(disk, &device, &how))
        }
        Verdict::Used(how) => Err(Failure::new(disk.title(), format!("{device} {how}")).hint(IN_USE)),
        Verdict::Against(reason) if disk.volume_group().is_some() && reason.contains("LVM") => {
            Err(asleep(disk, &device, &reason))
        }
        Verdict::Against(reason) => Err(refused(disk, &device, &reason)),
    }
}

/// Its volume group may be ours, asleep or half made.
fn asleep(disk: &Disk, device: &Device, reason: &str) -> Failure {
    let group = disk.volume_group().unwrap_or_default();
    let hint = format!(
        "nothing was changed on it. If its volume group is {group}, wake it (vgchange -ay {group}) and run again; where \
         nobody needs what is in it, remove it yourself (vgremove {group}; pvremove {})",
        device.path()
    );
    Failure::new(disk.title(), format!("{device} is not blank: it {reason}")).hint(hint)
}

fn refused(disk: &Disk, device: &Device, reason: &str) -> Failure {
    let hint = format!(
        "nothing was changed on it. If nobody needs what is there, wipe its ends yourself and run again: {}",
        wiping(device)
    );
    Failure::new(disk.title(), format!("{device} is not blank: it {reason}")).hint(hint)
}

/// Commands after which a device is blank.
fn wiping(device: &Device) -> String {
    let (path, end) = (device.path(), (device.size >> 20).saturating_sub(4));
    format!("wipefs --all {path}; dd if=/dev/zero of={path} bs=1M count=4; dd if=/dev/zero of={path} bs=1M seek={end}")
}

/// What speaks against formatting a device.
enum Verdict {
    Blank,
    /// Only what an earlier run has left.
    Left(Remains),
    /// It is in use, and how.
    Used(String),
    /// Something is on it.
    Against(String),
}

fn verdict(machine: &Machine, disk: &Disk, device: &Device, note: Option<&Note>) -> Result<Verdict, Failure> {
    let begun = note.map_or(Ok(false), |note| note.allows(machine, disk, device))?;
    if begun && let Some(remains) = remains(machine, disk, device)? {
        return Ok(Verdict::Left(remains));
    }
    if let Some(user) = device.user(machine)? {
        return Ok(Verdict::Used(user));
    }
    // Somebody may have used it since.
    let found = if begun { of_others(machine, device, &disk.uuid)? } else { what_is_on(machine, device)? };
    Ok(found.map_or(Verdict::Blank, |what| Verdict::Against(format!("holds {what}"))))
}

/// The only blank one of a size. Disks that others name are not looked at.
fn sized(
    machine: &Machine,
    disk: &Disk,
    rule: &SizeRule,
    note: Option<&Note>,
    all: &[Disk],
) -> Result<Decision, Failure> {
    let mut others = Vec::new();
    for other in all.iter().filter(|other| other.purpose != disk.purpose) {
        if let DeviceRule::Path(path) = &other.device {
            others.extend(Device::at(machine, path)?);
        }
    }
    let (mut blank, mut against) = (Vec::new(), Vec::new());
    for device in Device::all(machine)? {
        let meant = device.is_whole_disk(machine)?
            && !device.is_removable(machine)?
            && rule.accepts(device.size, device.spins(machine)?)
            && !others.contains(&device);
        if !meant {
            continue;
        }
        let begun = note.map_or(Ok(false), |note| note.allows(machine, disk, &device))?;
        match verdict(machine, disk, &device, note)? {
            Verdict::Left(remains) => return Ok(Decision::FormatAnew(device, remains)),
            Verdict::Blank if begun => return Ok(Decision::Format(device)),
            Verdict::Blank => blank.push(device),
            Verdict::Used(reason) | Verdict::Against(reason) => against.push(format!("{device} {reason}")),
        }
    }
    match blank.as_slice() {
        [device] => Ok(Decision::Format(device.clone())),
        [] if against.is_empty() => {
            let why = format!("the host has no disk like that: {rule}");
            Err(Failure::new(disk.title(), why)
                .hint(format!("correct the inventory: the host has {}", disks_of(machine)?)))
        }
        [] => Err(Failure::new(disk.title(), format!("no blank disk: wanted is {rule}, but {}", against.join("; ")))
            .hint(IN_USE)),
        several => {
            let names = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let why = format!("several blank disks are like that: {names}; wanted is {rule}");
            Err(Failure::new(disk.title(), why).hint("name the one that is meant by its path, or narrow the sizes"))
        }
    }
}

/// The disks of the host, for whoever has named one that is not there.
fn disks_of(machine: &Machine) -> Result<String, Failure> {
    let mut disks = Vec::new();
    for device in Device::all(machine)? {
        if device.is_whole_disk(machine)? {
            disks.push(device.to_string());
        }
    }
    Ok(if disks.is_empty() { "no disks".to_owned() } else { disks.join(", ") })
}

/// What lies in a directory is hidden by what is mounted there, and two lines in /etc/fstab would be two file systems.
fn is_free(machine: &Machine, disk: &Disk, place: &str) -> Result<(), Failure> {
    let fstab = machine.text("/etc/fstab")?.unwrap_or_default();
    if let Some(line) = line_of_another(&fstab, place) {
        let why = format!("/etc/fstab mounts something else at {place}: {line}");
        let hint = format!("keep either that line or the entry for {} in the inventory", disk.purpose);
        return Err(Failure::new(disk.title(), why).hint(hint));
    }
    let names = machine.names(place)?;
    let data: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "lost+found").take(3).collect();
    if data.is_empty() {
        return Ok(());
    }
    let why = format!("{place} is not empty: {} would be hidden by what is mounted there", data.join(", "));
    let hint = format!(
        "a host that is in use keeps its data where they are: remove the disk from the inventory; if nobody needs what \
         is in {place}, move it away and run again"
    );
    Err(Failure::new(disk.title(), why).hint(hint))
}

/// A line that mounts at `place`, outside of our own blocks.
fn line_of_another<'a>(fstab: &'a str, place: &str) -> Option<&'a str> {
    let mut ours = false;
    fstab.lines().find(|line| {
        if line.starts_with('#') {
            ours = line.starts_with("# BEGIN kubewright ") || (ours && !line.starts_with("# END kubewright "));
        }
        !ours && !line.trim_start().starts_with('#') && line.split_whitespace().nth(1) == Some(place)
    })
}
