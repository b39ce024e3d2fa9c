//! Who answers at the endpoint: HAProxy on loopback in front of all API servers, and in the mode `vip` on the virtual
//! address, too. Where its name points on the hosts.

use std::net::{IpAddr, SocketAddr};

use super::context::HostContext;
use super::file::absent;
use super::haproxy::LOOPBACK;
use super::state::Resource;
use super::static_pod::manifest;
use super::{Error, haproxy, keepalived};
use crate::cluster::{Cluster, Endpoint, EndpointMode, Role};

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    if !host.is_node() {
        return Ok(None);
    }
    let mut resources = match haproxy::binds(host) {
        Some(binds) => haproxy::resources(host, &binds)?,
        None => vec![absent(&manifest("kube-haproxy"))],
    };
    resources.extend(match (&host.cluster().endpoint.mode, host.is(Role::ControlPlane)) {
        (EndpointMode::Vip { vip, interface, router_id }, true) => {
            keepalived::resources(host, *vip, interface.as_deref(), *router_id)?
        }
        _ => vec![absent(&manifest("kube-keepalived"))],
    });
    Ok(Some(resources))
}

/// The line of /etc/hosts by which the endpoint's name is found on the hosts, where that is our business.
pub(super) fn hosts_line(cluster: &Cluster) -> Option<String> {
    let name = &cluster.endpoint.host;
    if name.parse::<IpAddr>().is_ok() {
        return None;
    }
    address(cluster).map(|address| format!("{address} {name}"))
}

/// The address behind the endpoint's name, as seen from a node.
fn address(cluster: &Cluster) -> Option<IpAddr> {
    match cluster.endpoint.mode {
        EndpointMode::Local => Some(LOOPBACK),
        EndpointMode::Vip { vip, .. } => Some(vip),
        EndpointMode::External { address } => address,
    }
}

/// The same, or the endpoint's name where that is an address.
fn known_address(cluster: &Cluster) -> Option<IpAddr> {
    address(cluster).or_else(|| cluster.endpoint.host.parse().ok())
}

/// The endpoint's URL for pods in the network of their host. By address where it is known, because whether a container
/// looks into /etc/hosts before it asks a DNS server depends on its image.
pub(super) fn url_in_pods(cluster: &Cluster) -> String {
    let Endpoint { host, port, .. } = &cluster.endpoint;
    match known_address(cluster) {
        Some(address) => format!("https://{}", SocketAddr::new(address, *port)),
        None => format!("https://{host}:{port}"),
    }
}

/// Host of the same URL, as the API server's certificate has it.
pub(super) fn host_in_pods(cluster: &Cluster) -> String {
    known_address(cluster).map_or_else(|| cluster.endpoint.host.clone(), |address| address.to_string())
}

/// The endpoint's address for pods with a network of their own. None where it is loopback, on which nobody answers
/// within a pod; none where it is a name, which is perhaps in /etc/hosts of the hosts alone.
pub(super) fn address_in_pod_network(cluster: &Cluster) -> Option<IpAddr> {
    known_address(cluster).filter(|address| !address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::{self, Fixture};
    use crate::desired::state::Part;
    use crate::desired::static_pod::MANIFESTS;

    fn cluster(mode: EndpointMode, host: &str) -> Cluster {
        let mut parts = fixture::parts();
        parts.endpoint = Endpoint { host: host.to_owned(), port: 8443, mode };
        Cluster::new(parts).unwrap()
    }

    #[test]
    fn names_point_where_somebody_answers() {
        let vip = fixture::vip();
        let external = |address: Option<&str>| EndpointMode::External { address: address.map(|a| a.parse().unwrap()) };
        for (mode, host, line, url) in [
            (EndpointMode::Local, "api", Some("127.0.0.1 api"), "https://127.0.0.1:8443"),
            (vip, "api", Some("10.1.0.10 api"), "https://10.1.0.10:8443"),
            (external(Some("10.9.9.9")), "api", Some("10.9.9.9 api"), "https://10.9.9.9:8443"),
            (external(None), "api", None, "https://api:8443"),
            (external(None), "10.9.9.9", None, "https://10.9.9.9:8443"),
            (external(None), "fd00::9", None, "https://[fd00::9]:8443"),
        ] {
            let cluster = cluster(mode, host);
            assert_eq!(hosts_line(&cluster).as_deref(), line, "{host}");
            assert_eq!(url_in_pods(&cluster), url);
        }
    }

    #[test]
    fn pods_with_a_network_of_their_own_get_an_address_that_answers_there() {
        let external = |address: Option<&str>| EndpointMode::External { address: address.map(|a| a.parse().unwrap()) };
        for (mode, host, on_host, in_pod_network) in [
            (EndpointMode::Local, "api", "127.0.0.1", None),
            (fixture::vip(), "api", "10.1.0.10", Some("10.1.0.10")),
            (external(Some("10.9.9.9")), "api", "10.9.9.9", Some("10.9.9.9")),
            (external(None), "api", "api", None),
            (external(None), "fd00::9", "fd00::9", Some("fd00::9")),
        ] {
            let cluster = cluster(mode, host);
            assert_eq!(host_in_pods(&cluster), on_host);
            let address = address_in_pod_network(&cluster).map(|address| address.to_string());
            assert_eq!(address.as_deref(), in_pod_network, "{host}");
        }
    }

    /// Manifests that are written, then those that are taken away.
    fn manifests(fixture: &Fixture, host: &str) -> (Vec<String>, Vec<String>) {
        let state = fixture.state(host);
        let (mut written, mut removed) = (Vec::new(), Vec::new());
        for resource in &state.part(Part::Endpoint).unwrap().resources {
            match resource {
                Resource::File(file) if file.path.starts_with(MANIFESTS) => written.push(file.path.clone()),
                Resource::Absent(absent) => removed.push(absent.path.clone()),
                _ => {}
            }
        }
        (written, removed)
    }

    #[test]
    fn each_mode_takes_the_pods_of_the_others_away() {
        let haproxy = manifest("kube-haproxy");
        let keepalived = manifest("kube-keepalived");
        let none = Vec::new;
        for (mode, host, written, removed) in [
            (EndpointMode::Local, "m1", vec![haproxy.clone()], vec![keepalived.clone()]),
            (EndpointMode::Local, "n1", vec![haproxy.clone()], vec![keepalived.clone()]),
            (fixture::vip(), "m1", vec![haproxy.clone(), keepalived.clone()], none()),
            (fixture::vip(), "n1", none(), vec![haproxy.clone(), keepalived.clone()]),
            (EndpointMode::External { address: None }, "m1", none(), vec![haproxy.clone(), keepalived.clone()]),
        ] {
            let mut fixture = Fixture::new(36);
            fixture.change(|parts| parts.endpoint.mode = mode);
            assert_eq!(manifests(&fixture, host), (written, removed), "{host}");
        }
    }
}
