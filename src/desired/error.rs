//! Why a desired state could not be worked out. All of these come up before any host is touched.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use thiserror::Error;

use super::{AddonPlace, RenderError};
use crate::cluster::{HostName, KubeVersion, Version, VersionError};
use crate::versions::{calico, containerd, coredns, etcd, flags, supported};

/// Why a desired state could not be worked out.
#[derive(Debug, Error)]
pub enum Error {
    /// Kubernetes outside of the tables.
    #[error(transparent)]
    Kubernetes(#[from] supported::Unsupported),
    /// etcd outside of the tables.
    #[error(transparent)]
    Etcd(#[from] etcd::Unsupported),
    /// containerd and kubelet do not go together.
    #[error(transparent)]
    Containerd(#[from] containerd::Mismatch),
    /// Calico and Kubernetes do not go together.
    #[error(transparent)]
    Calico(#[from] calico::Mismatch),
    /// A field of Felix that this version of Calico does not take.
    #[error("spec.network.calico.felix.extra: {0}")]
    Felix(#[from] calico::extra::FieldError),
    /// Pods with IPv6 addresses where VXLAN carries IPv4 only.
    #[error("VXLAN of Calico {0} carries IPv4 only; set spec.network.calico.mode to bgp, or use Calico 3.23 or later")]
    CalicoVxlan(Version),
    /// CoreDNS and Kubernetes do not go together.
    #[error(transparent)]
    Coredns(#[from] coredns::Mismatch),
    /// A flag of the inventory that this version does not know.
    #[error("spec.controlPlane.extraArgs: {0}")]
    Flag(#[from] flags::FlagError),
    /// A feature gate of the inventory that this version does not know.
    #[error(
        "spec.controlPlane.extraArgs: {component} {version} refuses to start with the feature gate {gate}: \
         removed in v1.{removed}; remove it"
    )]
    Gate {
        /// Component.
        component: String,
        /// Gate.
        gate: String,
        /// Version of Kubernetes.
        version: KubeVersion,
        /// First minor without it.
        removed: u32,
    },
    /// A file of this machine that hosts are to get a copy of.
    #[error(
        "{} cannot be read on this machine, and hosts need a copy of it; `kubewright validate` says why, and where the \
         inventory names it",
        .0.display()
    )]
    NoFile(PathBuf),
    /// Somebody who is to read snapshots, and cannot.
    #[error("spec.etcd.snapshots.recipients: {0}")]
    Recipient(String),
    /// Keys that are to be saved with snapshots.
    #[error("{0}")]
    NoArchive(String),
    /// A mode of kube-proxy that this version does not have.
    #[error("kube-proxy {version} has no mode {mode}; set spec.network.proxy.mode to iptables")]
    ProxyMode {
        /// Version of Kubernetes.
        version: KubeVersion,
        /// The mode, as the inventory calls it.
        mode: &'static str,
    },
    /// A component that is not in the cluster image.
    #[error(
        "the cluster image {image} has no component {component}, which {user} needs; it has {available}; \
         use an image with it"
    )]
    Component {
        /// Name of the image.
        image: String,
        /// Name of the component.
        component: &'static str,
        /// Host, or field of the inventory, that needs it.
        user: String,
        /// Components that are there.
        available: String,
    },
    /// A component whose version cannot be read.
    #[error("component {component} of the cluster image: {source}")]
    ComponentVersion {
        /// Name of the component.
        component: &'static str,
        /// Why not.
        source: VersionError,
    },
    /// A container image that is not in the cluster image.
    #[error("the cluster image {image} has no container image called {name}; it has {available}; use an image with it")]
    Reference {
        /// Name of the cluster image.
        image: String,
        /// Last element of the path, without tag.
        name: &'static str,
        /// References that are there.
        available: String,
    },
    /// A node that runs on another snapshotter than the one asked for.
    #[error(
        "containerd of {0} has its images and containers in a thin pool, and the inventory does not ask for that any more; \
         keep `snapshotter: devmapper` of its disk for containerd, or drain the node, reset this host alone (by an \
         inventory of its own, with another name) and install again"
    )]
    Snapshotter(HostName),
    /// Facts of a host that were not read.
    #[error("the facts of {0} are not known; nothing can be decided for the cluster before every host was looked at")]
    NoFacts(HostName),
    /// Keys of a host that were not issued.
    #[error("no keys were issued for {0}; this is a defect of kubewright")]
    NoKeys(HostName),
    /// A pod subnet that was not chosen.
    #[error("no pod subnet was chosen for {0}; this is a defect of kubewright")]
    NoPodCidr(HostName),
    /// No interface has the host's address.
    #[error(
        "{host}: no interface has the address {address}; it has {found}. \
         The inventory must name an address of the host itself, not one that is translated on the way"
    )]
    NoInterface {
        /// Host.
        host: HostName,
        /// Its address in the inventory.
        address: IpAddr,
        /// Interfaces with their addresses.
        found: String,
    },
    /// A pod subnet of a host that is no subnet.
    #[error(
        "{host}: the pod subnet {text:?} in /etc/cni/net.d/10-kubewright.conflist is none; \
         put back what Node.spec.podCIDR says, or remove the file when no pod runs there"
    )]
    PodCidrText {
        /// Host.
        host: HostName,
        /// What it has.
        text: String,
    },
    /// A pod subnet outside of the pod network.
    #[error(
        "{host} has the pod subnet {subnet}, outside of the pod network {network}; set spec.network.podCidr to the \
         network that the cluster was made with, or drain the node, reset this host alone (by an inventory of its own, \
         with another name) and install it anew"
    )]
    PodCidrOutside {
        /// Host.
        host: HostName,
        /// Its subnet.
        subnet: IpNet,
        /// Pod network of the inventory.
        network: IpNet,
    },
    /// Two hosts with overlapping pod subnets.
    #[error(
        "{first} and {second} both have the pod subnet {subnet}; drain one of them, reset that host alone (by an \
         inventory of its own, with another name) and install it anew"
    )]
    PodCidrTwice {
        /// A host.
        first: HostName,
        /// Another.
        second: HostName,
        /// Subnet of the second.
        subnet: IpNet,
    },
    /// More hosts than subnets.
    #[error(
        "no pod subnet is left for {host}: {network} has room for {room} subnets of /{prefix}; \
         a larger spec.network.podCidr or a longer nodePrefix holds more nodes"
    )]
    PodCidrsExhausted {
        /// Host that goes without.
        host: HostName,
        /// Pod network.
        network: IpNet,
        /// Prefix length of the nodes' subnets.
        prefix: u8,
        /// How many subnets there are.
        room: u128,
    },
    /// A template that could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A manifest that is no YAML after it was rendered.
    #[error("{template} is no YAML after it was rendered: {message}; this is a defect of kubewright")]
    Manifest {
        /// Name of the template.
        template: &'static str,
        /// What the parser says.
        message: String,
    },
    /// Swap for pods where it cannot be limited.
    #[error(
        "kernel.swap of {host} is `limited`, which wants Kubernetes 1.28 or later and cgroup v2; {lacks}. \
         Write `swap: off` for it"
    )]
    Swap {
        /// Host.
        host: HostName,
        /// What there is instead, and how it changes.
        lacks: String,
    },
    /// Something of an add-on that cannot be used.
    #[error("add-on {addon}, {place}: {message}")]
    Addon {
        /// Its name.
        addon: String,
        /// Where.
        place: AddonPlace,
        /// What is wrong.
        message: String,
    },
    /// An object that no add-on may have.
    #[error("add-on {addon}, {place}: {object} is {owner}; {hint}")]
    AddonReserved {
        /// The add-on.
        addon: String,
        /// Where it has it.
        place: Box<AddonPlace>,
        /// The object.
        object: String,
        /// Whose it is.
        owner: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// Objects that are not in the cluster image.
    #[error(
        "the cluster image {image} has no manifests called {component}, which the network plugin needs; \
         use an image with them"
    )]
    NoManifests {
        /// Name of the cluster image.
        image: String,
        /// Name of the component.
        component: &'static str,
    },
    /// An object of two add-ons, or twice in one.
    #[error("{object} is in the add-on {}, {}, and in the add-on {}, {}; leave one of them", first.0, first.1, second.0, second.1)]
    AddonObject {
        /// The object.
        object: String,
        /// An add-on, and where it has it.
        first: Box<(String, AddonPlace)>,
        /// Another, or the same once more.
        second: Box<(String, AddonPlace)>,
    },
    /// Several of them.
    #[error("{}", lines(.0))]
    Several(Vec<Error>),
}

fn lines(errors: &[Error]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Error {
    /// Each by itself.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Several(errors) => errors,
            one => std::slice::from_ref(one),
        }
    }

    /// The place that it names, where it names one of an add-on's.
    pub fn place(&self) -> Option<&AddonPlace> {
        match self {
            Self::Addon { place, .. } => Some(place),
            Self::AddonReserved { place, .. } => Some(place),
            Self::AddonObject { second, .. } => Some(&second.1),
            _ => None,
        }
    }

    /// Nothing, the only one, or several.
    pub(super) fn collect(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }
}
