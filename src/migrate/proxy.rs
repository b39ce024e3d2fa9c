//! kube-proxy's own configuration, which k0s has in the same words.

use super::document::Node;
use super::draft::Draft;
use super::rest::Fate::{Left, Told};
use super::rest::{self, Table};

const TIMEOUTS: &str = "write it as `network.proxy.timeouts`, in whole seconds";

/// Fields that are carried over, or need not be.
const TABLE: &Table = &[
    ("apiVersion", Told),
    ("kind", Told),
    ("mode", Told),
    ("nodePortAddresses", Told),
    ("ipvs.scheduler", Told),
    ("ipvs.excludeCIDRs", Told),
    ("ipvs.strictARP", Told),
    ("ipvs.tcpTimeout", Left(TIMEOUTS)),
    ("ipvs.tcpFinTimeout", Left(TIMEOUTS)),
    ("ipvs.udpTimeout", Left(TIMEOUTS)),
    ("ipvs", Told),
    // kubewright sets these itself.
    ("bindAddress", Told),
    ("bindAddressHardFail", Told),
    ("clientConnection", Told),
    ("clusterCIDR", Told),
    ("configSyncPeriod", Told),
    ("detectLocal", Told),
    ("detectLocalMode", Told),
    ("enableProfiling", Told),
    ("healthzBindAddress", Told),
    ("hostnameOverride", Told),
    ("logging", Told),
    ("metricsBindAddress", Told),
    ("oomScoreAdj", Told),
    ("portRange", Told),
    ("showHiddenMetricsForVersion", Told),
    ("udpIdleTimeout", Told),
    ("winkernel", Told),
    ("conntrack", Left("the kernel's profile sets connection tracking; see `kubewright explain kernel`")),
    ("iptables", Left("kube-proxy syncs as it does by default")),
    ("nftables", Left("kube-proxy syncs as it does by default")),
];

/// Carries a KubeProxyConfiguration over. `key` is what the source calls it.
pub(in crate::migrate) fn carry(draft: &mut Draft, key: &str, node: &Node) {
    let get = |path: &str| node.at_path(path).filter(|node| !node.is_empty());
    if get("disabled").and_then(Node::switch) == Some(true) {
        let why = "kube-proxy always runs; a network plugin that takes its place is an add-on";
        draft.leave(format!("{key}.disabled"), &node.at, why);
    }
    let mode = get("mode");
    let name = mode.and_then(Node::text).filter(|mode| ["ipvs", "iptables", "nftables"].contains(mode));
    match name {
        Some(name) => drop(draft.set("network.proxy.mode", name, mode.map(|node| &node.at))),
        None => draft.set("network.proxy.mode", "iptables", Some(&node.at)).note = Some("kube-proxy's default".into()),
    }
    if let Some(networks) = get("nodePortAddresses") {
        draft.set("network.proxy.nodePortAddresses", networks.texts(), Some(&networks.at));
    }
    if name == Some("ipvs") {
        if let Some(networks) = get("ipvs.excludeCIDRs") {
            draft.set("network.proxy.excludeCidrs", networks.texts(), Some(&networks.at));
        }
        match get("ipvs.scheduler").and_then(|node| Some((node.text()?, &node.at))) {
            Some((name, at)) if ["rr", "wrr", "lc", "sh"].contains(&name) => {
                draft.set("network.proxy.scheduler", name, Some(at));
            }
            Some((_, at)) => draft.leave(format!("{key}.ipvs.scheduler"), at, "the schedulers are rr, wrr, lc and sh"),
            None => {}
        }
    }
    rest::leave(draft, key, node, TABLE);
}
