//! Rules about addresses and networks.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Place, Violation};
use crate::cluster::{CacheAt, EndpointMode, NetworkPlugin, Parts};

/// The API server takes at most this many bits of addresses for services.
const SERVICE_BITS: u8 = 20;

/// The cluster's DNS has the tenth address, and the network itself one more.
const LEAST_SERVICE_BITS: u8 = 4;

/// The controller manager can tell at most this many bits of nodes apart.
const NODE_BITS: u8 = 16;

pub(super) fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

fn host_bits(network: &IpNet) -> u8 {
    network.max_prefix_len() - network.prefix_len()
}

pub(super) fn family(is_v4: bool) -> &'static str {
    if is_v4 { "IPv4" } else { "IPv6" }
}

/// The address of the endpoint, where the inventory names one.
pub(super) fn endpoint_address(parts: &Parts) -> Option<(IpAddr, Place)> {
    match &parts.endpoint.mode {
        EndpointMode::Local => None,
        EndpointMode::Vip { vip, .. } => Some((*vip, Place::spec("endpoint.vip"))),
        EndpointMode::External { address } => Some(((*address)?, Place::spec("endpoint.address"))),
    }
}

/// kubewright builds single-stack clusters: the first host's family is that of everything.
pub(super) fn one_address_family(parts: &Parts) -> Vec<Violation> {
    let Some(first) = parts.hosts.first() else { return Vec::new() };
    let expected = first.address.is_ipv4();
    let networks = [("network.podCidr", parts.network.pod_cidr), ("network.serviceCidr", parts.network.service_cidr)];
    let mut found: Vec<(Place, bool, String)> = networks
        .into_iter()
        .map(|(field, network)| (Place::spec(field), network.addr().is_ipv4(), network.to_string()))
        .collect();
    if let Some((address, place)) = endpoint_address(parts) {
        found.push((place, address.is_ipv4(), address.to_string()));
    }
    for (index, host) in parts.hosts.iter().enumerate().skip(1) {
        found.push((Place::host(index, "address"), host.address.is_ipv4(), host.address.to_string()));
    }
    found
        .into_iter()
        .filter(|(_, is_v4, _)| *is_v4 != expected)
        .map(|(place, is_v4, what)| {
            let message =
                format!("{what} is {}, but {} has an {} address", family(is_v4), first.name, family(expected));
            let hint = "a cluster has one address family: write all host addresses, networks and the endpoint in one";
            Violation::new(place, message, hint).with(Place::host(0, "address"))
        })
        .collect()
}

pub(super) fn networks_are_apart(parts: &Parts) -> Vec<Violation> {
    let pods = (parts.network.pod_cidr, "network.podCidr", "pod");
    let services = (parts.network.service_cidr, "network.serviceCidr", "service");
    let mut violations = Vec::new();
    if overlap(&pods.0, &services.0) {
        let message = format!("the pod network {} and the service network {} overlap", pods.0, services.0);
        let hint = "choose two networks that have no address in common";
        violations.push(Violation::new(Place::spec(services.1), message, hint).with(Place::spec(pods.1)));
    }
    for (network, field, what) in [pods, services] {
        for (index, host) in parts.hosts.iter().enumerate().filter(|(_, host)| network.contains(&host.address)) {
            let message = format!("the address {} of {} lies in the {what} network {network}", host.address, host.name);
            let hint = format!("choose another `{field}`: the hosts' network must not overlap it");
            violations.push(Violation::new(Place::host(index, "address"), message, hint).with(Place::spec(field)));
        }
        if let Some((address, place)) = endpoint_address(parts).filter(|(address, _)| network.contains(address)) {
            let message = format!("the endpoint's address {address} lies in the {what} network {network}");
            let hint = format!("choose another `{field}`, or another address");
            violations.push(Violation::new(place, message, hint).with(Place::spec(field)));
        }
    }
    violations
}

pub(super) fn services_fit(parts: &Parts) -> Vec<Violation> {
    let network = &parts.network.service_cidr;
    let place = Place::spec("network.serviceCidr");
    if host_bits(network) > SERVICE_BITS {
        let prefix = network.max_prefix_len() - SERVICE_BITS;
        let message = format!("the service network {network} is larger than Kubernetes allows");
        return vec![Violation::new(place, message, format!("use a prefix length of at least {prefix}"))];
    }
    if host_bits(network) < LEAST_SERVICE_BITS {
        let prefix = network.max_prefix_len() - LEAST_SERVICE_BITS;
        let message = format!("the service network {network} is too small: the cluster DNS has its tenth address");
        return vec![Violation::new(place, message, format!("use a prefix length of at most {prefix}"))];
    }
    Vec::new()
}

pub(super) fn every_node_gets_pod_addresses(parts: &Parts) -> Vec<Violation> {
    let network = &parts.network;
    let (pods, prefix) = (network.pod_cidr, network.node_prefix);
    let violation = |message: String, hint: String| {
        vec![Violation::new(Place::spec("network.nodePrefix"), message, hint).with(Place::spec("network.podCidr"))]
    };
    if prefix <= pods.prefix_len() || prefix >= pods.max_prefix_len() - 1 {
        let message = format!("the nodes' prefix length {prefix} does not lie in the pod network {pods}");
        let hint = format!("write a number above {} and below {}", pods.prefix_len(), pods.max_prefix_len() - 1);
        return violation(message, hint);
    }
    // What somebody else's network plugin does with the addresses is its own business.
    if network.plugin != NetworkPlugin::Bridge {
        return Vec::new();
    }
    let bits = prefix - pods.prefix_len();
    if bits > NODE_BITS {
        let message =
            format!("{bits} bits between the pod network {pods} and the nodes' prefix length {prefix} are too many");
        let most = pods.prefix_len() + NODE_BITS;
        return violation(message, format!("Kubernetes allows {NODE_BITS}: write at most {most}"));
    }
    let nodes = parts.hosts.iter().filter(|host| host.roles.is_node()).count();
    let mut violations = Vec::new();
    if nodes > 1 << bits {
        let message = format!("the pod network {pods} has room for {} nodes, and there are {nodes}", 1_u64 << bits);
        violations.extend(violation(message, "enlarge `podCidr`, or choose a longer `nodePrefix`".into()));
    }
    // The network, the bridge and the broadcast address are no pod's.
    let addresses = 1_u128.checked_shl(u32::from(pods.max_prefix_len() - prefix)).unwrap_or(u128::MAX) - 3;
    if u128::from(parts.kubelet.max_pods) > addresses {
        let message = format!("a node has {addresses} addresses for up to {} pods", parts.kubelet.max_pods);
        let hint = "choose a shorter `network.nodePrefix`, or fewer `kubelet.maxPods`";
        violations.push(
            Violation::new(Place::spec("network.nodePrefix"), message, hint)
                .with(Place::spec("kubelet.maxPods"))
                .with(Place::spec("network.podCidr")),
        );
    }
    violations
}

/// The cache answers at an address of IPv4's link.
pub(super) fn a_cache_on_each_node_has_an_address(parts: &Parts) -> Vec<Violation> {
    let network = &parts.network;
    if network.dns.cache_at == CacheAt::Servers || network.service_cidr.addr().is_ipv4() {
        return Vec::new();
    }
    let message = "a cache for the DNS on each node speaks IPv4 only";
    vec![Violation::new(Place::spec("network.dns.nodeLocal"), message, "remove it: pods ask the service")]
}
