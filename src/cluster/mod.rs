//! The validated nouns of a cluster. Nothing here does I/O, and nothing here can be built in an invalid state:
//! names parse or fail, and [`Cluster::new`] checks every rule that spans several of them.

pub mod addons;
mod cpu_set;
mod disk;
mod distribution;
mod endpoint;
mod facts;
mod host;
mod labels;
mod names;
mod nearest;
mod network;
pub mod object;
mod registry_reference;
mod rules;
mod services;
mod settings;
mod snapshots;
mod ssh;
mod tuning;
mod upgrade;
mod version;

pub use addons::{Addon, AddonSource, AddonText};
pub use cpu_set::CpuSet;
pub use disk::{Bytes, DataDisk, DeviceRule, DiskLayout, DiskUse, Filesystem, SizeRule, Snapshotter, ThinPool};
pub use distribution::{Distribution, DistributionMode};
pub use endpoint::{Endpoint, EndpointMode};
pub use facts::{Disk, Facts, Interface, Mount, Route, SecurityModules, Selinux, SettingLine};
pub use host::{Host, Role, Roles};
pub use labels::{LabelKey, LabelValue, Labels, Taint, TaintEffect};
pub use names::{ClusterName, HostName, NameError, listed};
pub use nearest::nearest;
pub use network::{
    AddressDetection, Autoscale, Bgp, CacheAt, Calico, Dns, DnsServer, Felix, FelixLog, FelixValue, Ipvs,
    IpvsScheduler, IpvsTimeouts, Mesh, Network, NetworkPlugin, Overlay, Pool, Proxy, ProxyMode, REFLECTOR, Reflectors,
    Replicas, Router, ServiceRoutes, Transport, TransportProtocol, Typha, Untracked, check_selector,
};
pub use registry_reference::{RegistryReference, TAG_RULE, is_registry, is_tag};
pub use rules::{Place, Violation, is_of_controllers, kept_prefix, reserved_argument, reserved_label};
pub use services::{Handling, Service, Services};
pub use settings::{
    ControlPlane, Etcd, ImageReference, ImageTrust, Kernel, KernelProfile, KeyAlgorithm, Kubelet, Pki,
    QualityOfService, Swap, swap_separators, sysctl_key,
};
pub use snapshots::{BucketPlace, Keep, SnapshotPlace, Snapshots};
pub use ssh::{Become, Jump, SecretSource, SshTarget};
pub use tuning::{Affinity, Irqbalance, Queues, Rings, Spread, TransparentHugepage, Tuning};
pub use upgrade::{Drain, Evictable, MaxUnavailable, MaxUnavailableError, Upgrade};
pub use version::{KubeVersion, Version, VersionError};

/// A whole cluster as the inventory declares it, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    parts: Parts,
}

/// What a [`Cluster`] is made of; only [`Cluster::new`] turns it into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Unique name; also names the local state directory.
    pub name: ClusterName,
    /// Where the cluster image is.
    pub image: ImageReference,
    /// Which images may be used.
    pub image_trust: ImageTrust,
    /// Every host, ranges expanded, in the order of the inventory.
    pub hosts: Vec<Host>,
    /// How clients reach the API servers.
    pub endpoint: Endpoint,
    /// Pod and service networks.
    pub network: Network,
    /// The external etcd.
    pub etcd: Etcd,
    /// Settings of the static pods.
    pub control_plane: ControlPlane,
    /// Settings of the kubelets.
    pub kubelet: Kubelet,
    /// Keys and lifetimes.
    pub pki: Pki,
    /// How an upgrade goes through the nodes.
    pub upgrade: Upgrade,
    /// How blobs get to the hosts, and what is kept there.
    pub distribution: Distribution,
    /// What is kept in the cluster beside what it needs itself.
    pub addons: Vec<Addon>,
}

impl Cluster {
    /// Checks every rule that spans several nouns; on failure returns all violations, never only the first.
    pub fn new(parts: Parts) -> Result<Self, Vec<Violation>> {
        let violations = rules::check(&parts);
        if violations.is_empty() { Ok(Self { parts }) } else { Err(violations) }
    }

    /// The hosts that have `role`, in the order of the inventory.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Host> {
        self.parts.hosts.iter().filter(move |host| host.roles.contains(role))
    }

    /// The host called `name`.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.parts.hosts.iter().find(|host| host.name.as_str() == name)
    }
}

impl std::ops::Deref for Cluster {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}
