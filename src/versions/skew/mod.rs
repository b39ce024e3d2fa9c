//! Which version may follow which other one, and which may stand beside which: what an upgrade may do, and whether it
//! can be taken back. An impossible step names the possible path.

mod containerd;
mod etcd;
mod kubernetes;
mod rollback;

pub use containerd::{ContainerdImpossible, containerd_step};
pub use etcd::{EtcdImpossible, etcd_step};
pub use kubernetes::{Impossible, OutsideWindow, controller_window, kubelet_window, path};
pub use rollback::{OneWay, Stateful, rollback};

use crate::cluster::Version;

/// `v1.20 → v1.21 → v1.22`.
fn arrows<T: ToString>(stops: impl IntoIterator<Item = T>) -> String {
    stops.into_iter().map(|stop| stop.to_string()).collect::<Vec<_>>().join(" → ")
}

/// `v1.20`: a minor without its patch.
fn minor(version: Version) -> String {
    format!("v{}.{}", version.major, version.minor)
}
