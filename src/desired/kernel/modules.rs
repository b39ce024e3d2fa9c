//! Kernel modules that a host loads, and their parameters.

use std::collections::BTreeMap;

use super::release::Release;
use crate::cluster::{Calico, ProxyMode, Transport};
use crate::desired::context::HostContext;
use crate::desired::state::Module;
use crate::desired::sysctl::Sysctl;

/// Modules in the order in which they are loaded; none twice.
pub(super) fn modules(host: &HostContext<'_>, sysctls: &BTreeMap<String, Sysctl>) -> Vec<Module> {
    let network = &host.cluster().network;
    let mut names: Vec<String> = Vec::new();
    if host.is_node() {
        names.extend(["overlay", "br_netfilter", "nf_conntrack"].map(str::to_owned));
        // Until then connection tracking of IPv4 was a module of its own.
        if Release::parse(&host.facts.kernel).is_some_and(|release| release < Release(4, 19)) {
            names.push("nf_conntrack_ipv4".to_owned());
        }
        match &network.proxy.mode {
            ProxyMode::Ipvs(ipvs) => {
                names.extend(["ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh"].map(str::to_owned));
                names.push(format!("ip_vs_{}", ipvs.scheduler.as_str()));
            }
            ProxyMode::Nftables => names.push("nf_tables".to_owned()),
            ProxyMode::Iptables => {}
        }
        names.extend(network.calico().and_then(tunnel).map(str::to_owned));
    }
    if host.thin_pool().is_some() {
        names.push("dm_thin_pool".to_owned());
    }
    names.extend(host.host.kernel.modules.iter().cloned());
    let mut unique: Vec<Module> = Vec::new();
    for name in names {
        if unique.iter().all(|module| module.name != name) {
            let parameters =
                if name == "nf_conntrack" { hashsize(sysctls).into_iter().collect() } else { BTreeMap::new() };
            unique.push(Module { name, parameters });
        }
    }
    unique
}

/// What wraps packets between nodes. Calico would ask for it itself, but a kernel without it is told of before.
fn tunnel(calico: &Calico) -> Option<&'static str> {
    match calico.transport {
        Transport::Bgp { ipip: None, .. } => None,
        Transport::Bgp { ipip: Some(_), .. } => Some("ipip"),
        Transport::Vxlan(_) => Some("vxlan"),
    }
}

/// Four connections for each slot of the table.
fn hashsize(sysctls: &BTreeMap<String, Sysctl>) -> Option<(String, u64)> {
    let limit: u64 = sysctls.get("net.netfilter.nf_conntrack_max")?.value.parse().ok()?;
    Some(("hashsize".to_owned(), limit / 4))
}

/// Lines of modprobe.d, for modules that load at the next boot.
pub(super) fn options(modules: &[Module]) -> String {
    let lines = modules.iter().flat_map(|module| {
        module.parameters.iter().map(|(key, value)| format!("options {} {key}={value}\n", module.name))
    });
    lines.collect()
}
