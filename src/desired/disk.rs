//! Data disks as data, and what is called after them.

use serde::{Deserialize, Serialize};

use crate::cluster::{DeviceRule, DiskLayout, DiskUse, Filesystem};

/// Name of the thin pool in its volume group.
pub const POOL: &str = "pool";

/// The data disks of a host: together, because no two may be the same device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disks {
    /// In the order in which they are mounted.
    pub disks: Vec<Disk>,
}

/// A data disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// What for; says where it is mounted.
    pub purpose: DiskUse,
    /// Which device, where none has the file system yet.
    pub device: DeviceRule,
    /// How it is divided.
    pub layout: DiskLayout,
    /// How it is formatted.
    pub filesystem: Filesystem,
    /// UUID of its file system: the same in every run, so that each knows the disk again.
    pub uuid: String,
    /// Options of its mount.
    pub options: Vec<String>,
    /// Whether a file system that is found must have nothing in it: data of a former cluster do not go with the keys of a
    /// new one.
    pub must_be_empty: bool,
}

impl Disk {
    /// How changes of it are named.
    pub fn title(&self) -> String {
        format!("disk for {}", self.purpose)
    }

    /// The volume group on it, where it has one.
    pub fn volume_group(&self) -> Option<String> {
        match self.layout {
            DiskLayout::Plain => None,
            DiskLayout::Lvm | DiskLayout::ThinPool(_) => Some(volume_group(self.purpose)),
        }
    }

    /// Whether its volume group has a thin pool.
    pub fn has_thin_pool(&self) -> bool {
        matches!(self.layout, DiskLayout::ThinPool(_))
    }
}

/// The volume group of a disk for `purpose`.
pub fn volume_group(purpose: DiskUse) -> String {
    format!("kubewright-{purpose}")
}

/// What the device mapper calls a volume: dashes of either name are doubled, so that the one in between is unique.
pub fn mapper_name(group: &str, volume: &str) -> String {
    format!("{}-{}", group.replace('-', "--"), volume.replace('-', "--"))
}
