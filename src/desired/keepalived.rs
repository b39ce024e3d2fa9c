//! keepalived, which holds the virtual address on one of the masters.

use std::net::IpAddr;

use minijinja::context;

use super::context::HostContext;
use super::file::{directory, file};
use super::haproxy::HEALTH_PORT;
use super::render::render;
use super::state::Resource;
use super::static_pod::manifest;
use super::{Error, digest, interface};
use crate::cluster::Role;
use crate::versions::pods;

const DIRECTORY: &str = "/etc/kubernetes/keepalived";

pub(super) fn resources(
    host: &HostContext<'_>,
    vip: IpAddr,
    interface: Option<&str>,
    router_id: u8,
) -> Result<Vec<Resource>, Error> {
    let interface = match interface {
        Some(name) => name,
        None => interface::of(host)?.0,
    };
    let masters = || host.cluster().with_role(Role::ControlPlane);
    let position = masters().position(|master| master.name == host.host.name).unwrap_or_default();
    let peers = masters().filter(|master| master.name != host.host.name).map(|master| master.address.to_string());
    let (configuration, check) = (format!("{DIRECTORY}/keepalived.conf"), format!("{DIRECTORY}/check.sh"));
    let settings = context! {
        name => host.host.name.as_str(),
        interface,
        router_id,
        // Between equals the highest address would win; this way it is the first in the inventory.
        priority => 200_usize.saturating_sub(position).max(1),
        address => host.host.address.to_string(),
        peers => peers.collect::<Vec<_>>(),
        vip => format!("{vip}/{}", if vip.is_ipv6() { 128 } else { 32 }),
        check => check.as_str(),
    };
    let settings = render("keepalived.conf.j2", settings)?;
    let script = render("keepalived-check.sh.j2", context! { health_port => HEALTH_PORT })?;
    let pod = context! {
        image => host.context.reference("keepalived")?,
        annotation => digest::ANNOTATION,
        digest => digest::of([(configuration.as_str(), settings.as_str()), (check.as_str(), script.as_str())]),
        directory => DIRECTORY,
        configuration => configuration.as_str(),
        seccomp => pods::seccomp_profile(host.version()),
    };
    let pod = render("kube-keepalived.yaml.j2", pod)?;
    Ok(vec![
        directory(DIRECTORY, 0o755),
        file(&configuration, 0o644, settings, &[]),
        file(&check, 0o755, script, &[]),
        file(&manifest("kube-keepalived"), 0o600, pod, &[]),
    ])
}

#[cfg(test)]
mod tests {
    use crate::desired::fixture::{self, Fixture};
    use crate::desired::state::{Part, Resource};

    fn configuration(fixture: &Fixture, host: &str) -> String {
        let state = fixture.state(host);
        let file = state.part(Part::Endpoint).unwrap().resources.iter().find_map(|resource| match resource {
            Resource::File(file) if file.path.ends_with("keepalived.conf") => Some(file.content.clone()),
            _ => None,
        });
        file.unwrap()
    }

    #[test]
    fn peers_are_the_other_masters_and_the_first_one_is_preferred() {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| parts.endpoint.mode = fixture::vip());
        let [first, second] = ["m1", "m2"].map(|host| configuration(&fixture, host));
        assert!(first.contains("priority 200\n") && second.contains("priority 199\n"), "{first}{second}");
        assert!(second.contains("10.1.0.11\n") && second.contains("10.1.0.13\n"));
        assert!(second.contains("unicast_src_ip 10.1.0.12\n"));
        assert_eq!(second.matches("10.1.0.12").count(), 1, "not a peer of itself");
    }

    #[test]
    fn the_interface_is_found_or_named() {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| parts.endpoint.mode = fixture::vip());
        assert!(configuration(&fixture, "m1").contains("interface eth0\n"));
        fixture.facts_of("m1").interfaces.clear();
        let error = fixture.try_state("m1").unwrap_err().to_string();
        assert!(error.contains("no interface has the address 10.1.0.11"), "{error}");
    }
}
