//! Rules about BGP: nobody without a way to the others, and routes that take nothing from anybody.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::networks::{family, overlap};
use super::{Place, Violation};
use crate::cluster::{Bgp, Calico, Host, HostName, Parts, Reflectors, listed};

const RACKS: &str = "network.calico.bgp.racks";
const REFLECTORS: &str = "network.calico.bgp.routeReflectors";
const EXTERNAL: &str = "network.calico.bgp.services.externalAddresses";
const LOAD_BALANCERS: &str = "network.calico.bgp.services.loadBalancerAddresses";

/// AS numbers that are nobody's, and why.
const KEPT: [(u32, &str); 2] = [
    (23_456, "stands for numbers that old routers cannot read"),
    (65_535, "is reserved: the last private one is 65534"),
];

fn of(parts: &Parts) -> Option<(&Calico, &Bgp)> {
    parts.network.calico().and_then(|calico| Some((calico, calico.transport.bgp()?)))
}

pub(super) fn every_node_has_a_way(parts: &Parts) -> Vec<Violation> {
    let Some((calico, bgp)) = of(parts) else { return Vec::new() };
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
            let hint = match racks.len() {
                0 => "no node has a `rack`: give them one".to_owned(),
                _ => format!("the racks of the nodes are {}", listed(racks.iter().copied())),
            };
            let message = format!("no node is in the rack {rack}");
            violations.push(Violation::new(place(), message, hint).of_all_hosts());
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
    let known: BTreeSet<&HostName> = nodes.iter().map(|node| &node.name).collect();
    let unknown = names.iter().filter(|name| !known.contains(name));
    let violation = |name| {
        let hint = "name hosts with the role worker or control-plane";
        Violation::new(Place::spec(REFLECTORS), format!("{name} is no node of this cluster"), hint).of_all_hosts()
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

pub(super) fn numbers_are_free_to_use(parts: &Parts) -> Vec<Violation> {
    let Some((_, bgp)) = of(parts) else { return Vec::new() };
    let own = (bgp.as_number, Place::spec("network.calico.bgp.asNumber"));
    let routers = bgp.racks.iter().flat_map(|(rack, routers)| {
        routers.iter().map(|router| (router.as_number, Place::spec(RACKS).with_key(rack.as_str())))
    });
    let numbers = std::iter::once(own).chain(routers);
    let kept = numbers.filter_map(|(number, place)| {
        let (_, why) = KEPT.iter().find(|(kept, _)| *kept == number)?;
        let hint = "write the one that the routers are set to; 64512 to 65534 are for private use";
        Some(Violation::new(place, format!("the AS number {number} {why}"), hint))
    });
    kept.collect()
}

pub(super) fn peers_are_distinct(parts: &Parts) -> Vec<Violation> {
    let Some((_, bgp)) = of(parts) else { return Vec::new() };
    let mut violations = Vec::new();
    let wanted = parts.network.pod_cidr.addr().is_ipv4();
    for (rack, routers) in &bgp.racks {
        let mut violation = |message: String, hint: &str| {
            violations.push(Violation::new(Place::spec(RACKS).with_key(rack.as_str()), message, hint));
        };
        let mut seen = BTreeSet::new();
        for router in routers {
            let address = router.address;
            if !seen.insert((address, router.port)) {
                violation(format!("the rack {rack} has the peer {address} twice"), "keep one of the two");
            }
            if address.is_ipv4() != wanted {
                let message = format!(
                    "the peer {address} of the rack {rack} is {}: its routes would be none of pods",
                    family(address.is_ipv4())
                );
                violation(message, "write its address in the family that the pods have");
            }
            let own = [(parts.network.pod_cidr, "pod"), (parts.network.service_cidr, "service")];
            if let Some((network, what)) = own.into_iter().find(|(network, _)| network.contains(&address)) {
                let message = format!("the peer {address} of the rack {rack} lies in the {what} network {network}");
                violation(message, "write the address that the router has in the hosts' network");
            }
            if let Some(host) = parts.hosts.iter().find(|host| host.address == address && host.roles.is_node()) {
                let message = format!("the peer {address} of the rack {rack} is {}, a node of this cluster", host.name);
                violation(message, "nodes that pass routes on are named under `routeReflectors`");
            }
        }
    }
    violations
}

/// Routers send there whatever goes to an address that they are told.
pub(super) fn routes_lead_to_services(parts: &Parts) -> Vec<Violation> {
    let Some((_, bgp)) = of(parts) else { return Vec::new() };
    let network = &parts.network;
    let wanted = network.pod_cidr.addr().is_ipv4();
    let why_not = |told: &IpNet| -> Option<String> {
        if told.addr().is_ipv4() != wanted {
            return Some(format!("it is {}, and Services are not", family(told.addr().is_ipv4())));
        }
        if told.prefix_len() == 0 {
            return Some("it is every address, so that routers would send everything to the nodes".into());
        }
        let own = [(network.pod_cidr, "the pod network"), (network.service_cidr, "the service network")];
        if let Some((other, what)) = own.into_iter().find(|(other, _)| overlap(told, other)) {
            return Some(format!("it overlaps {what} {other}"));
        }
        let host = parts.hosts.iter().find(|host| told.contains(&host.address))?;
        Some(format!("it has the address of {} ({})", host.name, host.address))
    };
    let lists = [(EXTERNAL, &bgp.services.external), (LOAD_BALANCERS, &bgp.services.load_balancers)];
    let all = lists.into_iter().flat_map(|(field, told)| told.iter().map(move |told| (field, told)));
    let wrong = all.filter_map(|(field, told)| {
        let message = format!("{told} cannot be told to the routers: {}", why_not(told)?);
        Some(Violation::new(Place::spec(field), message, "name networks that only Services have addresses of"))
    });
    wrong.collect()
}
