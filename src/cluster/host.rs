//! A host: its name, address, roles, place and labels.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{DataDisk, HostName, Kernel, Labels, Services, SshTarget, Taint};

/// What a host does in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs apiserver, controller-manager and scheduler as static pods.
    ControlPlane,
    /// Runs a member of the external etcd.
    Etcd,
    /// Runs workloads.
    Worker,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::ControlPlane, Self::Etcd, Self::Worker];

    /// The role as written in the inventory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Etcd => "etcd",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A set of roles.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Roles(std::collections::BTreeSet<Role>);

impl Roles {
    /// Whether `role` is in the set.
    pub fn contains(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Whether the host is a Kubernetes node: control plane or worker. A dedicated etcd host is none.
    pub fn is_node(&self) -> bool {
        self.contains(Role::ControlPlane) || self.contains(Role::Worker)
    }

    /// Whether the two sets have a role in common.
    pub fn intersects(&self, other: &Self) -> bool {
        self.0.intersection(&other.0).next().is_some()
    }

    /// The roles in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

/// One host of the inventory, ranges expanded and defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Host and node name.
    pub name: HostName,
    /// The address by which the other hosts of the cluster reach it.
    pub address: IpAddr,
    /// At least one role.
    pub roles: Roles,
    /// The data centre; becomes `topology.kubernetes.io/zone` and `topology.kubewright.dev/idc`.
    pub idc: Option<String>,
    /// The rack; becomes `topology.kubewright.dev/rack`.
    pub rack: Option<String>,
    /// Labels of the inventory: cluster-wide ones, overridden by the host's own.
    pub labels: Labels,
    /// Taints beside the one that a control plane without the worker role has.
    pub taints: Vec<Taint>,
    /// Kernel settings: cluster-wide ones, overridden by the host's own.
    pub kernel: Kernel,
    /// Services that get into the way: cluster-wide decisions, overridden by the host's own.
    pub services: Services,
    /// Disks for parts of its data, each for another.
    pub disks: Vec<DataDisk>,
    /// How to log in.
    pub ssh: SshTarget,
}
