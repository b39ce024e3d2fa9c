//! The cluster's DNS, as the inventory wants it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Nodes for each replica, beyond the first two.
const NODES_PER_REPLICA: usize = 64;
const MOST: usize = 20;

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
    /// How many there are; as many as the nodes need when absent.
    pub replicas: Option<u32>,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            server: DnsServer::Coredns,
            upstreams: Vec::new(),
            stub_domains: BTreeMap::new(),
            cache: Duration::from_secs(30),
            replicas: None,
        }
    }
}

impl Dns {
    /// How many replicas there are with so many nodes: two that may fail one at a time, and one more for every 64 nodes.
    pub fn replicas(&self, nodes: usize) -> u32 {
        let needed = (1 + nodes.div_ceil(NODES_PER_REPLICA)).clamp(2, MOST);
        self.replicas.unwrap_or_else(|| if nodes == 1 { 1 } else { u32::try_from(needed).unwrap_or(2) })
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
        assert_eq!([1, 2, 64, 65, 200, 1000, 10_000].map(of), [1, 2, 2, 3, 5, 17, 20]);
        assert_eq!(Dns { replicas: Some(7), ..Dns::default() }.replicas(1), 7);
    }
}
