//! Rules about traffic that connection tracking leaves alone: nothing that has to be translated, and nothing that the
//! hosts cannot do without.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use super::endpoint::NODE_PORTS;
use super::networks::{endpoint_address, overlap};
use super::{Place, Violation};
use crate::cluster::{Endpoint, Host, Parts, Role, TransportProtocol, Untracked};

const PLACE: &str = "network.untracked";
const HINT: &str = "name the addresses of the load balancer alone";

/// An address that is translated needs the entry that says how.
pub(super) fn nothing_that_is_translated_is_untracked(parts: &Parts) -> Vec<Violation> {
    let network = &parts.network;
    let mut violations = Vec::new();
    for Untracked { network: untracked, port, protocol } in &network.untracked {
        let mut violation = |message: String, hint: &str| {
            violations.push(Violation::new(Place::spec(PLACE), message, hint));
        };
        if untracked.addr().is_ipv4() != network.pod_cidr.addr().is_ipv4() {
            violation(format!("{untracked} is of another address family than the pods"), "write one of theirs");
        }
        for (translated, what) in [(network.pod_cidr, "pods"), (network.service_cidr, "Services")] {
            // Every address is one of theirs, too, and is complained about by itself.
            if untracked.prefix_len() > 0 && overlap(untracked, &translated) {
                violation(format!("{untracked} has addresses of {what} ({translated}), which are translated"), HINT);
            }
        }
        if NODE_PORTS.contains(port) {
            let message = format!("{protocol} port {port} may be a Service's NodePort, which is translated");
            violation(message, "let the load balancer listen on a port outside of 30000 to 32767");
        }
    }
    violations
}

/// Pods come to the API and to name servers by addresses that are translated on the way, and firewalls let answers in by
/// the connections that they know.
pub(super) fn nobody_is_cut_off(parts: &Parts) -> Vec<Violation> {
    let mut violations = Vec::new();
    let doors = doors(parts);
    for Untracked { network, port, protocol } in &parts.network.untracked {
        let mut violation = |message: String| violations.push(Violation::new(Place::spec(PLACE), message, HINT));
        if network.prefix_len() == 0 {
            violation(format!("{network} is every address: nothing with {protocol} port {port} could be translated"));
            continue;
        }
        let loopback =
            if network.addr().is_ipv4() { IpAddr::from([127, 0, 0, 1]) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
        if network.contains(&loopback) {
            violation(format!("{network} has the hosts' own loopback"));
            continue;
        }
        let mut met: BTreeMap<&str, (&Door, usize)> = BTreeMap::new();
        for door in doors
            .iter()
            .filter(|door| door.port == *port && door.protocols.contains(protocol) && network.contains(&door.address))
        {
            met.entry(door.what).or_insert((door, 0)).1 += 1;
        }
        for (what, (door, count)) in met {
            let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            violation(format!(
                "{network} with {protocol} port {port} is {what} ({}{more}): untracked, it would be cut off from pods and by \
                 firewalls",
                door.address
            ));
        }
    }
    violations
}

/// What somebody connects to.
struct Door {
    address: IpAddr,
    port: u16,
    protocols: &'static [TransportProtocol],
    what: &'static str,
}

const TCP: &[TransportProtocol] = &[TransportProtocol::Tcp];
const BOTH: &[TransportProtocol] = &[TransportProtocol::Tcp, TransportProtocol::Udp];

fn doors(parts: &Parts) -> Vec<Door> {
    let mut doors = Vec::new();
    let mut add = |address, port, protocols, what| doors.push(Door { address, port, protocols, what });
    let is_master = |host: &Host| host.roles.contains(Role::ControlPlane);
    let is_member = |host: &Host| host.roles.contains(Role::Etcd);
    for host in &parts.hosts {
        for (is_there, port, what) in [
            (is_master(host), Endpoint::APISERVER_PORT, "the API servers'"),
            (is_member(host), 2379, "etcd's"),
            (is_member(host), 2380, "etcd's"),
            (host.roles.is_node(), 10250, "the kubelets'"),
            // By another name or address it may be another port, translated by somebody else.
            (host.ssh.host == host.address.to_string(), host.ssh.port, "that of SSH to the hosts"),
        ] {
            if is_there {
                add(host.address, port, TCP, what);
            }
        }
    }
    if let Some((address, _)) = endpoint_address(parts) {
        add(address, parts.endpoint.port, TCP, "the endpoint of the API");
    }
    let dns = &parts.network.dns;
    for server in dns.upstreams.iter().chain(dns.stub_domains.values().flatten()) {
        add(server.ip(), server.port(), BOTH, "that of name servers which the cluster's DNS asks");
    }
    doors
}
