//! Rules about Calico: pools that fit, and packets that do.

use std::collections::BTreeSet;

use super::networks::{family, overlap};
use super::{Place, Violation};
use crate::cluster::{AddressDetection, Parts, Pool, Typha};

const POOLS: &str = "network.calico.pools";

/// IPv6 has no smaller packets.
const LEAST_MTU_IPV6: u32 = 1280;

pub(super) fn pools_fit(parts: &Parts) -> Vec<Violation> {
    let Some(calico) = parts.network.calico() else { return Vec::new() };
    let mut violations = Vec::new();
    let mut violation = |message: String, hint: &str| {
        violations.push(Violation::new(Place::spec(POOLS), message, hint));
    };
    let pods = parts.network.pod_cidr;
    let mut names = BTreeSet::new();
    for pool in &calico.pools {
        let Pool { name, cidr, block_size, .. } = pool;
        if !pods.contains(cidr) {
            let message = format!("the pool {name} ({cidr}) is not within the pod network {pods}");
            violation(message, "kube-proxy knows pods by `podCidr`: write one that holds all pools");
        }
        let (least, most) = if cidr.addr().is_ipv6() { (116, 128) } else { (20, 32) };
        if !(least..=most).contains(block_size) || *block_size < cidr.prefix_len() {
            let message = format!("blocks of /{block_size} do not fit the pool {name} ({cidr})");
            violation(message, &format!("write a `blockSize` from {} to {most}", cidr.prefix_len().max(least)));
        }
        if !names.insert(name.as_str()) {
            violation(format!("two pools are called {name}"), "give every pool a name of its own");
        }
    }
    // Of two that overlap, one holds the other: sorted, it comes before.
    let mut sorted: Vec<&Pool> = calico.pools.iter().collect();
    sorted.sort_by_key(|pool| (pool.cidr.network(), pool.cidr.prefix_len()));
    let mut outer: Option<&Pool> = None;
    for pool in sorted {
        match outer.filter(|outer| overlap(&outer.cidr, &pool.cidr)) {
            Some(outer) => {
                let message = format!("the pools {} and {} overlap", outer.name, pool.name);
                violation(message, "give each its own addresses");
            }
            None => outer = Some(pool),
        }
    }
    violations
}

/// Calico wraps IPv4 in IP, and nothing else.
pub(super) fn the_overlay_can_carry_it(parts: &Parts) -> Vec<Violation> {
    let Some(calico) = parts.network.calico() else { return Vec::new() };
    let ipip = matches!(calico.transport, crate::cluster::Transport::Bgp { ipip: Some(_), .. });
    if !ipip || parts.network.pod_cidr.addr().is_ipv4() {
        return Vec::new();
    }
    let place = Place::spec("network.calico.mode");
    vec![Violation::new(place, "IP in IP carries IPv4 only", "write `mode: bgp` or `mode: vxlan`")]
}

pub(super) fn packets_are_long_enough(parts: &Parts) -> Vec<Violation> {
    let mtu = parts.network.calico().and_then(|calico| calico.mtu);
    let short = mtu.filter(|mtu| parts.network.pod_cidr.addr().is_ipv6() && *mtu < LEAST_MTU_IPV6);
    let violation = |mtu: u32| {
        let hint =
            format!("write at least {LEAST_MTU_IPV6}, or remove it: it is worked out from the hosts' interfaces");
        Violation::new(Place::spec("network.calico.mtu"), format!("IPv6 does not work with an MTU of {mtu}"), hint)
    };
    short.map(violation).into_iter().collect()
}

/// Each listens on a port of its node.
pub(super) fn typhas_have_nodes_of_their_own(parts: &Parts) -> Vec<Violation> {
    let Some(Typha::Replicas(replicas)) = parts.network.calico().map(|calico| calico.typha) else { return Vec::new() };
    let nodes = parts.hosts.iter().filter(|host| host.roles.is_node()).count();
    if usize::try_from(replicas).is_ok_and(|replicas| replicas <= nodes) {
        return Vec::new();
    }
    let message = format!("there are to be {replicas} Typhas on {nodes} nodes, and no two share one");
    let hint = "write fewer, or remove it: there are as many as the nodes need";
    vec![Violation::new(Place::spec("network.calico.typha.replicas"), message, hint).of_all_hosts()]
}

pub(super) fn nodes_find_addresses_of_their_family(parts: &Parts) -> Vec<Violation> {
    let Some(AddressDetection::Networks(networks)) = parts.network.calico().map(|calico| &calico.detection) else {
        return Vec::new();
    };
    let wanted = parts.network.pod_cidr.addr().is_ipv4();
    let others = networks.iter().filter(|network| network.addr().is_ipv4() != wanted);
    let violation = |network| {
        let message = format!("nodes look for an {} address, and {network} has none", family(wanted));
        let place = Place::spec("network.calico.addressDetection.networks");
        Violation::new(place, message, "write networks of the family that the pods have")
    };
    others.map(violation).collect()
}
