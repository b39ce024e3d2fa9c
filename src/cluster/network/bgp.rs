//! Who peers with whom, as the inventory wants it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::super::{Host, HostName};

/// Up to this many nodes a full mesh is no burden.
const MESH_UP_TO: usize = 100;
/// Of each data centre, by default.
const REFLECTORS_PER_IDC: usize = 2;

/// Label of nodes that pass routes on between the others: their data centre. BGPPeers go by it, so that it comes before them
/// and goes after them, and not with the other labels.
pub const REFLECTOR: &str = "kubewright.dev/route-reflector";

/// BGP within the cluster, and with the routers around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bgp {
    /// The AS of the nodes.
    pub as_number: u32,
    /// Whether every node peers with every other.
    pub mesh: Mesh,
    /// The routers that the nodes of a rack peer with, by rack.
    pub racks: BTreeMap<String, Vec<Router>>,
    /// Nodes that pass routes on between the others.
    pub reflectors: Reflectors,
    /// Addresses of Services that are told to the routers.
    pub services: ServiceRoutes,
}

impl Default for Bgp {
    fn default() -> Self {
        Self {
            as_number: 64_512,
            mesh: Mesh::Auto,
            racks: BTreeMap::new(),
            reflectors: Reflectors::None,
            services: ServiceRoutes::default(),
        }
    }
}

/// Whether every node peers with every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mesh {
    /// As long as nothing else connects them, up to 100 nodes.
    #[default]
    Auto,
    /// It does.
    On,
    /// It does not.
    Off,
}

/// A router outside of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Router {
    /// Its address.
    pub address: IpAddr,
    /// Its port, where it is not 179.
    pub port: Option<u16>,
    /// Its AS.
    pub as_number: u32,
    /// File of this machine with the password of the sessions.
    pub password: Option<PathBuf>,
}

/// Nodes that pass routes on between the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reflectors {
    /// There are none.
    #[default]
    None,
    /// So many of each data centre, those whose names come first.
    PerIdc(usize),
    /// These.
    Hosts(BTreeSet<HostName>),
}

impl Reflectors {
    /// As many as are usual.
    pub fn usual() -> Self {
        Self::PerIdc(REFLECTORS_PER_IDC)
    }

    /// The reflectors among `hosts`, by data centre. Nodes without a data centre are in one of their own.
    pub fn by_idc<'h>(&self, hosts: &'h [Host]) -> BTreeMap<&'h str, Vec<&'h Host>> {
        let mut of_idc: BTreeMap<&str, Vec<&Host>> = BTreeMap::new();
        for host in hosts.iter().filter(|host| host.roles.is_node()) {
            of_idc.entry(host.idc.as_deref().unwrap_or_default()).or_default().push(host);
        }
        for nodes in of_idc.values_mut() {
            nodes.sort_by(|one, other| one.name.cmp(&other.name));
            match self {
                Self::None => nodes.clear(),
                Self::PerIdc(count) => spread(nodes, *count),
                Self::Hosts(names) => nodes.retain(|host| names.contains(&host.name)),
            }
        }
        of_idc.retain(|_, nodes| !nodes.is_empty());
        of_idc
    }
}

/// Keeps `count` nodes, of as many racks as there are.
fn spread(nodes: &mut Vec<&Host>, count: usize) {
    let mut racks: BTreeSet<Option<&str>> = BTreeSet::new();
    let (first, more): (Vec<&Host>, Vec<&Host>) = nodes.iter().partition(|host| racks.insert(host.rack.as_deref()));
    *nodes = first.into_iter().chain(more).take(count).collect();
}

/// Addresses of Services that are told to the routers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceRoutes {
    /// Whether the addresses that every Service has in the cluster are among them.
    pub cluster: bool,
    /// Networks of external addresses.
    pub external: Vec<IpNet>,
    /// Networks of load balancers' addresses.
    pub load_balancers: Vec<IpNet>,
}

impl Bgp {
    /// Whether the full mesh is on, with so many nodes.
    pub fn is_meshed(&self, nodes: usize) -> bool {
        match self.mesh {
            Mesh::On => true,
            Mesh::Off => false,
            Mesh::Auto => self.racks.is_empty() && self.reflectors == Reflectors::None && nodes <= MESH_UP_TO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::worker;

    fn host(number: usize, idc: &str, rack: &str) -> Host {
        Host { idc: Some(idc.into()), rack: Some(rack.into()), ..worker(&format!("n{number}"), number) }
    }

    #[test]
    fn reflectors_are_of_different_racks_where_there_are() {
        let hosts =
            [host(1, "bj", "r1"), host(2, "bj", "r1"), host(3, "bj", "r2"), host(4, "sh", "r3"), host(5, "sh", "r3")];
        let names = |reflectors: Reflectors| -> Vec<String> {
            let found = reflectors.by_idc(&hosts);
            found.values().flatten().map(|host| host.name.to_string()).collect()
        };
        assert_eq!(names(Reflectors::usual()), ["n1", "n3", "n4", "n5"]);
        assert_eq!(names(Reflectors::Hosts([HostName::parse("n2").unwrap()].into())), ["n2"]);
        assert!(names(Reflectors::None).is_empty());
    }

    #[test]
    fn a_mesh_is_for_few_nodes_that_nothing_else_connects() {
        let meshed = |change: fn(&mut Bgp), nodes| {
            let mut bgp = Bgp::default();
            change(&mut bgp);
            bgp.is_meshed(nodes)
        };
        assert!(meshed(|_| {}, 100) && !meshed(|_| {}, 101));
        assert!(!meshed(|bgp| bgp.reflectors = Reflectors::usual(), 3));
        assert!(!meshed(|bgp| drop(bgp.racks.insert("r1".into(), Vec::new())), 3));
        assert!(meshed(|bgp| bgp.mesh = Mesh::On, 1000) && !meshed(|bgp| bgp.mesh = Mesh::Off, 3));
    }
}
