//! Ports that something on the hosts listens on.

use super::endpoint::NODE_PORTS;
use super::{Place, Violation};
use crate::cluster::{CacheAt, Endpoint, EndpointMode, Parts};

/// On the hosts of every cluster.
const ALWAYS: [(u16, &str); 10] = [
    (22, "sshd"),
    (2379, "etcd, for clients"),
    (2380, "etcd, for its members"),
    (2381, "etcd, for metrics"),
    (10248, "the kubelet, for its health"),
    (10249, "kube-proxy, for metrics"),
    (10250, "the kubelet"),
    (10256, "kube-proxy, for its health"),
    (10257, "kube-controller-manager"),
    (10259, "kube-scheduler"),
];

/// Who listens on `port` of the hosts, by what the cluster is made of: everything that has no field for its port.
pub(super) fn holder(parts: &Parts, port: u16) -> Option<&'static str> {
    let mut ports = ALWAYS.to_vec();
    // By another name or address it may be another port, translated by somebody else.
    let dialled = parts.hosts.iter().filter(|host| host.ssh.host == host.address.to_string());
    ports.extend(dialled.map(|host| (host.ssh.port, "sshd")));
    if let Some(calico) = parts.network.calico() {
        ports.push((9099, "calico-node, for its health"));
        if calico.transport.bgp().is_some() {
            ports.push((179, "bird, for BGP"));
        }
        if calico.typha.replicas(parts.hosts.iter().filter(|host| host.roles.is_node()).count()) > 0 {
            ports.extend([(5473, "Typha"), (9098, "Typha, for its health")]);
        }
    }
    if parts.network.dns.cache_at == CacheAt::Nodes {
        ports.push((9253, "the nodes' cache for the DNS, for metrics"));
    }
    ports.into_iter().find(|(taken, _)| *taken == port).map(|(_, who)| who)
}

/// Why nothing more can listen on `port` of the hosts. Ports with a field of their own are compared where that is.
pub(super) fn taken(parts: &Parts, port: u16) -> Option<String> {
    if NODE_PORTS.contains(&port) {
        return Some(format!("the port {port} is one of the node ports {}-{}", NODE_PORTS.start(), NODE_PORTS.end()));
    }
    holder(parts, port).map(|who| format!("the port {port} is taken on the hosts by {who}"))
}

pub(super) fn metrics_have_a_port_of_their_own(parts: &Parts) -> Vec<Violation> {
    let Some(port) = parts.network.calico().and_then(|calico| calico.felix.metrics_port) else { return Vec::new() };
    let on_hosts = !matches!(parts.endpoint.mode, EndpointMode::External { .. });
    let message = if port == Endpoint::APISERVER_PORT || (on_hosts && port == parts.endpoint.port) {
        format!("the port {port} is that of the API")
    } else if port == parts.distribution.port {
        format!("the port {port} is that on which hosts give blobs to each other")
    } else if let Some(message) = taken(parts, port) {
        message
    } else {
        return Vec::new();
    };
    let place = Place::spec("network.calico.felix.metricsPort");
    vec![Violation::new(place, message, "choose one where nothing listens, such as 9091")]
}
