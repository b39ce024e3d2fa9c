//! Rules about Calico: pools that fit, and nobody without a way to the others.

use std::collections::BTreeSet;

use super::{Place, Violation};
use crate::cluster::{Bgp, Calico, Host, Parts, Pool, Reflectors};

const POOLS: &str = "network.calico.pools";
const RACKS: &str = "network.calico.bgp.racks";
const REFLECTORS: &str = "network.calico.bgp.routeReflectors";

pub(super) fn pools_fit(parts: &Parts) -> Vec<Violation> {
    let Some(calico) = parts.network.calico() else { return Vec::new() };
    let mut violations = Vec::new();
    let mut violation = |message: String, hint: &str| {
        violations.push(Violation::new(Place::spec(POOLS), message, hint));
    };
    let pods = parts.network.pod_cidr;
    for (index, pool) in calico.pools.iter().enumerate() {
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
        for other in &calico.pools[..index] {
            if other.cidr.contains(&cidr.network()) || cidr.contains(&other.cidr.network()) {
                violation(format!("the pools {} and {name} overlap", other.name), "give each its own addresses");
            }
            if other.name == *name {
                violation(format!("two pools are called {name}"), "give every pool a name of its own");
            }
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

pub(super) fn every_node_has_a_way(parts: &Parts) -> Vec<Violation> {
    let Some((calico, bgp)) = parts.network.calico().and_then(|calico| Some((calico, calico.transport.bgp()?))) else {
        return Vec::new();
    };
    let nodes: Vec<&Host> = parts.hosts.iter().filter(|host| host.roles.is_node()).collect();
    let mut violations = unknown_racks(bgp, &nodes);
    violations.extend(unknown_reflectors(bgp, &nodes));
    if !bgp.is_meshed(nodes.len()) {
        violations.extend(lonely(calico, bgp, parts, &nodes));
    }
    violations
}

fn unknown_racks(bgp: &Bgp, nodes: &[&Host]) -> Vec<Violation> {
    let racks: BTreeSet<&str> = nodes.iter().filter_map(|node| node.rack.as_deref()).collect();
    let mut violations = Vec::new();
    for (rack, routers) in &bgp.racks {
        let place = || Place::spec(RACKS).with_key(rack.as_str());
        if !racks.contains(rack.as_str()) {
            let known = racks.iter().copied().collect::<Vec<_>>().join(", ");
            let hint = format!("the racks of the hosts are {known}");
            violations.push(Violation::new(place(), format!("no node is in the rack {rack}"), hint));
        }
        if routers.is_empty() {
            let message = format!("the rack {rack} has no peers");
            violations.push(Violation::new(place(), message, "name its routers, or remove the rack"));
        }
    }
    violations
}

fn unknown_reflectors(bgp: &Bgp, nodes: &[&Host]) -> Vec<Violation> {
    let Reflectors::Hosts(names) = &bgp.reflectors else { return Vec::new() };
    let unknown = names.iter().filter(|name| nodes.iter().all(|node| node.name != **name));
    let violation = |name| {
        let hint = "name hosts with the role worker or control-plane";
        Violation::new(Place::spec(REFLECTORS), format!("{name} is no node of this cluster"), hint)
    };
    let mut violations: Vec<_> = unknown.map(violation).collect();
    if names.is_empty() {
        let hint = "name some, or remove `routeReflectors`";
        violations.push(Violation::new(Place::spec(REFLECTORS), "there are no reflectors", hint));
    }
    violations
}

/// Nodes that would peer with nobody once the mesh is off.
fn lonely(calico: &Calico, bgp: &Bgp, parts: &Parts, nodes: &[&Host]) -> Vec<Violation> {
    if bgp.reflectors != Reflectors::None {
        // Every node peers with all reflectors.
        return if bgp.reflectors.by_idc(&parts.hosts).is_empty() && !matches!(bgp.reflectors, Reflectors::Hosts(_)) {
            vec![Violation::new(Place::spec(REFLECTORS), "there are no reflectors", "ask for one at least")]
        } else {
            Vec::new()
        };
    }
    let alone = nodes.iter().filter(|node| node.rack.as_deref().is_none_or(|rack| calico.routers(rack).is_empty()));
    let alone: Vec<&str> = alone.map(|node| node.name.as_str()).collect();
    if alone.is_empty() {
        return Vec::new();
    }
    let named = alone.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    let more = if alone.len() > 5 { format!(" and {} more", alone.len() - 5) } else { String::new() };
    let message =
        format!("without the full mesh nobody peers with {named}{more}: their pods would reach no other node");
    let hint = "give their racks routers under `racks`, or ask for `routeReflectors`, or write `mesh: on`";
    vec![Violation::new(Place::spec("network.calico.bgp.mesh"), message, hint)]
}
