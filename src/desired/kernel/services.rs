//! Services of the distribution that the inventory wants stopped, and those that it no longer wants stopped.

use crate::cluster::{Handling, Service};
use crate::desired::context::HostContext;
use crate::desired::state::{ForeignUnit, Resource};

pub(super) fn resources(host: &HostContext<'_>) -> Vec<Resource> {
    let of = |service: Service| {
        let stop = host.host.services.handling(service) == Handling::Stop;
        units(host, service.units(), stop)
    };
    Service::ALL.into_iter().flat_map(of).collect()
}

/// Foreign units, stopped or given back where an earlier run stopped them.
pub(in crate::desired) fn units(host: &HostContext<'_>, names: &[&str], stop: bool) -> Vec<Resource> {
    let resource = |name: &&str| {
        let unit = ForeignUnit { name: (*name).to_owned() };
        match stop {
            true => Some(Resource::Stopped(unit)),
            false => host.facts.stopped_units.contains(&unit.name).then_some(Resource::GivenBack(unit)),
        }
    };
    names.iter().filter_map(resource).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn foreign(fixture: &Fixture, host: &str) -> Vec<String> {
        let state = fixture.state(host);
        let Some(part) = state.part(Part::Kernel) else { return Vec::new() };
        let line = |resource: &Resource| match resource {
            Resource::Stopped(unit) => Some(format!("stopped {}", unit.name)),
            Resource::GivenBack(unit) => Some(format!("given back {}", unit.name)),
            _ => None,
        };
        let swap = |line: &String| !line.contains("swap") && !line.contains("zram");
        part.resources.iter().filter_map(line).filter(swap).collect()
    }

    #[test]
    fn what_is_stopped_follows_the_inventory_of_each_host() {
        let mut fixture = Fixture::with_etcd_host(36);
        assert!(foreign(&fixture, "n1").is_empty());
        fixture.change(|parts| {
            for host in parts.hosts.iter_mut().filter(|host| host.name.as_str() != "n2") {
                host.services.set(Service::Firewalld, Handling::Stop);
                host.services.set(Service::SystemdOomd, Handling::Stop);
            }
        });
        let stopped = ["stopped firewalld.service", "stopped systemd-oomd.socket", "stopped systemd-oomd.service"];
        assert_eq!(foreign(&fixture, "n1"), stopped);
        assert_eq!(foreign(&fixture, "e1"), stopped, "a firewall is in the way of etcd, too");
        assert!(foreign(&fixture, "n2").is_empty());
        fixture.facts_of("n2").stopped_units = vec!["ufw.service".to_owned(), "firewalld.service".to_owned()];
        assert_eq!(foreign(&fixture, "n2"), ["given back firewalld.service", "given back ufw.service"]);
    }
}
