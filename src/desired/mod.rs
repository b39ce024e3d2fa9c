//! Pure functions from cluster, image, keys and facts to the state of each host and the objects of the API.
//!
//! One file per concern. [`host_state`] renders every file of a host before anybody touches that host; [`objects`] are
//! applied once the API answers, [`nodes`] once the nodes are there.

mod addons;
mod arguments;
pub mod bgp;
mod binaries;
mod calico;
mod context;
mod control_plane;
mod digest;
pub mod disk;
mod disks;
mod dns;
mod dns_autoscaler;
mod endpoint;
mod error;
mod etcd;
mod file;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod flag_tests;
mod haproxy;
mod host_state;
mod images;
mod interface;
mod keepalived;
pub mod kernel;
mod keys;
mod kubelet;
mod labels;
mod network;
mod node_local_dns;
mod objects;
mod pod_cidrs;
mod proxy;
mod render;
mod retained;
mod runtime;
mod size;
#[cfg(test)]
mod snapshot_tests;
pub mod snapshots;
pub mod state;
mod static_pod;
pub mod sysctl;
pub mod tuning;
mod untracked;

pub use addons::{AddonObjects, AddonPlace, addons, judge_addons, not_in_the_image};
pub use bgp::{PeerGroup, Peering, peering};
pub use calico::KINDS as CALICO_KINDS;
pub use context::Context;
pub use dns::COREDNS;
pub use error::Error;
pub use etcd::{
    BOOTSTRAP as ETCD_BOOTSTRAP, JOINED as ETCD_JOINED, initial_cluster as etcd_initial_cluster,
    peer_url as etcd_peer_url,
};
pub use host_state::host_state;
pub use labels::{NodeMarks, nodes};
pub use objects::objects;
pub use pod_cidrs::pod_cidrs;
pub use render::RenderError;
