//! Block devices in /sys: names, sizes, what tells one from another, and who uses them.

use std::fmt;
use std::fs;
use std::path::Path;

use super::super::machine::{Machine, found};
use super::super::proc;
use super::super::protocol::Failure;
use super::table;
use crate::cluster::Bytes;

const DEVICES: &str = "/sys/class/block";
const BY_ID: &str = "/dev/disk/by-id";
/// Memory, and drives whose medium comes and goes.
const NO_DISKS: [&str; 6] = ["ram", "loop", "zram", "sr", "fd", "nbd"];

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Device {
    /// As the kernel calls it: `vdb`, `nvme0n1`, `dm-0`.
    pub(in crate::host) name: String,
    /// Bytes.
    pub(in crate::host) size: u64,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path(), Bytes(self.size))
    }
}

impl Device {
    /// The device called `name`; `None` when the kernel has none.
    pub(super) fn called(machine: &Machine, name: &str) -> Result<Option<Self>, Failure> {
        let Some(text) = machine.text(&format!("{DEVICES}/{name}/size"))? else { return Ok(None) };
        let sectors: u64 = text.trim().parse().map_err(|_| {
            Failure::new(format!("reading the size of {name}"), format!("{:?} is not a number", text.trim()))
        })?;
        Ok(Some(Self { name: name.to_owned(), size: sectors * 512 }))
    }

    /// The device at `path`, links followed; `None` when nothing is there.
    pub(in crate::host) fn at(machine: &Machine, path: &str) -> Result<Option<Self>, Failure> {
        let failed = |error| Failure::new(format!("looking at {path}"), error);
        let Some(place) = found(fs::canonicalize(machine.root.at(path))).map_err(failed)? else { return Ok(None) };
        let root = fs::canonicalize(machine.root.directory()).map_err(failed)?;
        let name = place.strip_prefix(root.join("dev")).ok().and_then(Path::to_str).unwrap_or_default();
        match Self::called(machine, &name.replace('/', "!"))? {
            Some(device) if !name.is_empty() => Ok(Some(device)),
            _ => Err(Failure::new(format!("looking at {path}"), "it is not a block device")
                .hint("name a disk: `lsblk` lists them")),
        }
    }

    /// Every device that is not memory, partitions and volumes included.
    pub(super) fn all(machine: &Machine) -> Result<Vec<Self>, Failure> {
        let mut devices = Vec::new();
        for name in machine.names(DEVICES)? {
            let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
            if !NO_DISKS.contains(&kind) {
                devices.extend(Self::called(machine, &name)?.filter(|device| device.size > 0));
            }
        }
        Ok(devices)
    }

    /// The device that the kernel knows by `number`.
    pub(in crate::host) fn numbered(machine: &Machine, number: &str) -> Result<Option<Self>, Failure> {
        for device in Self::all(machine)? {
            if device.fact(machine, "dev")? == number {
                return Ok(Some(device));
            }
        }
        Ok(None)
    }

    /// Where programs find it.
    pub(in crate::host) fn path(&self) -> String {
        format!("/dev/{}", self.name.replace('!', "/"))
    }

    fn fact(&self, machine: &Machine, file: &str) -> Result<String, Failure> {
        Ok(machine.text(&format!("{DEVICES}/{}/{file}", self.name))?.unwrap_or_default().trim().to_owned())
    }

    /// Whether it is a disk of its own, and not a part of one or a volume on some.
    pub(super) fn is_whole_disk(&self, machine: &Machine) -> Result<bool, Failure> {
        machine.exists(&format!("{DEVICES}/{}/device", self.name))
    }

    /// Whether it spins.
    pub(super) fn spins(&self, machine: &Machine) -> Result<bool, Failure> {
        Ok(self.fact(machine, "queue/rotational")? == "1")
    }

    /// Whether it can be taken out while the host runs.
    pub(super) fn is_removable(&self, machine: &Machine) -> Result<bool, Failure> {
        Ok(self.fact(machine, "removable")? == "1")
    }

    /// What will be the same at the next boot, and on no other device: empty where the hardware tells nothing.
    pub(super) fn identity(&self, machine: &Machine) -> Result<Vec<String>, Failure> {
        let mut identity = Vec::new();
        for file in ["wwid", "device/wwid", "serial", "device/serial"] {
            let text = self.fact(machine, file)?;
            if !is_placeholder(&text) && !self.shares(machine, file, &text)? {
                identity.push(format!("{file}={text}"));
            }
        }
        for link in machine.names(BY_ID)? {
            // This one is made from what is written on the device.
            let lasting = !link.starts_with("lvm-pv-uuid-");
            let target = fs::read_link(machine.root.at(format!("{BY_ID}/{link}"))).unwrap_or_default();
            if lasting && target.file_name().is_some_and(|name| name == self.name.as_str()) {
                identity.push(link);
            }
        }
        Ok(identity)
    }

    /// Whether another device says the same of itself: some drivers have one number for all.
    fn shares(&self, machine: &Machine, file: &str, text: &str) -> Result<bool, Failure> {
        for other in Self::all(machine)?.iter().filter(|other| other.name != self.name) {
            if other.fact(machine, file)? == text {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The devices that it is made of.
    pub(super) fn below(&self, machine: &Machine) -> Result<Vec<Self>, Failure> {
        let names = machine.names(&format!("{DEVICES}/{}/slaves", self.name))?;
        let devices = names.iter().map(|name| Self::called(machine, name)).collect::<Result<Vec<_>, _>>()?;
        Ok(devices.into_iter().flatten().collect())
    }

    /// Whether another device is made of it.
    pub(super) fn is_held(&self, machine: &Machine) -> Result<bool, Failure> {
        Ok(!machine.names(&format!("{DEVICES}/{}/holders", self.name))?.is_empty())
    }

    /// Who uses it, in words that follow its name; `None` when nobody does.
    pub(in crate::host) fn user(&self, machine: &Machine) -> Result<Option<String>, Failure> {
        let own = format!("{DEVICES}/{}", self.name);
        let mut parts = Vec::new();
        for name in machine.names(&own)? {
            if machine.exists(&format!("{own}/{name}/partition"))? {
                parts.push(name);
            }
        }
        if !parts.is_empty() {
            return Ok(Some(format!("has partitions: {}", parts.join(", "))));
        }
        let holders = machine.names(&format!("{own}/holders"))?;
        if !holders.is_empty() {
            return Ok(Some(format!("is part of {}", holders.join(", "))));
        }
        let number = self.fact(machine, "dev")?;
        let mounts = table::mounts(machine)?;
        if let Some(mount) = mounts.iter().find(|mount| mount.number == number || mount.source == self.path()) {
            return Ok(Some(format!("is mounted at {}", mount.path)));
        }
        let swaps = proc::swaps(&machine.text("/proc/swaps")?.unwrap_or_default());
        if swaps.contains(&self.path()) {
            return Ok(Some("is swapped to".to_owned()));
        }
        Ok((self.fact(machine, "ro")? == "1").then(|| "can only be read".to_owned()))
    }
}

/// What a driver says when the hardware has told it nothing.
fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    matches!(lower.as_str(), "(null)" | "null" | "none" | "unknown" | "n/a")
        || text.chars().all(|c| matches!(c, '0' | ' ' | '.' | '-'))
}
