//! Rules about the endpoint of the API.

use super::{Place, Violation, hosts, ports};
use crate::cluster::{EndpointMode, Parts};

/// Ports of node-port services.
pub(super) const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;

pub(super) fn the_vip_is_free(parts: &Parts) -> Vec<Violation> {
    let (address, field) = match &parts.endpoint.mode {
        EndpointMode::Vip { vip, .. } => (*vip, "endpoint.vip"),
        EndpointMode::Local | EndpointMode::External { .. } => return Vec::new(),
    };
    let hosts = parts.hosts.iter().enumerate().filter(|(_, host)| host.address == address);
    hosts
        .map(|(index, host)| {
            let message = format!("the virtual address {address} is the address of {}", host.name);
            let hint = "choose an address of the same network that nobody has";
            Violation::new(Place::spec(field), message, hint).with(Place::host(index, "address"))
        })
        .collect()
}

pub(super) fn the_name_is_nobody_elses(parts: &Parts) -> Vec<Violation> {
    let name = parts.endpoint.host.as_str();
    let place = Place::spec("endpoint.host");
    let namesakes = parts.hosts.iter().enumerate().filter(|(_, host)| host.name.as_str() == name);
    let mut violations: Vec<Violation> = namesakes
        .map(|(index, _)| {
            let message = format!("the endpoint {name} has the name of a host");
            let hint = "choose a name for the API alone: /etc/hosts leads it elsewhere";
            Violation::new(place.clone(), message, hint).with(Place::host(index, "name"))
        })
        .collect();
    if hosts::is_loopback(name) {
        let message = format!("the endpoint {name} is every host's name for itself");
        let hint = "choose a name for the API alone, such as api.example.com";
        violations.push(Violation::new(place.clone(), message, hint));
    }
    let domain = parts.network.domain.as_str();
    if name == domain || name.strip_suffix(domain).is_some_and(|above| above.ends_with('.')) {
        let message = format!("the endpoint {name} lies in the cluster's own domain {domain}");
        let hint = "choose a name outside: the cluster's DNS would say that it does not exist";
        violations.push(Violation::new(place, message, hint).with(Place::spec("network.domain")));
    }
    violations
}

pub(super) fn the_port_is_free(parts: &Parts) -> Vec<Violation> {
    // Somebody else's load balancer may listen where it likes.
    if matches!(parts.endpoint.mode, EndpointMode::External { .. }) {
        return Vec::new();
    }
    let hint = "6443 is a good port: the API servers do not mind to share it";
    let message = ports::taken(parts, parts.endpoint.port);
    message.map(|message| Violation::new(Place::spec("endpoint.port"), message, hint)).into_iter().collect()
}
