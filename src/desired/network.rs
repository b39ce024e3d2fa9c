//! kubewright's own network: a bridge on each node, and routes to the other nodes, which share a layer 2. And what every
//! network has.

use ipnet::IpNet;
use minijinja::context;

use super::context::HostContext;
use super::file::{directory, file, running, unit_file};
use super::render::render;
use super::state::Resource;
use super::{Error, interface, untracked};
use crate::cluster::{Host, NetworkPlugin};

const UNIT: &str = "kubewright-routes.service";
const DIRECTORY: &str = "/etc/cni/net.d";
/// Here the agent finds the subnet that a host has.
const CONFIGURATION: &str = "/etc/cni/net.d/10-kubewright.conflist";
const ROUTES: &str = "/etc/kubernetes/network/routes";

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    if !host.is_node() {
        return Ok(None);
    }
    let mut resources = match host.cluster().network.plugin {
        NetworkPlugin::Bridge => bridge(host)?,
        NetworkPlugin::Calico(_) | NetworkPlugin::None => Vec::new(),
    };
    resources.extend(untracked::resources(host)?);
    Ok(Some(resources))
}

fn bridge(host: &HostContext<'_>) -> Result<Vec<Resource>, Error> {
    let network = host.cluster().network.pod_cidr.trunc();
    let configuration = context! {
        subnet => subnet(host, host.host)?.to_string(),
        mtu => interface::of(host)?.1.mtu,
        everywhere => if network.addr().is_ipv6() { "::/0" } else { "0.0.0.0/0" },
    };
    let unit = context! {
        routes => ROUTES,
        ip => format!("{}/ip", host.programs("host-tools")?),
        iptables => host.iptables()?,
        network => network.to_string(),
        family => if network.addr().is_ipv6() { "-6" } else { "-4" },
    };
    Ok(vec![
        directory(DIRECTORY, 0o755),
        file(CONFIGURATION, 0o600, render("cni.conflist.j2", configuration)?, &[]),
        directory("/etc/kubernetes/network", 0o755),
        file(ROUTES, 0o644, routes(host)?, &[UNIT]),
        unit_file(UNIT, render("kubewright-routes.service.j2", unit)?),
        running(UNIT),
    ])
}

fn subnet(host: &HostContext<'_>, node: &Host) -> Result<IpNet, Error> {
    let found = host.context.pod_cidrs.get(&node.name).copied();
    found.ok_or_else(|| Error::NoPodCidr(node.name.clone()))
}

/// A batch for `ip`: one process, however many nodes there are. `replace`, so that nothing is away while it runs.
fn routes(host: &HostContext<'_>) -> Result<String, Error> {
    let others = host.cluster().hosts.iter().filter(|other| other.roles.is_node() && other.name != host.host.name);
    let mut lines = Vec::new();
    for other in others {
        lines.push((subnet(host, other)?, format!("route replace {} via {}\n", subnet(host, other)?, other.address)));
    }
    // By subnet, so that another order of the inventory changes nothing.
    lines.sort_unstable();
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn content(fixture: &Fixture, host: &str, path: &str) -> String {
        let state = fixture.state(host);
        let found = state.part(Part::Network).unwrap().resources.iter().find_map(|resource| match resource {
            Resource::File(file) if file.path == path => Some(file.content.clone()),
            _ => None,
        });
        found.unwrap()
    }

    #[test]
    fn a_node_has_a_route_to_every_other_and_none_to_itself() {
        let mut fixture = Fixture::with_etcd_host(36);
        let before = content(&fixture, "m2", ROUTES);
        assert_eq!(before.lines().count(), fixture.pod_cidrs.len() - 1);
        assert!(!before.contains("10.1.0.12") && before.contains("via 10.1.1.2\n"), "{before}");
        assert!(!before.contains("10.1.2."), "a host that is no node has no pods: {before}");
        fixture.change(|parts| parts.hosts.reverse());
        assert_eq!(content(&fixture, "m2", ROUTES), before);
    }

    #[test]
    fn the_configuration_holds_the_subnet_and_the_mtu_of_the_host() {
        let mut fixture = Fixture::new(36);
        fixture.facts_of("n1").interfaces.get_mut("eth0").unwrap().mtu = 9000;
        let parsed: serde_json::Value = serde_json::from_str(&content(&fixture, "n1", CONFIGURATION)).unwrap();
        let bridge = &parsed["plugins"][0];
        assert_eq!(bridge["mtu"], 9000);
        assert_eq!(bridge["ipam"]["ranges"][0][0]["subnet"], "10.244.3.0/24");
        fixture.pod_cidrs.clear();
        let error = fixture.try_state("n1").unwrap_err().to_string();
        assert!(error.contains("no pod subnet was chosen for n1"), "{error}");
    }
}
