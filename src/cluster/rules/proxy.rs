//! Rules about kube-proxy.

use ipnet::IpNet;

use super::networks::{family, overlap};
use super::{Place, Violation};
use crate::cluster::Parts;

const EXCLUDED: &str = "network.proxy.excludeCidrs";
const NODE_PORTS: &str = "network.proxy.nodePortAddresses";

pub(super) fn networks_of_kube_proxy_fit(parts: &Parts) -> Vec<Violation> {
    let network = &parts.network;
    let (pods, services) = (network.pod_cidr, network.service_cidr);
    let mut violations = Vec::new();
    let mut violation = |field, message: String, hint: &str| {
        violations.push(Violation::new(Place::spec(field), message, hint));
    };
    let excluded = network.proxy.mode.ipvs().map(|ipvs| ipvs.exclude.as_slice()).unwrap_or_default();
    let of_family = |cidr: &IpNet| cidr.addr().is_ipv4() == pods.addr().is_ipv4();
    let node_ports = network.proxy.node_port_addresses.as_slice();
    for (field, cidr) in excluded.iter().map(|cidr| (EXCLUDED, cidr)).chain(node_ports.iter().map(|c| (NODE_PORTS, c)))
    {
        if !of_family(cidr) {
            let message = format!("{cidr} is {}, and pods are not", family(cidr.addr().is_ipv4()));
            violation(field, message, "write networks of the family that the cluster has");
        }
    }
    for cidr in excluded.iter().filter(|cidr| overlap(cidr, &services)) {
        let message = format!(
            "{cidr} has addresses of Services ({services}): kube-proxy would leave those behind that nobody has any more"
        );
        violation(EXCLUDED, message, "name the addresses of the other virtual servers alone");
    }
    for (other, what) in [(pods, "pods"), (services, "Services")] {
        // Every address is what it is without any.
        for cidr in node_ports.iter().filter(|cidr| cidr.prefix_len() > 0 && overlap(cidr, &other)) {
            let message = format!("{cidr} has addresses of {what} ({other}), and NodePorts answer at those of nodes");
            violation(NODE_PORTS, message, "name networks of the nodes' own addresses");
        }
    }
    violations
}
