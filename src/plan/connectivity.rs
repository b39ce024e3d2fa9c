//! The network of pods: which ways through it are tried, and what came of them. Pure.

use serde::Serialize;

use super::waves;
use crate::cluster::Host;

/// Up to this many nodes every one tries every other.
const ALL: usize = 50;
/// Beyond, a node tries this many of its own rack.
const OF_THE_RACK: usize = 2;
/// And of this many other racks one node each.
const RACKS: usize = 24;

/// For each node those that it tries, as indexes. With many nodes a sample: a cable that is out is seen by its
/// neighbours, a link between two racks by one node of each, and everybody is tried about as often as anybody else.
pub fn pairs(nodes: &[&Host]) -> Vec<Vec<usize>> {
    if nodes.len() <= ALL {
        return (0..nodes.len()).map(|from| (0..nodes.len()).filter(|to| *to != from).collect()).collect();
    }
    let racks = waves::racks(nodes);
    let mut pairs = vec![Vec::new(); nodes.len()];
    for (rack, members) in racks.iter().enumerate() {
        for (position, from) in members.iter().enumerate() {
            let neighbours = (1..members.len()).take(OF_THE_RACK);
            let own = neighbours.map(|step| members[(position + step) % members.len()]);
            // Each member of a rack begins with another rack, so that together they try all of them.
            let others =
                (1..racks.len()).map(|step| (rack + 1 + (position + step - 1) % (racks.len() - 1)) % racks.len());
            let elsewhere = others.take(RACKS).map(|other| {
                let there = &racks[other];
                there[position % there.len()]
            });
            pairs[*from] = own.chain(elsewhere).collect();
        }
    }
    pairs
}

/// What was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Connectivity {
    /// Name of the cluster.
    pub cluster: String,
    /// Every node of the inventory.
    pub nodes: Vec<TriedNode>,
    /// Every way, in order of where it begins.
    pub tried: Vec<Tried>,
    /// What there was no way to try, and why.
    pub left_out: Vec<String>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TriedNode {
    /// Its name.
    pub name: String,
    /// Its data centre.
    pub idc: Option<String>,
    /// Its rack.
    pub rack: Option<String>,
}

/// A way through the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// Node where it begins.
    pub from: String,
    /// Node where it ends; absent where that is anywhere.
    pub to: Option<String>,
    /// What kind it is.
    pub way: Way,
    /// Why it does not work; absent when it does.
    pub broken: Option<String>,
}

/// Kinds of ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From a pod to a pod of another node, with packets of full size.
    PodToPod,
    /// From a node itself to a pod of another node.
    NodeToPod,
    /// From a node itself to a port that a Service has on another node.
    NodePort,
    /// From a pod to the address of a Service.
    Service,
    /// From a pod to the API, by the address of its Service.
    Api,
    /// From a pod to the cluster's DNS.
    Dns,
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::PodToPod => "pod to pod",
            Self::NodeToPod => "node to pod",
            Self::NodePort => "NodePort",
            Self::Service => "Service",
            Self::Api => "API",
            Self::Dns => "DNS",
        })
    }
}

impl Connectivity {
    /// Whether everything that was tried works.
    pub fn is_whole(&self) -> bool {
        self.tried.iter().all(|tried| tried.broken.is_none())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::desired::fixture::worker;

    fn hosts(racks: &[u8]) -> Vec<Host> {
        let host = |(index, rack): (usize, &u8)| {
            let mut host = worker(&format!("n{index}"), index);
            host.rack = Some(format!("r{rack}"));
            host
        };
        racks.iter().enumerate().map(host).collect()
    }

    #[test]
    fn few_nodes_try_every_other() {
        let hosts = hosts(&[1, 1, 2]);
        assert_eq!(pairs(&hosts.iter().collect::<Vec<_>>()), [vec![1, 2], vec![0, 2], vec![0, 1]]);
    }

    proptest! {
        #[test]
        fn many_nodes_try_a_few_that_cover_all(racks in prop::collection::vec(0_u8..12, 51..200)) {
            let hosts = hosts(&racks);
            let pairs = pairs(&hosts.iter().collect::<Vec<_>>());
            let mut ways = BTreeSet::new();
            for (from, tried) in pairs.iter().enumerate() {
                prop_assert!(!tried.contains(&from) && tried.len() <= OF_THE_RACK + RACKS);
                prop_assert_eq!(tried.iter().collect::<BTreeSet<_>>().len(), tried.len());
                ways.extend(tried.iter().map(|to| (racks[from], racks[*to])));
            }
            let there: BTreeSet<u8> = racks.iter().copied().collect();
            for (from, to) in there.iter().flat_map(|from| there.iter().map(move |to| (*from, *to))) {
                prop_assert!(from == to || ways.contains(&(from, to)), "nobody of {} tries {}", from, to);
            }
        }
    }
}
