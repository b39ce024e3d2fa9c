//! What a node does with swap.

use super::services;
use crate::cluster::Swap;
use crate::desired::Error;
use crate::desired::context::HostContext;
use crate::desired::file::{absent, file};
use crate::desired::state::Resource;
use crate::versions::kubelet;

/// Services that make and use swap by themselves, in files or compressed memory.
const SERVICES: [&str; 6] = [
    "zramswap.service",
    "zram-config.service",
    "zram-swap.service",
    "dphys-swapfile.service",
    "swapspace.service",
    "systemd-swap.service",
];

/// About all units of type swap, those too that generators make at the next boot under another name (partitions by their
/// type, compressed memory). systemd reads it from 244 on; the units that an older one lists are masked.
const DROP_IN: &str = "/etc/systemd/system/swap.d/kubewright.conf";
/// The root directory is always there, so this never holds.
const NEVER: &str = "\
# Written by kubewright: nodes use no swap. `kubewright reset` gives it back; `kernel.swap: limited` allows it.
[Unit]
ConditionPathExists=!/
";

/// Whether pods may use some swap. Fails where Kubernetes or the host cannot do that.
pub(in crate::desired) fn is_limited(host: &HostContext<'_>) -> Result<bool, Error> {
    if host.host.kernel.swap == Swap::Off {
        return Ok(false);
    }
    if !kubelet::limits_swap(host.version()) || host.facts.cgroup_version != 2 {
        return Err(Error::Swap {
            host: host.host.name.clone(),
            version: host.version(),
            cgroup: host.facts.cgroup_version,
        });
    }
    Ok(true)
}

pub(super) fn resources(host: &HostContext<'_>) -> Result<Vec<Resource>, Error> {
    let limited = is_limited(host)?;
    let mut resources = vec![if limited { absent(DROP_IN) } else { file(DROP_IN, 0o644, NEVER.to_owned(), &[]) }];
    resources.extend(services::units(host, &SERVICES, !limited));
    resources.push(if limited { Resource::SwapGivenBack } else { Resource::SwapOff });
    Ok(resources)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::{Part, Resource};

    fn limited(minor: u32) -> Fixture {
        let mut fixture = Fixture::with_etcd_host(minor);
        fixture.change(|parts| {
            for host in &mut parts.hosts {
                host.kernel.swap = Swap::Limited;
            }
        });
        fixture
    }

    fn swappiness(fixture: &Fixture) -> bool {
        let state = fixture.state("n1");
        let resources = &state.part(Part::Kernel).unwrap().resources;
        resources.iter().any(
            |resource| matches!(resource, Resource::Sysctls(sysctls) if sysctls.values.contains_key("vm.swappiness")),
        )
    }

    #[test]
    fn swap_is_off_unless_the_inventory_allows_it() {
        let (off, limited) = (Fixture::new(36), limited(36));
        let has = |fixture: &Fixture, host: &str, wanted: &Resource| {
            fixture.state(host).part(Part::Kernel).unwrap().resources.contains(wanted)
        };
        assert!(has(&off, "n1", &Resource::SwapOff) && swappiness(&off));
        assert!(has(&limited, "n1", &Resource::SwapGivenBack) && has(&limited, "n1", &absent(DROP_IN)));
        assert!(!has(&limited, "n1", &Resource::SwapOff) && !swappiness(&limited), "swap is meant to be used");
        assert!(!has(&limited, "e1", &Resource::SwapGivenBack), "an etcd host is no node");
    }

    #[test]
    fn what_cannot_limit_swap_is_named() {
        let message = limited(27).try_state("n1").unwrap_err().to_string();
        assert!(message.contains("n1") && message.contains("v1.27.0") && message.contains("1.28"), "{message}");
        let mut fixture = limited(28);
        assert!(fixture.try_state("n1").is_ok());
        fixture.facts_of("n1").cgroup_version = 1;
        let message = fixture.try_state("n1").unwrap_err().to_string();
        assert!(message.contains("cgroup v1") && message.contains("kernel.swap"), "{message}");
    }
}
