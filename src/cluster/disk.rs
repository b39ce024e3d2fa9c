//! Disks that hold a part of a host's data: what for, which device, and how it is formatted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Role, Roles};

/// What a data disk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DiskUse {
    /// etcd's data: every write of the cluster waits for its syncs.
    Etcd,
    /// Images and the writable layers of containers.
    Containerd,
    /// Volumes of pods that are kept on the host.
    Kubelet,
    /// What containers print. The links in /var/log/containers all lead to this place.
    Logs,
}

impl DiskUse {
    /// Every use.
    pub const ALL: [Self; 4] = [Self::Etcd, Self::Containerd, Self::Kubelet, Self::Logs];

    /// As written in the inventory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Containerd => "containerd",
            Self::Kubelet => "kubelet",
            Self::Logs => "logs",
        }
    }

    /// Where the disk is mounted.
    pub fn mount_point(self) -> &'static str {
        match self {
            Self::Etcd => "/var/lib/etcd",
            Self::Containerd => "/var/lib/containerd",
            Self::Kubelet => "/var/lib/kubelet",
            Self::Logs => "/var/log/pods",
        }
    }

    /// Whether a host with `roles` has anything to put there.
    pub fn suits(self, roles: &Roles) -> bool {
        match self {
            Self::Etcd => roles.contains(Role::Etcd),
            Self::Containerd | Self::Kubelet | Self::Logs => roles.is_node(),
        }
    }

    /// The file system where the inventory names none. etcd's data are a few large files, and every host can make ext4.
    /// The others hold so many small files that ext4's fixed number of inodes may run out before the space does.
    pub fn default_filesystem(self) -> Filesystem {
        match self {
            Self::Etcd => Filesystem::Ext4,
            Self::Containerd | Self::Kubelet | Self::Logs => Filesystem::Xfs,
        }
    }
}

impl fmt::Display for DiskUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A file system that a data disk may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filesystem {
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
}

impl Filesystem {
    /// As the kernel calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }
}

impl fmt::Display for Filesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is between the device and its file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskLayout {
    /// Nothing.
    Plain,
    /// A volume group of its own, with one logical volume that takes all of it: it can be made larger by further disks.
    Lvm,
    /// A volume group of its own, with a volume for the file system and a thin pool for the snapshots of containerd.
    ThinPool(ThinPool),
}

/// The pool from which containerd's devmapper snapshotter takes a thin volume for each layer and each container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThinPool {
    /// Bytes that the file system of a container can grow to, its image included.
    pub base_image_size: u64,
}

impl ThinPool {
    /// What containerd's documentation goes by. Only what is written takes space in the pool.
    pub const DEFAULT_BASE_IMAGE_SIZE: u64 = 10 << 30;
    /// Images of some size are common.
    pub const LEAST_BASE_IMAGE_SIZE: u64 = 1 << 30;
}

/// What keeps the layers of containerd's images and containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Snapshotter {
    /// Directories, laid over each other.
    #[default]
    Overlayfs,
    /// Thin volumes of LVM's device mapper.
    Devmapper,
}

impl Snapshotter {
    /// As containerd calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overlayfs => "overlayfs",
            Self::Devmapper => "devmapper",
        }
    }
}

/// Which device a disk is. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceRule {
    /// The one at this path below /dev.
    Path(String),
    /// The only blank disk of such a size.
    Size(SizeRule),
}

impl fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Size(rule) => rule.fmt(f),
        }
    }
}

/// Disks of a size, ends included, and of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeRule {
    /// Least size.
    pub least: u64,
    /// Most size.
    pub most: u64,
    /// Whether it must spin, or must not; none takes both.
    pub rotational: Option<bool>,
}

impl SizeRule {
    /// Whether a disk is one of them.
    pub fn accepts(&self, size: u64, rotational: bool) -> bool {
        (self.least..=self.most).contains(&size) && self.rotational.is_none_or(|wanted| wanted == rotational)
    }
}

impl fmt::Display for SizeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (0, most) => write!(f, "a disk of at most {}", Bytes(most))?,
            (least, u64::MAX) => write!(f, "a disk of at least {}", Bytes(least))?,
            (least, most) => write!(f, "a disk of {} to {}", Bytes(least), Bytes(most))?,
        }
        match self.rotational {
            None => Ok(()),
            Some(true) => f.write_str(" that spins"),
            Some(false) => f.write_str(" that does not spin"),
        }
    }
}

/// A number of bytes in the largest unit in which it is at least ten, or whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            let whole = self.0 >> shift;
            if whole >= 10 || (whole > 0 && whole << shift == self.0) {
                return write!(f, "{whole} {name}");
            }
        }
        write!(f, "{} B", self.0)
    }
}

/// A disk for a part of a host's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDisk {
    /// What for.
    pub purpose: DiskUse,
    /// Which device.
    pub device: DeviceRule,
    /// How it is divided.
    pub layout: DiskLayout,
    /// How it is formatted.
    pub filesystem: Filesystem,
}

impl DataDisk {
    /// The thin pool on it, where it has one.
    pub fn thin_pool(&self) -> Option<ThinPool> {
        match self.layout {
            DiskLayout::ThinPool(pool) => Some(pool),
            DiskLayout::Plain | DiskLayout::Lvm => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_shown_without_a_fraction() {
        for (bytes, text) in [
            (0, "0 B"),
            (512, "512 B"),
            (1 << 30, "1 GiB"),
            (3 << 29, "1536 MiB"),
            (500 << 30, "500 GiB"),
            (2 << 40, "2 TiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        let rule = SizeRule { least: 10 << 30, most: u64::MAX, rotational: Some(false) };
        assert_eq!(rule.to_string(), "a disk of at least 10 GiB that does not spin");
        assert!(rule.accepts(10 << 30, false) && !rule.accepts(10 << 30, true) && !rule.accepts((10 << 30) - 1, false));
    }

    #[test]
    fn every_use_has_a_place_of_its_own_below_no_other() {
        for one in DiskUse::ALL {
            for other in DiskUse::ALL.into_iter().filter(|other| *other != one) {
                let (one, other) = (std::path::Path::new(one.mount_point()), other.mount_point());
                assert!(!one.starts_with(other), "{} lies in {other}", one.display());
            }
        }
    }
}
