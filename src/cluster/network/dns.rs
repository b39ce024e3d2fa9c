//! The cluster's DNS, as the inventory wants it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Nodes for each replica, beyond the first two.
const NODES_PER_REPLICA: usize = 64;
const MOST: usize = 20;
/// Where a node's own cache answers: an address of the link, which no service and no other host has.
const NODE_LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 20, 10));

/// The cluster's DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Who answers.
    pub server: DnsServer,
    /// Who is asked for names outside of the cluster; the nodes' own name servers when empty.
    pub upstreams: Vec<SocketAddr>,
    /// Who is asked for names in these domains.
    pub stub_domains: BTreeMap<String, Vec<SocketAddr>>,
    /// Longest time for which an answer is kept, in whole seconds.
    pub cache: Duration,
    /// How many there are.
    pub replicas: Replicas,
    /// Who answers pods first.
    pub cache_at: CacheAt,
}

/// How many servers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replicas {
    /// As many as the nodes of the inventory need.
    #[default]
    ByNodes,
    /// So many.
    Fixed(u32),
    /// As many as an autoscaler in the cluster finds right, whatever the inventory has.
    Autoscaled(Autoscale),
}

/// How an autoscaler counts: one for each so many, whichever makes more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Autoscale {
    /// Processors for each server.
    pub cores_per_replica: u32,
    /// Nodes for each server.
    pub nodes_per_replica: u32,
    /// At least so many.
    pub min: u32,
    /// At most so many.
    pub max: u32,
}

impl Default for Autoscale {
    fn default() -> Self {
        Self { cores_per_replica: 256, nodes_per_replica: 16, min: 2, max: 20 }
    }
}

/// Who answers pods first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheAt {
    /// The servers themselves.
    #[default]
    Servers,
    /// A cache on each node.
    Nodes,
}

impl CacheAt {
    /// Where a node's own cache answers, if there is one.
    pub fn address(self) -> Option<IpAddr> {
        (self == Self::Nodes).then_some(NODE_LOCAL)
    }
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            server: DnsServer::Coredns,
            upstreams: Vec::new(),
            stub_domains: BTreeMap::new(),
            cache: Duration::from_secs(30),
            replicas: Replicas::ByNodes,
            cache_at: CacheAt::Servers,
        }
    }
}

impl Dns {
    /// How many replicas there are with so many nodes: two that may fail one at a time, and one more for every 64 nodes.
    /// None where that is somebody else's to say.
    pub fn replicas(&self, nodes: usize) -> Option<u32> {
        let needed = (1 + nodes.div_ceil(NODES_PER_REPLICA)).clamp(2, MOST);
        match self.replicas {
            Replicas::ByNodes if nodes == 1 => Some(1),
            Replicas::ByNodes => u32::try_from(needed).ok(),
            Replicas::Fixed(count) => Some(count),
            Replicas::Autoscaled(_) => None,
        }
    }
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DnsServer {
    /// CoreDNS, from the cluster image.
    Coredns,
    /// Nobody, until somebody brings a DNS.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_come_with_the_nodes() {
        let of = |nodes| Dns::default().replicas(nodes);
        assert_eq!([1, 2, 64, 65, 200, 1000, 10_000].map(of), [1, 2, 2, 3, 5, 17, 20].map(Some));
        assert_eq!(Dns { replicas: Replicas::Fixed(7), ..Dns::default() }.replicas(1), Some(7));
        let autoscaled = Replicas::Autoscaled(Autoscale::default());
        assert_eq!(Dns { replicas: autoscaled, ..Dns::default() }.replicas(9), None);
    }
}
