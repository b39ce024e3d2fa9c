//! Calico as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::cluster::{FelixLog, FelixValue};

/// Calico.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecCalico {
    /// Who carries packets between nodes.
    #[schemars(extend("default" = "bgp"))]
    pub(in crate::inventory) mode: Option<SpecCalicoMode>,
    /// Modes `ipip` and `vxlan`: between which nodes packets are wrapped. `CrossSubnet` by default.
    pub(in crate::inventory) encapsulation: Option<SpecEncapsulation>,
    /// Where pods get their addresses from, all of it within `podCidr`; all of `podCidr` when left out.
    pub(in crate::inventory) pools: Option<Vec<SpecPool>>,
    /// MTU of pods; worked out from the hosts' interfaces when left out.
    #[schemars(range(min = 576, max = 65535))]
    pub(in crate::inventory) mtu: Option<u32>,
    /// How a node finds its own address; by default it is the one in this inventory.
    pub(in crate::inventory) address_detection: Option<SpecAddressDetection>,
    /// Settings of Felix, which programs the nodes.
    pub(in crate::inventory) felix: Option<SpecFelix>,
    /// Typha, between the nodes and the API servers.
    pub(in crate::inventory) typha: Option<SpecTypha>,
    /// Who peers with whom; not in mode `vxlan`.
    pub(in crate::inventory) bgp: Option<SpecBgp>,
}

/// Who carries packets between nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::inventory) enum SpecCalicoMode {
    /// Routes that nodes and routers tell each other by BGP, without any overlay.
    Bgp,
    /// The same, with packets in IP packets where the network between nodes would not route them.
    Ipip,
    /// VXLAN without BGP.
    Vxlan,
}

/// Between which nodes packets are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(in crate::inventory) enum SpecEncapsulation {
    /// Between all of them.
    Always,
    /// Between those that share no subnet.
    CrossSubnet,
    /// Between none.
    Never,
}

/// Addresses for pods.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecPool {
    /// Its name, in lower case.
    #[schemars(required)]
    pub(in crate::inventory) name: Option<String>,
    /// Its addresses.
    #[schemars(required)]
    pub(in crate::inventory) cidr: Option<String>,
    /// Prefix length of the blocks that nodes take; 26 by default, 122 for IPv6. It can never be changed.
    #[schemars(range(min = 20, max = 128))]
    pub(in crate::inventory) block_size: Option<u8>,
    /// Whether packets that leave the pool get the node's address.
    #[schemars(extend("default" = true))]
    pub(in crate::inventory) nat_outgoing: Option<bool>,
    /// The nodes that it is for, in Calico's language: `topology.kubewright.dev/idc == 'bj1'`.
    #[schemars(extend("default" = "all()"))]
    pub(in crate::inventory) node_selector: Option<String>,
}

/// How a node finds its own address: one of these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecAddressDetection {
    /// The first address on one of these interfaces: regular expressions, tried in order.
    pub(in crate::inventory) interfaces: Option<Vec<String>>,
    /// The first address in one of these networks.
    pub(in crate::inventory) networks: Option<Vec<String>>,
}

/// Settings of Felix.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecFelix {
    /// What it says.
    #[schemars(extend("default" = "Info"))]
    pub(in crate::inventory) log: Option<FelixLog>,
    /// Port of its Prometheus metrics; none are served when left out.
    #[schemars(range(min = 1))]
    pub(in crate::inventory) metrics_port: Option<u16>,
    /// Further fields of FelixConfiguration, as Calico calls them.
    pub(in crate::inventory) extra: Option<BTreeMap<String, FelixValue>>,
}

/// Typha.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecTypha {
    /// How many there are; by default none below 50 nodes, then one for every 200 nodes and two more.
    #[schemars(range(max = 100))]
    pub(in crate::inventory) replicas: Option<u32>,
}

/// Who peers with whom.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecBgp {
    /// AS of the nodes, as a plain number. The API of Calico takes none above 2147483647.
    #[schemars(range(min = 1, max = 2147483647), extend("default" = 64512))]
    pub(in crate::inventory) as_number: Option<u32>,
    /// Whether every node peers with every other.
    #[schemars(extend("default" = "auto"))]
    pub(in crate::inventory) mesh: Option<SpecMesh>,
    /// The routers that the nodes of a rack peer with, by rack.
    pub(in crate::inventory) racks: Option<BTreeMap<String, SpecRackPeers>>,
    /// Nodes that pass routes on between the others.
    pub(in crate::inventory) route_reflectors: Option<SpecReflectors>,
    /// Addresses of Services that are told to the routers.
    pub(in crate::inventory) services: Option<SpecServiceRoutes>,
}

/// Whether every node peers with every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::inventory) enum SpecMesh {
    /// As long as neither racks nor reflectors are named, up to 100 nodes.
    Auto,
    /// It does.
    On,
    /// It does not.
    Off,
}

/// The routers of a rack.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecRackPeers {
    /// The routers, usually at the top of the rack.
    #[schemars(required)]
    pub(in crate::inventory) peers: Option<Vec<SpecRouter>>,
}

/// A router.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecRouter {
    /// Its address.
    #[schemars(required)]
    pub(in crate::inventory) ip: Option<String>,
    /// Its port.
    #[schemars(range(min = 1), extend("default" = 179))]
    pub(in crate::inventory) port: Option<u16>,
    /// Its AS, as a plain number. The API of Calico takes none above 2147483647.
    #[schemars(required, range(min = 1, max = 2147483647))]
    pub(in crate::inventory) r#as: Option<u32>,
    /// File with the password of the sessions (TCP MD5) on one line. Relative paths start at the directory of the inventory.
    pub(in crate::inventory) password_file: Option<String>,
}

/// Nodes that pass routes on: one of these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecReflectors {
    /// So many of each data centre, of different racks.
    #[schemars(range(min = 1))]
    pub(in crate::inventory) per_idc: Option<u8>,
    /// These hosts.
    pub(in crate::inventory) hosts: Option<Vec<String>>,
}

/// Addresses of Services that are told to the routers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecServiceRoutes {
    /// Whether all of `serviceCidr` is.
    #[schemars(extend("default" = false))]
    pub(in crate::inventory) cluster_addresses: Option<bool>,
    /// Networks of external addresses.
    pub(in crate::inventory) external_addresses: Option<Vec<String>>,
    /// Networks of load balancers' addresses.
    pub(in crate::inventory) load_balancer_addresses: Option<Vec<String>>,
}
