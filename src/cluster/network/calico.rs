//! Calico, as the inventory wants it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::bgp::Bgp;

/// From this many nodes on, Typha stands between them and the API servers.
const TYPHA_FROM: usize = 50;
/// Nodes for which one more Typha is started.
const NODES_PER_TYPHA: usize = 200;
const MOST_TYPHAS: usize = 20;

/// Calico.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calico {
    /// Who carries packets between nodes.
    pub transport: Transport,
    /// Where pods get their addresses from; at least one.
    pub pools: Vec<Pool>,
    /// MTU of pods, in bytes; worked out from the hosts' interfaces when absent.
    pub mtu: Option<u32>,
    /// How a node finds its own address.
    pub detection: AddressDetection,
    /// Settings of Felix, which programs the nodes.
    pub felix: Felix,
    /// Typha, between Felix and the API servers.
    pub typha: Typha,
}

/// Who carries packets between nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Routes that nodes and routers tell each other, with or without IP in IP between subnets.
    Bgp {
        /// Who peers with whom.
        bgp: Bgp,
        /// Where packets are wrapped in IP.
        ipip: Option<Overlay>,
    },
    /// VXLAN; nobody speaks BGP.
    Vxlan(Overlay),
}

impl Transport {
    /// BGP, where it is spoken.
    pub fn bgp(&self) -> Option<&Bgp> {
        match self {
            Self::Bgp { bgp, .. } => Some(bgp),
            Self::Vxlan(_) => None,
        }
    }

    /// Bytes that are lost of each packet between nodes.
    pub fn overhead(&self, is_ipv6: bool) -> u32 {
        match self {
            Self::Bgp { ipip: None, .. } => 0,
            Self::Bgp { ipip: Some(_), .. } => 20,
            Self::Vxlan(_) if is_ipv6 => 70,
            Self::Vxlan(_) => 50,
        }
    }
}

/// Between which nodes packets are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Overlay {
    /// Between all of them.
    Always,
    /// Between those that share no subnet.
    CrossSubnet,
}

/// Addresses for pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub cidr: IpNet,
    /// Prefix length of the blocks that nodes take.
    pub block_size: u8,
    /// Whether packets to the outside get the node's address.
    pub nat_outgoing: bool,
    /// The nodes that it is for, in Calico's language of selectors.
    pub node_selector: String,
}

/// How a node finds its own address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressDetection {
    /// The one by which the inventory knows it, which its kubelet tells.
    Inventory,
    /// The first one on one of these interfaces, as regular expressions.
    Interfaces(Vec<String>),
    /// The first one in one of these networks.
    Networks(Vec<IpNet>),
}

/// Settings of Felix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Felix {
    /// What it says.
    pub log: FelixLog,
    /// Port of its metrics; none are served when absent.
    pub metrics_port: Option<u16>,
    /// Further fields of FelixConfiguration.
    pub extra: BTreeMap<String, FelixValue>,
}

/// What Felix says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum FelixLog {
    /// Everything.
    Debug,
    /// What it does.
    #[default]
    Info,
    /// What is odd.
    Warning,
    /// What does not work.
    Error,
}

/// A value of a field that has no field of its own here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FelixValue {
    /// Yes or no.
    Switch(bool),
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
}

impl JsonSchema for FelixValue {
    fn schema_name() -> Cow<'static, str> {
        "FelixValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "integer", "string", "array"], "items": { "type": "string" } })
    }
}

/// How many Typhas there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Typha {
    /// As many as the nodes need: none below 50, then one for every 200 nodes and two more.
    #[default]
    Auto,
    /// This many.
    Replicas(u32),
}

impl Typha {
    /// How many there are with so many nodes.
    pub fn replicas(self, nodes: usize) -> u32 {
        match self {
            Self::Replicas(replicas) => replicas,
            Self::Auto if nodes < TYPHA_FROM => 0,
            Self::Auto => u32::try_from((nodes / NODES_PER_TYPHA + 2).clamp(3, MOST_TYPHAS)).unwrap_or(3),
        }
    }
}

impl Calico {
    /// Calico as it is without a word in the inventory: one pool, a full mesh, no overlay.
    pub fn new(pod_cidr: IpNet) -> Self {
        Self {
            transport: Transport::Bgp { bgp: Bgp::default(), ipip: None },
            pools: vec![Pool::new("default", pod_cidr)],
            mtu: None,
            detection: AddressDetection::Inventory,
            felix: Felix::default(),
            typha: Typha::Auto,
        }
    }

    /// The routers outside of the cluster that nodes in `rack` peer with.
    pub fn routers(&self, rack: &str) -> &[super::bgp::Router] {
        self.transport.bgp().and_then(|bgp| bgp.racks.get(rack)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether `address` is in one of the pools.
    pub fn serves(&self, address: IpAddr) -> bool {
        self.pools.iter().any(|pool| pool.cidr.contains(&address))
    }
}

impl Pool {
    /// A pool for every node, with Calico's own block size.
    pub fn new(name: &str, cidr: IpNet) -> Self {
        let block_size = if cidr.addr().is_ipv6() { 122 } else { 26 };
        let (name, node_selector) = (name.to_owned(), "all()".to_owned());
        Self { name, cidr, block_size, nat_outgoing: true, node_selector }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typhas_come_with_the_nodes() {
        let of = |nodes| Typha::Auto.replicas(nodes);
        assert_eq!([1, 49, 50, 200, 400, 1000, 10_000].map(of), [0, 0, 3, 3, 4, 7, 20]);
        assert_eq!(Typha::Replicas(0).replicas(1000), 0);
    }

    #[test]
    fn what_wraps_packets_takes_room() {
        let bgp = |ipip| Transport::Bgp { bgp: Bgp::default(), ipip };
        assert_eq!(bgp(None).overhead(false), 0);
        assert_eq!(bgp(Some(Overlay::CrossSubnet)).overhead(false), 20);
        assert_eq!(Transport::Vxlan(Overlay::Always).overhead(false), 50);
        assert_eq!(Transport::Vxlan(Overlay::Always).overhead(true), 70);
    }
}
