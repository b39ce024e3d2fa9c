//! Addresses that no host, network or endpoint of a cluster can have, because something else has them everywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::networks::{endpoint_address, overlap};
use super::{Place, Violation};
use crate::cluster::Parts;

const fn v4(a: u8, b: u8, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), prefix))
}

const fn v6(first: u16, prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), prefix))
}

/// Blocks with what they are for.
const KEPT: [(IpNet, &str); 9] = [
    (v4(0, 0, 8), "that stand for no address at all"),
    (v4(127, 0, 8), "of each host's loopback"),
    (v4(169, 254, 16), "of links, among them 169.254.20.10, where a node's cache for the DNS answers"),
    (v4(224, 0, 4), "of multicast"),
    (v4(240, 0, 4), "that are reserved"),
    // Loopback and IPv4 addresses as IPv6 among them.
    (v6(0, 8), "that are reserved"),
    (v6(0xfe80, 10), "of links"),
    (v6(0xfec0, 10), "of sites, which nobody routes any more"),
    (v6(0xff00, 8), "of multicast"),
];

/// The block that has `address`, and what it is for.
pub(super) fn kept(address: IpAddr) -> Option<&'static (IpNet, &'static str)> {
    KEPT.iter().find(|(block, _)| block.contains(&address))
}

pub(super) fn no_address_is_kept_for_others(parts: &Parts) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (network, field, what, usual) in [
        (parts.network.pod_cidr, "network.podCidr", "pod", "10.244.0.0/16"),
        (parts.network.service_cidr, "network.serviceCidr", "service", "10.96.0.0/16"),
    ] {
        if let Some((block, of)) = KEPT.iter().find(|(block, _)| overlap(block, &network)) {
            let message = format!("the {what} network {network} has addresses {of} ({block})");
            let hint = format!("choose a private network, such as {usual}");
            violations.push(Violation::new(Place::spec(field), message, hint));
        }
    }
    let hosts = parts.hosts.iter().enumerate();
    let hosts = hosts.map(|(index, host)| (host.address, Place::host(index, "address")));
    for (address, place) in hosts.chain(endpoint_address(parts)) {
        if let Some((block, of)) = kept(address) {
            let message = format!("{address} is one of the addresses {of} ({block})");
            violations.push(Violation::new(place, message, "write an address by which others can reach it"));
        }
    }
    violations
}
