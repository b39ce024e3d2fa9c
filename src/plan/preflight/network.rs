//! Checks of ports, links, routes and the ways between hosts.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::services::firewalls_to_stop;
use super::{Found, Severity, Subject};
use crate::cluster::{Calico, Cluster, DistributionMode, Endpoint, Facts, Host, HostName, NetworkPlugin, Role};

/// A port, who listens on it, and on which hosts.
#[derive(Clone, Copy)]
struct Port {
    number: u16,
    program: &'static str,
    listens: fn(&Host) -> bool,
    /// Who talks to it from other hosts.
    asks: fn(&Host) -> bool,
}

/// Files of networks that kubewright brings, in /etc/cni/net.d.
const BRIDGE: &str = "10-kubewright.conflist";
const CALICO: &str = "10-calico.conflist";

fn is_master(host: &Host) -> bool {
    host.roles.contains(Role::ControlPlane)
}

fn is_member(host: &Host) -> bool {
    host.roles.contains(Role::Etcd)
}

fn is_node(host: &Host) -> bool {
    host.roles.is_node()
}

fn nobody(_: &Host) -> bool {
    false
}

const PORTS: &[Port] = &[
    Port { number: Endpoint::APISERVER_PORT, program: "kube-apiserver", listens: is_master, asks: is_node },
    Port { number: 10257, program: "kube-controller-manager", listens: is_master, asks: nobody },
    Port { number: 10259, program: "kube-scheduler", listens: is_master, asks: nobody },
    Port { number: 2379, program: "etcd", listens: is_member, asks: is_master },
    Port { number: 2380, program: "etcd", listens: is_member, asks: is_member },
    Port { number: 10250, program: "kubelet", listens: is_node, asks: is_master },
    Port { number: 10248, program: "kubelet", listens: is_node, asks: nobody },
    Port { number: 10249, program: "kube-proxy", listens: is_node, asks: nobody },
    Port { number: 10256, program: "kube-proxy", listens: is_node, asks: nobody },
];

/// All ports of a cluster.
fn all_ports(cluster: &Cluster) -> Vec<Port> {
    let calico = cluster.network.calico().map(|calico| ports_of_calico(calico, nodes(cluster)));
    PORTS.iter().copied().chain(calico.unwrap_or_default()).collect()
}

fn nodes(cluster: &Cluster) -> usize {
    cluster.hosts.iter().filter(|host| host.roles.is_node()).count()
}

/// Typha may come to run on any node, so that any has its ports free, and none can be asked for them before.
fn ports_of_calico(calico: &Calico, nodes: usize) -> Vec<Port> {
    let own = |number, program| Port { number, program, listens: is_node, asks: nobody };
    let mut ports = vec![own(9099, "calico-node")];
    ports.extend(calico.felix.metrics_port.map(|port| own(port, "calico-node")));
    if let Some(bgp) = calico.transport.bgp() {
        // Without the mesh it is few of the others that a node speaks to.
        let asks = if bgp.is_meshed(nodes) { is_node } else { nobody };
        ports.push(Port { number: 179, program: "bird", listens: is_node, asks });
    }
    if calico.typha.replicas(nodes) > 0 {
        ports.extend([5473, 9098].map(|port| own(port, "calico-typha")));
    }
    ports
}

pub(super) fn ports(subject: &Subject<'_>) -> Vec<Found> {
    let taken = |port: Port| {
        subject.each(|host, facts| {
            let holder = facts.listening.get(&port.number).filter(|_| (port.listens)(host))?;
            // /proc/PID/comm is cut at 15 characters. HAProxy may hold 6443 on its own addresses.
            let ours = port.program.starts_with(holder.as_str()) || holder.is_empty() || holder == "haproxy";
            (!ours).then(|| {
                let message = format!("port {} is taken by {holder}; {} needs it", port.number, port.program);
                (message, format!("stop {holder} on the host, or take the host out of the inventory"))
            })
        })
    };
    all_ports(subject.cluster).into_iter().flat_map(taken).collect()
}

/// A way that one host will use to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The other host.
    pub host: HostName,
    /// Where it will listen.
    pub address: SocketAddr,
    /// Who will listen there.
    pub program: &'static str,
}

/// All that `from` will talk to on other hosts.
pub fn targets(cluster: &Cluster, from: &Host) -> Vec<Target> {
    let ports = all_ports(cluster).into_iter().filter(|port| (port.asks)(from));
    let on_others = ports.flat_map(|port| {
        let others = cluster.hosts.iter().filter(move |host| host.name != from.name && (port.listens)(host));
        others.map(move |host| Target {
            host: host.name.clone(),
            address: SocketAddr::new(host.address, port.number),
            program: port.program,
        })
    });
    on_others.chain(neighbour(cluster, from)).collect()
}

/// Who listens on the port for blobs.
const BLOBS: &str = "kubewright, for blobs,";

/// Another host of the data centre, of the same rack where there is one: if `from` does not reach this one, it hardly
/// takes blobs from any. Trying all of them would be a connection for each pair of hosts.
fn neighbour(cluster: &Cluster, from: &Host) -> Option<Target> {
    if cluster.distribution.mode != DistributionMode::Peers {
        return None;
    }
    let own = cluster.hosts.iter().position(|host| host.name == from.name)?;
    let others = || cluster.hosts[own + 1..].iter().chain(&cluster.hosts[..own]).filter(|host| host.idc == from.idc);
    let host = others().find(|host| host.rack == from.rack).or_else(|| others().next())?;
    let address = SocketAddr::new(host.address, cluster.distribution.port);
    Some(Target { host: host.name.clone(), address, program: BLOBS })
}

pub(super) fn reachable(subject: &Subject<'_>) -> Vec<Found> {
    let lost = subject.measured.unreachable.iter().flat_map(|(from, lost)| {
        // What a firewall keeps away that this very run stops is no reason not to begin.
        let stopped = |target: &Target| firewall_to_stop(subject, [from, &target.host]);
        let (blobs, lost): (Vec<_>, Vec<_>) = lost.iter().partition(|(target, _)| target.program == BLOBS);
        let (kept, lost): (Vec<_>, Vec<_>) = lost.into_iter().partition(|(target, _)| stopped(target).is_some());
        let blamed = kept.first().and_then(|(target, _)| stopped(target));
        let hint = "open these ports between the hosts: a firewall on the way, or on the other host, drops them";
        let unexplained = (!lost.is_empty()).then(|| Found {
            host: Some(from.clone()),
            message: format!("it does not reach {}", ways(&lost)),
            hint: hint.into(),
            severity: None,
        });
        let explained = blamed.map(|blamed| Found {
            host: Some(from.clone()),
            message: format!("it does not reach {}", ways(&kept)),
            hint: format!("{blamed} may be why; install stops it"),
            severity: Some(Severity::Warning),
        });
        let slower = (!blobs.is_empty()).then(|| Found {
            host: Some(from.clone()),
            message: format!("it does not reach {}", ways(&blobs)),
            hint: "open that port between all hosts; until then blobs come from the machine that runs kubewright"
                .into(),
            severity: Some(Severity::Warning),
        });
        unexplained.into_iter().chain(explained).chain(slower)
    });
    lost.collect()
}

fn ways(lost: &[&(Target, String)]) -> String {
    let line = |(target, why): &&(Target, String)| {
        format!("{} on {} ({}): {why}", target.program, target.host, target.address)
    };
    lost.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// A firewall on one of these hosts that is about to be stopped.
fn firewall_to_stop(subject: &Subject<'_>, names: [&HostName; 2]) -> Option<String> {
    names.into_iter().find_map(|name| {
        let (host, facts) = (subject.cluster.host(name.as_str())?, subject.facts.get(name)?);
        let service = firewalls_to_stop(host, facts).next()?;
        Some(format!("{service} on {name}"))
    })
}

pub(super) fn mtu(subject: &Subject<'_>) -> Vec<Found> {
    let of = |host: &Host, facts: &Facts| facts.interface_of(host.address).map(|(_, interface)| interface.mtu);
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for mtu in subject.hosts().filter_map(|(host, facts)| of(host, facts)) {
        *counts.entry(mtu).or_default() += 1;
    }
    let Some(usual) = counts.iter().max_by_key(|(mtu, count)| (**count, **mtu)).map(|(mtu, _)| *mtu) else {
        return Vec::new();
    };
    subject.each(|host, facts| {
        let mtu = of(host, facts).filter(|mtu| *mtu != usual)?;
        let message = format!("the MTU is {mtu}, most hosts have {usual}");
        Some((message, "large packets get lost between hosts of different MTU: make them equal".into()))
    })
}

/// A living cluster does not change its network: its pods would keep addresses that nobody routes any more. And of
/// several, the container runtime takes the one whose file comes first.
pub(super) fn plugin(subject: &Subject<'_>) -> Vec<Found> {
    let own = match subject.cluster.network.plugin {
        NetworkPlugin::Bridge => BRIDGE,
        NetworkPlugin::Calico(_) => CALICO,
        // Somebody else's, Calico's among them.
        NetworkPlugin::None => "",
    };
    subject.each(|host, facts| {
        let other = facts.cni.iter().find(|name| {
            let of_ours = name.as_str() == BRIDGE || (name.as_str() == CALICO && !own.is_empty());
            name.as_str() != own && (of_ours || name.as_str() < own)
        });
        let other = other.filter(|_| host.roles.is_node())?;
        let message = match other.as_str() {
            BRIDGE => "its pods are in kubewright's own network (`network.plugin: bridge`)".to_owned(),
            CALICO => "its pods are in Calico's network".to_owned(),
            other => format!("/etc/cni/net.d/{other} comes before the cluster's own network"),
        };
        let hint = "a living cluster keeps its plugin: write that one, and remove a file that nothing uses any more; \
                    another one takes a `kubewright reset`, which removes the cluster with all its data";
        Some((message, hint.into()))
    })
}

/// A living cluster keeps what its Services, certificates, tokens and pods have been given.
pub(super) fn living(subject: &Subject<'_>) -> Vec<Found> {
    let network = &subject.cluster.network;
    let wanted = (network.service_cidr.to_string(), network.domain.to_string());
    subject.each(|host, facts| {
        if !host.roles.contains(Role::ControlPlane) {
            return None;
        }
        let differs = |now: &Option<String>, wanted: &String| now.clone().filter(|now| now != wanted);
        let (field, now, why) = match (differs(&facts.service_cidr, &wanted.0), differs(&facts.domain, &wanted.1)) {
            (Some(now), _) => {
                ("serviceCidr", now, "Services would keep addresses that no API server gives out any more")
            }
            (None, Some(now)) => ("domain", now, "names that pods were given, and tokens, would be of no use any more"),
            (None, None) => return None,
        };
        let message = format!("the cluster lives with network.{field} {now}: {why}");
        let another = "another one takes a `kubewright reset`, which removes the cluster with all its data";
        Some((message, format!("write {now}; {another}")))
    })
}

/// A route of the host that leads into a network of the cluster is either somebody else's network, or left over.
pub(super) fn routes(subject: &Subject<'_>) -> Vec<Found> {
    let network = &subject.cluster.network;
    let ours = [("pod", "podCidr", network.pod_cidr), ("service", "serviceCidr", network.service_cidr)];
    subject.each(|host, facts| {
        if !host.roles.is_node() || !facts.components.is_empty() {
            // Where the cluster runs, these routes are its own.
            return None;
        }
        let overlap = |route: &IpNet| {
            ours.iter().find(|(_, _, cidr)| route.prefix_len() > 0 && (cidr.contains(route) || route.contains(cidr)))
        };
        let (route, (what, field, cidr)) =
            facts.routes.iter().find_map(|route| Some((route, overlap(&route.destination)?)))?;
        let message =
            format!("the route to {} by {} is inside of the {what} network {cidr}", route.destination, route.interface);
        Some((message, format!("choose another network.{field}, or remove that route from the host")))
    })
}
