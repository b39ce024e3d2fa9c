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

/// Fails where Kubernetes or the host cannot limit swap.
fn check(host: &HostContext<'_>) -> Result<(), Error> {
    let cgroup = host.facts.cgroup_version;
    let lacks = [
        (!kubelet::limits_swap(host.version())).then(|| format!("the image has {}", host.version())),
        (cgroup != 2).then(|| {
            format!("the host has cgroup v{cgroup}, and v2 when it boots with systemd.unified_cgroup_hierarchy=1")
        }),
    ];
    let lacks: Vec<String> = lacks.into_iter().flatten().collect();
    if lacks.is_empty() {
        return Ok(());
    }
    Err(Error::Swap { host: host.host.name.clone(), lacks: lacks.join("; ") })
}

pub(super) fn resources(host: &HostContext<'_>) -> Result<Vec<Resource>, Error> {
    let limited = host.host.kernel.swap == Swap::Limited;
    if limited {
        check(host)?;
    }
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
        assert_eq!(message.lines().count(), 1, "told once: {message}");
        let mut fixture = limited(28);
        assert!(fixture.try_state("n1").is_ok());
        fixture.facts_of("n1").cgroup_version = 1;
        let message = fixture.try_state("n1").unwrap_err().to_string();
        assert!(message.contains("cgroup v1") && !message.contains("the image has"), "{message}");
    }
}
