//! What this program was about to do to a disk: on the root disk before the first byte is written. A run that finds a
//! disk half made knows by it that nobody's data is on it.

use std::fs;

use serde::{Deserialize, Serialize};

use super::super::atomic::{self, Attributes};
use super::super::machine::{Machine, STATE, found};
use super::super::protocol::Failure;
use super::Device;
use crate::cluster::DiskUse;
use crate::desired::disk::Disk;

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::host) enum Phase {
    /// The device was blank, and may be made anew.
    Formatting,
    /// The file system is whole. Nobody makes it anew any more.
    Formatted,
}

/// What was about to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::host) struct Note {
    /// UUID of the file system to be.
    uuid: String,
    phase: Phase,
    /// Kernel name and boot in which it was the device's.
    name: String,
    boot: String,
    size: u64,
    /// What tells the device from others in every boot.
    identity: Vec<String>,
}

impl Note {
    /// The note about `disk`, where there is one.
    pub(super) fn read(machine: &Machine, disk: &Disk) -> Result<Option<Self>, Failure> {
        let path = path(disk.purpose);
        let Some(text) = machine.text(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Failure::new(format!("reading {path}"), error)
                .hint("it says which disk was being formatted: see that none is half made, then remove the file")
        })
    }

    /// Notes, durably, what is done to `device`.
    pub(in crate::host) fn write(machine: &Machine, disk: &Disk, device: &Device, phase: Phase) -> Result<(), Failure> {
        let note = Self {
            uuid: disk.uuid.clone(),
            phase,
            name: device.name.clone(),
            boot: boot(machine)?,
            size: device.size,
            identity: device.identity(machine)?,
        };
        let path = path(disk.purpose);
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("writing {path}"), error);
        let text = serde_json::to_vec_pretty(&note).map_err(|error| failed(&error))?;
        let directory = machine.own_directory(&format!("{STATE}/disks"))?;
        let written = atomic::write(&machine.root.at(&path), &text, Attributes { mode: 0o600, owner: None });
        // The directory may be as new as the note.
        let lasting = written.and_then(|()| atomic::sync_directory(directory.parent().unwrap_or(&directory)));
        lasting.map_err(|error| failed(&error))
    }

    /// The disk is in its place; nothing need be remembered.
    pub(in crate::host) fn remove(machine: &Machine, disk: &Disk) -> Result<(), Failure> {
        let path = path(disk.purpose);
        let removed = found(fs::remove_file(machine.root.at(&path))).map(drop);
        removed.map_err(|error| Failure::new(format!("removing {path}"), error))
    }

    /// Whether a note about `disk` is there.
    pub(in crate::host) fn exists(machine: &Machine, disk: &Disk) -> Result<bool, Failure> {
        machine.exists(&path(disk.purpose))
    }

    /// Whether it says that the file system may be half made.
    pub(super) fn is_unfinished(&self, disk: &Disk) -> bool {
        self.phase == Phase::Formatting && self.uuid == disk.uuid
    }

    /// Whether `device` is the one that was being formatted as `disk` when the run ended. Without anything that lasts,
    /// a name means the same device only until the next boot.
    pub(super) fn allows(&self, machine: &Machine, disk: &Disk, device: &Device) -> Result<bool, Failure> {
        if !self.is_unfinished(disk) || self.size != device.size {
            return Ok(false);
        }
        let identity = device.identity(machine)?;
        Ok(match (self.identity.is_empty(), identity.is_empty()) {
            (false, false) => identity == self.identity,
            (true, true) => self.name == device.name && !self.boot.is_empty() && self.boot == boot(machine)?,
            _ => false,
        })
    }
}

fn path(purpose: DiskUse) -> String {
    format!("{STATE}/disks/{purpose}")
}

fn boot(machine: &Machine) -> Result<String, Failure> {
    Ok(machine.text("/proc/sys/kernel/random/boot_id")?.unwrap_or_default().trim().to_owned())
}
