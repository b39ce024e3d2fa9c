//! Modules, sysctls, swap and /etc/hosts.

use std::collections::BTreeMap;

use super::context::HostContext;
use super::file::file;
use super::state::{Block, Module, Resource, Sysctls};
use super::{Error, endpoint};
use crate::cluster::{EndpointMode, ProxyMode, Role};

const MODULES: &str = "/etc/modules-load.d/kubewright.conf";
const SYSCTLS: &str = "/etc/sysctl.d/95-kubewright.conf";
const HOSTS: &str = "/etc/hosts";

/// A host that is no node gets only what the inventory wants for all hosts.
pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    let mut resources = Vec::new();
    let modules = modules(host);
    if !modules.is_empty() {
        let lines = modules.iter().map(|name| format!("{name}\n")).collect::<String>();
        resources.push(file(MODULES, 0o644, lines, &[]));
        resources.extend(modules.into_iter().map(|name| Resource::Module(Module { name })));
    }
    let values = sysctls(host);
    if !values.is_empty() {
        resources.push(Resource::Sysctls(Sysctls { path: SYSCTLS.to_owned(), values }));
    }
    if host.is_node() {
        resources.push(Resource::SwapOff);
        let lines = endpoint::hosts_line(host.cluster()).into_iter().collect();
        resources.push(Resource::Block(Block { path: HOSTS.to_owned(), name: "endpoint".to_owned(), lines }));
    }
    Ok((!resources.is_empty()).then_some(resources))
}

/// Modules in the order in which they are loaded; none twice.
fn modules(host: &HostContext<'_>) -> Vec<String> {
    let network = &host.cluster().network;
    let mut names: Vec<String> = Vec::new();
    if host.is_node() {
        names.extend(["overlay", "br_netfilter", "nf_conntrack"].map(str::to_owned));
        if older_than_4_19(&host.facts.kernel) {
            names.push("nf_conntrack_ipv4".to_owned());
        }
        if network.proxy == ProxyMode::Ipvs {
            names.extend(["ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh"].map(str::to_owned));
            names.push(format!("ip_vs_{}", network.ipvs_scheduler.as_str()));
        }
    }
    names.extend(host.cluster().kernel.modules.iter().cloned());
    let mut unique = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

/// Before 4.19 connection tracking of IPv4 was a module of its own.
fn older_than_4_19(kernel: &str) -> bool {
    let mut numbers = kernel.split(['.', '-', '+']).map_while(|part| part.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(major), Some(minor)) if (major, minor) < (4, 19))
}

/// What a node needs.
#[rustfmt::skip]
const NODE: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "1"),
    // Pods on a bridge are seen by netfilter; the keys come with br_netfilter.
    ("net.bridge.bridge-nf-call-iptables", "1"),
    ("net.bridge.bridge-nf-call-ip6tables", "1"),
    // What the kubelet sets, or demands with protectKernelDefaults.
    ("vm.overcommit_memory", "1"),
    ("vm.panic_on_oom", "0"),
    ("kernel.panic", "10"),
    ("kernel.panic_on_oops", "1"),
    ("kernel.keys.root_maxkeys", "1000000"),
    ("kernel.keys.root_maxbytes", "25000000"),
    // kubelet, containerd and log collectors watch many files.
    ("fs.inotify.max_user_instances", "8192"),
    ("fs.inotify.max_user_watches", "524288"),
];

/// IPVS forgets idle connections after 900 s: TCP must speak up before that.
const IPVS: &[(&str, &str)] = &[
    ("net.ipv4.tcp_keepalive_time", "600"),
    ("net.ipv4.tcp_keepalive_intvl", "30"),
    ("net.ipv4.tcp_keepalive_probes", "10"),
];

fn sysctls(host: &HostContext<'_>) -> BTreeMap<String, String> {
    let cluster = host.cluster();
    let mut rows: Vec<(&str, &str)> = Vec::new();
    if host.is_node() {
        rows.extend(NODE);
        if cluster.network.pod_cidr.addr().is_ipv6() {
            rows.push(("net.ipv6.conf.all.forwarding", "1"));
        }
        if cluster.network.proxy == ProxyMode::Ipvs {
            rows.extend(IPVS);
        }
    }
    if let EndpointMode::Vip { vip, .. } = cluster.endpoint.mode
        && host.is(Role::ControlPlane)
    {
        // HAProxy binds the virtual address on the masters that do not hold it, too.
        let family = if vip.is_ipv6() { "net.ipv6.ip_nonlocal_bind" } else { "net.ipv4.ip_nonlocal_bind" };
        rows.push((family, "1"));
    }
    let ours = rows.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    ours.chain(cluster.kernel.sysctls.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    #[test]
    fn old_kernels_have_a_module_more() {
        for (kernel, old) in [
            ("3.10.0-1160.el7.x86_64", true),
            ("4.18.0-553.el8", true),
            ("4.19.0", false),
            ("6.1.0-41-amd64", false),
            ("", false),
        ] {
            assert_eq!(older_than_4_19(kernel), old, "{kernel}");
        }
    }

    #[test]
    fn the_inventory_wins_over_the_tables() {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| {
            parts.kernel.sysctls = [("kernel.panic", "60"), ("vm.swappiness", "1")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into();
            parts.kernel.modules = vec!["dummy".to_owned(), "overlay".to_owned()];
        });
        let context = fixture.context();
        let host = HostContext::new(&context, fixture.host("n1")).unwrap();
        let values = sysctls(&host);
        assert_eq!(values["kernel.panic"], "60");
        assert_eq!(values["vm.swappiness"], "1");
        assert_eq!(values["kernel.panic_on_oops"], "1");
        let modules = modules(&host);
        assert_eq!(modules.iter().filter(|name| *name == "overlay").count(), 1);
        assert_eq!(modules.last().map(String::as_str), Some("dummy"));
    }

    #[test]
    fn an_etcd_host_keeps_its_swap_and_modules() {
        let fixture = Fixture::with_etcd_host(36);
        assert_eq!(fixture.state("e1").part(Part::Kernel), None);
        assert!(fixture.state("n1").part(Part::Kernel).unwrap().resources.contains(&Resource::SwapOff));
    }

    #[test]
    fn without_ipvs_nothing_of_it_is_loaded() {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| parts.network.proxy = ProxyMode::Iptables);
        let context = fixture.context();
        let host = HostContext::new(&context, fixture.host("n1")).unwrap();
        assert!(modules(&host).iter().all(|name| !name.starts_with("ip_vs")));
        assert!(!sysctls(&host).contains_key("net.ipv4.tcp_keepalive_time"));
    }
}
