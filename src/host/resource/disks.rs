//! Data disks: formatted where they are blank, and mounted. That they are mounted again at boot is the business of a
//! block in /etc/fstab.
//!
//! Whatever happens in between, the next run goes on: a note precedes the first byte, the note says when the file system
//! is whole, and it goes when that is mounted.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::super::command::Command;
use super::super::disk::{
    Decision, Device, Note, Phase, Remains, TAG, VOLUME, decide, file_system, mounted_at, sync, what_is_on,
};
use super::super::protocol::{Action, Failure};
use super::super::tool::{has_tool, tool};
use super::{Context, Observe, Observed, Outcome, Pending, thin_pool};
use crate::cluster::{Bytes, DiskUse, Filesystem};
use crate::desired::disk::{Disk, Disks};

/// Large disks that are slow take a while.
const FORMATTING: Duration = Duration::from_secs(1800);

/// The share of a file system beside a thin pool. containerd keeps every layer twice: packed in the file system, which
/// nothing can move, and unpacked in the pool, where what containers write comes on top. Packed they are a third to a half
/// of that.
const BESIDE_A_POOL: &str = "40%VG";

impl Observe for Disks {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let mut pending = Vec::new();
        for (index, (disk, decision)) in self.disks.iter().zip(decide(&cx.machine, &self.disks)).enumerate() {
            let (place, kind) = (disk.purpose.mount_point(), disk.filesystem);
            let (action, summary) = match &decision {
                Ok(Decision::InPlace) if thin_pool::is_wanting(cx, disk)? => {
                    (Action::Update, "make the thin pool beside it".into())
                }
                Ok(Decision::InPlace) if Note::exists(&cx.machine, disk)? => {
                    (Action::Update, "in its place; forget how it came there".into())
                }
                Ok(Decision::InPlace) => continue,
                Ok(Decision::Mount(device)) => (Action::Update, format!("mount {device} at {place}")),
                Ok(Decision::Format(device)) => {
                    let group = disk.volume_group().map_or_else(String::new, |group| {
                        let pool = if disk.has_thin_pool() { " beside a thin pool" } else { "" };
                        format!(", as a volume of {group}{pool}")
                    });
                    (Action::Create, format!("format {device} with {kind}{group}, mount it at {place}"))
                }
                Ok(Decision::FormatAnew(device, _)) => {
                    let summary = format!(
                        "remove what a run that ended early has left on {device}, format it with {kind}, mount it at {place}"
                    );
                    (Action::Create, summary)
                }
                // A plan tells it like any other change; preflight and mending refuse.
                Err(failure) => (Action::Create, format!("cannot be done: {}", failure.why)),
            };
            pending.push(Pending::deciding(disk.title(), action, summary, move |cx| self.mend(cx, index)));
        }
        Ok(pending)
    }
}

impl Disks {
    /// Looks again: the disk before this one may have been formatted since.
    fn mend(&self, cx: &Context, index: usize) -> Result<Outcome, Failure> {
        let (Some(disk), Some(decision)) =
            (self.disks.get(index), decide(&cx.machine, &self.disks).into_iter().nth(index))
        else {
            return Ok(Outcome::NotNeeded);
        };
        match decision? {
            Decision::InPlace => {}
            Decision::Mount(device) => disk.mount(cx, &device)?,
            Decision::Format(device) => disk.mount(cx, &disk.format(cx, &device)?)?,
            Decision::FormatAnew(device, remains) => {
                disk.clear(cx, remains)?;
                disk.mount(cx, &disk.format(cx, &device)?)?;
            }
        }
        thin_pool::ensure(cx, disk)?;
        Note::remove(&cx.machine, disk)?;
        Ok(Outcome::Made)
    }
}

impl Disk {
    /// Makes the file system and returns the device that it is on.
    fn format(&self, cx: &Context, blank: &Device) -> Result<Device, Failure> {
        Note::write(&cx.machine, self, blank, Phase::Formatting)?;
        let volume = self.volume_group().map(|group| self.divide(cx, blank, &group)).transpose()?;
        let device = volume.as_ref().unwrap_or(blank);
        if let Err(failure) = cx.run(&self.title(), &self.make_file_system(cx, device).deadline(FORMATTING)) {
            // As blank as before: from now on whatever comes onto it is somebody's.
            if what_is_on(&cx.machine, blank)?.is_none() {
                Note::remove(&cx.machine, self)?;
            }
            return Err(failure);
        }
        sync(&cx.machine, device)?;
        let made = file_system(&cx.machine, device)?;
        if !made.as_ref().is_some_and(|made| made.uuid == self.uuid && made.kind == self.filesystem && made.complete) {
            let why = format!("{} has no {} with the UUID {} afterwards", device.path(), self.filesystem, self.uuid);
            return Err(Failure::new(self.title(), why).hint("see `dmesg` on the host: the disk may be broken"));
        }
        if has_tool(&cx.machine, "udevadm") {
            // So that the link by UUID, by which systemd knows the disk, is there before anything asks for it. If it is
            // late, it is late.
            let _ = cx.run(&self.title(), &tool(&cx.machine, "udevadm").args(["settle", "--timeout=30"]));
        }
        Note::write(&cx.machine, self, device, Phase::Formatted)?;
        Ok(device.clone())
    }

    /// Takes away what an earlier run has left. A physical volume that is in no group is taken into the new one.
    fn clear(&self, cx: &Context, remains: Remains) -> Result<(), Failure> {
        let group = self.volume_group().filter(|_| remains == Remains::Group);
        let Some(group) = group else { return Ok(()) };
        cx.run(&self.title(), &tool(&cx.machine, "lvm").args(["vgremove", "--yes", "--force", &group])).map(drop)
    }

    /// Makes a volume group with one volume. A group of that name that is there already is somebody's.
    fn divide(&self, cx: &Context, device: &Device, group: &str) -> Result<Device, Failure> {
        let lvm = |arguments: &[&str]| {
            cx.run(&self.title(), &tool(&cx.machine, "lvm").args(arguments.iter().copied())).map(drop)
        };
        let share = if self.has_thin_pool() { BESIDE_A_POOL } else { "100%FREE" };
        lvm(&["vgcreate", "--yes", "--addtag", TAG, group, &device.path()])?;
        lvm(&["lvcreate", "--yes", "--wipesignatures", "y", "--extents", share, "--name", VOLUME, group])?;
        let path = format!("/dev/{group}/{VOLUME}");
        Device::at(&cx.machine, &path)?.ok_or_else(|| {
            Failure::new(self.title(), format!("lvcreate has succeeded, but there is no {path}"))
                .hint("see `lvs` and `dmesg` on the host")
        })
    }

    /// Forced, because a file system that a killed run began may look like one. What is in use is refused even so.
    fn make_file_system(&self, cx: &Context, device: &Device) -> Command {
        let command = tool(&cx.machine, &format!("mkfs.{}", self.filesystem));
        match self.filesystem {
            Filesystem::Ext4 => {
                let command = command.args(["-q", "-F", "-U", &self.uuid, "-m", "0"]);
                match self.purpose {
                    // What is not written now is written in the background, where etcd's syncs wait for it.
                    DiskUse::Etcd => command.args(["-E", "lazy_itable_init=0,lazy_journal_init=0", &device.path()]),
                    _ => command.arg(device.path()),
                }
            }
            // overlayfs needs to know the type of a directory's entries.
            Filesystem::Xfs => {
                command.args(["-q", "-f", "-m", &format!("uuid={}", self.uuid), "-n", "ftype=1", &device.path()])
            }
        }
    }

    fn mount(&self, cx: &Context, device: &Device) -> Result<(), Failure> {
        let place = self.purpose.mount_point();
        let directory = cx.machine.root.at(place);
        cx.make_parents(&self.title(), &directory)?;
        if !directory.is_dir() {
            let made = fs::create_dir(&directory)
                .and_then(|()| fs::set_permissions(&directory, Permissions::from_mode(0o755)));
            made.map_err(|error| Failure::new(format!("{}: making {place}", self.title()), error))?;
        }
        let command = tool(&cx.machine, "mount").args(["-t", self.filesystem.as_str(), "-o", &self.options.join(",")]);
        cx.run(&self.title(), &command.args([device.path().as_str(), place]))?;
        let there =
            mounted_at(&cx.machine, place)?.map(|mount| Device::numbered(&cx.machine, &mount.number)).transpose()?;
        if there.flatten().as_ref() == Some(device) {
            return self.check_content(cx, device);
        }
        let why =
            format!("mount has succeeded, but {} ({}) is not mounted at {place}", device.path(), Bytes(device.size));
        Err(Failure::new(self.title(), why).hint("see `dmesg` and `findmnt` on the host"))
    }

    /// What is in the file system is seen only now; where it must not be used, everything is as before.
    fn check_content(&self, cx: &Context, device: &Device) -> Result<(), Failure> {
        let place = self.purpose.mount_point();
        let names = cx.machine.names(place)?;
        let data: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "lost+found").take(3).collect();
        if data.is_empty() || !self.must_be_empty {
            return Ok(());
        }
        cx.run(&self.title(), &tool(&cx.machine, "umount").arg(place))?;
        let (path, data) = (device.path(), data.join(", "));
        let why = format!(
            "{path} holds data of a former cluster ({data}), and the one that is about to begin has other keys"
        );
        Err(Failure::new(self.title(), why).hint(format!(
            "it was unmounted again. To go on with the old cluster, restore its keys first; otherwise save what you need \
             and empty it: mount {path} /mnt"
        )))
    }
}
