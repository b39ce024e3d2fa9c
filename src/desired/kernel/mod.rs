//! Services in the way, modules, sysctls, swap and /etc/hosts.

mod modules;
pub mod profile;
pub mod release;
pub(super) mod services;
mod swap;
mod sysctls;
mod unmanaged;

use super::context::HostContext;
use super::file::file;
use super::state::{Block, Resource};
use super::sysctl::Sysctls;
use super::{Error, endpoint};

pub(super) use sysctls::{conntrack_is_ours, suits_kubelet};

const MODULES: &str = "/etc/modules-load.d/kubewright.conf";
const OPTIONS: &str = "/etc/modprobe.d/kubewright.conf";
const SYSCTLS: &str = "/etc/sysctl.d/95-kubewright.conf";
const HOSTS: &str = "/etc/hosts";

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    // Before the sysctls: tuned takes back its own when it stops.
    let mut resources = services::resources(host);
    resources.extend(unmanaged::resources(host));
    let values = sysctls::sysctls(host);
    let modules = modules::modules(host, &values);
    if !modules.is_empty() {
        let lines = modules.iter().map(|module| format!("{}\n", module.name)).collect::<String>();
        resources.push(file(MODULES, 0o644, lines, &[]));
        let options = modules::options(&modules);
        if !options.is_empty() {
            resources.push(file(OPTIONS, 0o644, options, &[]));
        }
        resources.extend(modules.into_iter().map(Resource::Module));
    }
    if !values.is_empty() {
        resources.push(Resource::Sysctls(Sysctls { path: SYSCTLS.to_owned(), values }));
    }
    if host.is_node() {
        resources.extend(swap::resources(host)?);
        let lines = endpoint::hosts_line(host.cluster()).into_iter().collect();
        resources.push(Resource::Block(Block { path: HOSTS.to_owned(), name: "endpoint".to_owned(), lines }));
    }
    Ok((!resources.is_empty()).then_some(resources))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Bgp, Overlay, Transport};
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    #[test]
    fn an_etcd_host_keeps_its_swap_and_modules() {
        let fixture = Fixture::with_etcd_host(36);
        let state = fixture.state("e1");
        let resources = &state.part(Part::Kernel).unwrap().resources;
        assert!(matches!(resources[..], [Resource::Sysctls(_)]), "{resources:?}");
        assert!(fixture.state("n1").part(Part::Kernel).unwrap().resources.contains(&Resource::SwapOff));
    }

    #[test]
    fn modules_follow_kernel_mode_and_inventory() {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| {
            for host in &mut parts.hosts {
                host.kernel.modules = vec!["dummy".to_owned(), "overlay".to_owned()];
            }
        });
        let modules = |fixture: &Fixture| {
            let context = fixture.context();
            let host = HostContext::new(&context, fixture.host("n1")).unwrap();
            let modules = modules::modules(&host, &sysctls::sysctls(&host));
            modules.into_iter().map(|module| module.name).collect::<Vec<_>>()
        };
        let names = modules(&fixture);
        assert_eq!(names.iter().filter(|name| *name == "overlay").count(), 1);
        assert_eq!(names.last().map(String::as_str), Some("dummy"));
        assert!(names.iter().any(|name| name == "ip_vs_lc") && !names.contains(&"nf_conntrack_ipv4".to_owned()));
        fixture.facts_of("n1").kernel = "3.10.0-1160.el7.x86_64".to_owned();
        assert!(modules(&fixture).contains(&"nf_conntrack_ipv4".to_owned()));
        fixture.change(|parts| parts.network.proxy.mode = crate::cluster::ProxyMode::Iptables);
        assert!(modules(&fixture).iter().all(|name| !name.starts_with("ip_vs")));
    }

    #[test]
    fn what_wraps_packets_between_nodes_is_loaded() {
        let tunnels = |transport: Transport| {
            let mut fixture = Fixture::with_calico(32, "3.30.7");
            fixture.change_calico(|calico| calico.transport = transport);
            let context = fixture.context();
            let host = HostContext::new(&context, fixture.host("n1")).unwrap();
            let modules = modules::modules(&host, &sysctls::sysctls(&host));
            let names = modules.into_iter().map(|module| module.name);
            names.filter(|name| ["ipip", "vxlan"].contains(&name.as_str())).collect::<Vec<_>>()
        };
        let bgp = |ipip| Transport::Bgp { bgp: Bgp::default(), ipip };
        assert!(tunnels(bgp(None)).is_empty());
        assert_eq!(tunnels(bgp(Some(Overlay::CrossSubnet))), ["ipip"]);
        assert_eq!(tunnels(Transport::Vxlan(Overlay::Always)), ["vxlan"]);
    }
}
