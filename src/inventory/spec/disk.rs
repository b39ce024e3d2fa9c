//! Data disks as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::cluster::{DiskUse, Filesystem, Snapshotter};

/// A disk for a part of a host's data. It is formatted only when it is blank; one with anything on it is refused.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecDisk {
    /// Whose data it holds; they are at /var/lib/etcd, /var/lib/containerd, /var/lib/kubelet or /var/log/pods.
    #[schemars(required)]
    pub(in crate::inventory) r#for: Option<DiskUse>,
    /// Its path, best below /dev/disk/by-id: names like /dev/sdb may be another disk's after the next boot. Only the first
    /// run looks for it; from then on the file system's UUID is what counts. Either this or `size`.
    pub(in crate::inventory) device: Option<String>,
    /// The only blank disk of this size: `">=500GiB"`, `"<=2TiB"`, `400GiB..600GiB`.
    pub(in crate::inventory) size: Option<String>,
    /// With `size`: only disks that spin, or only those that do not.
    pub(in crate::inventory) rotational: Option<bool>,
    /// Put a volume group of LVM on the device, `kubewright-USE`, and the file system on a volume that takes all of it.
    #[schemars(extend("default" = false))]
    pub(in crate::inventory) lvm: Option<bool>,
    /// File system; by default `ext4` for etcd and `xfs` for the others.
    pub(in crate::inventory) filesystem: Option<Filesystem>,
    /// For containerd and with `lvm` only: `devmapper` keeps the layers of images and containers in a thin pool of the
    /// volume group, and everything else of containerd in a file system on the rest of it.
    #[schemars(extend("default" = "overlayfs"))]
    pub(in crate::inventory) snapshotter: Option<Snapshotter>,
    /// With `devmapper`: what a container's file system can grow to, its image included. At least 1GiB.
    #[schemars(extend("default" = "10GiB"))]
    pub(in crate::inventory) base_image_size: Option<String>,
}
