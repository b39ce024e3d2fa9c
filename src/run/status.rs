//! How a cluster is, in few words for each host.

use serde::Serialize;

use crate::cluster::Role;
use crate::host::protocol::{CertificateDates, Holder};

/// State of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Name.
    pub cluster: String,
    /// Version of Kubernetes in the cluster image.
    pub kubernetes: String,
    /// Every host of the inventory.
    pub hosts: Vec<HostStatus>,
    /// Who works on it right now.
    pub running: Option<Holder>,
    /// Number of changes that `install` would make at the API, where it answers.
    pub api_drift: Option<usize>,
    /// Why the API could not be asked, when it could not.
    pub api_unknown: Option<String>,
    /// Why the comparison with the inventory could not be made, when it could not.
    pub drift_unknown: Option<String>,
    /// What it runs in other versions than the cluster image has, and what to do about that.
    pub other_versions: Option<String>,
}

/// State of a host. Parts that the host has not, or that could not be asked, are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HostStatus {
    /// Name.
    pub name: String,
    /// Roles.
    pub roles: Vec<Role>,
    /// Why the host does not answer.
    pub unreachable: Option<String>,
    /// `leader`, `follower`, or what is wrong.
    pub etcd: Option<String>,
    /// `ready`, or what is wrong.
    pub apiserver: Option<String>,
    /// `healthy`, or what is wrong.
    pub kubelet: Option<String>,
    /// `Ready`, `NotReady`, `Ready,SchedulingDisabled`, …, as the API says.
    pub node: Option<String>,
    /// The kubelet's version, as the API says.
    pub version: Option<String>,
    /// The certificate that ends first.
    pub certificate: Option<CertificateDates>,
    /// Number of changes that `install` would make.
    pub drift: Option<usize>,
}

impl Status {
    /// Whether everything is as it should be.
    pub fn is_well(&self) -> bool {
        let well = |state: &Option<String>, good: &[&str]| state.as_deref().is_none_or(|text| good.contains(&text));
        self.hosts.iter().all(|host| {
            host.unreachable.is_none()
                && well(&host.etcd, &["leader", "follower"])
                && well(&host.apiserver, &["ready"])
                && well(&host.kubelet, &["healthy"])
                && (!host.roles.iter().any(|role| *role != Role::Etcd)
                    || host.node.as_deref().is_some_and(|node| node.starts_with("Ready")))
                && host.drift.is_none_or(|changes| changes == 0)
        }) && self.api_drift.is_none_or(|changes| changes == 0)
    }
}
