//! Taints: where they work, whose they are, and whether the cluster's own pods find a node in spite of them.

use super::{Place, Violation};
use crate::cluster::{DnsServer, Host, Parts, Taint, TaintEffect};

/// Taints that the controllers of Kubernetes put on and take off nodes, whatever anybody else wants.
const OF_CONTROLLERS: &str = "node.kubernetes.io/";

/// What the pods tolerate that the cluster itself brings, apart from those that run on every node and tolerate all.
const CRITICAL: &str = "CriticalAddonsOnly";
const CONTROL_PLANE: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

pub(super) fn taints_are_on_nodes(parts: &Parts) -> Vec<Violation> {
    let hosts = parts.hosts.iter().enumerate();
    let lost = hosts.filter(|(_, host)| !host.taints.is_empty() && !host.roles.is_node());
    lost.map(|(index, host)| {
        let message = format!("{} has taints, but is no node: its only role is etcd", host.name);
        Violation::new(Place::host(index, "taints"), message, "remove the taints, or add the role `worker`")
            .with(Place::host(index, "roles"))
    })
    .collect()
}

/// Whether a taint with this key is put on and taken off by the controllers of Kubernetes.
pub fn is_of_controllers(key: &str) -> bool {
    key.starts_with(OF_CONTROLLERS)
}

/// They would come and go with every run.
pub(super) fn no_taint_is_kubernetes_own(parts: &Parts) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, host) in parts.hosts.iter().enumerate() {
        for taint in host.taints.iter().filter(|taint| is_of_controllers(taint.key.as_str())) {
            let message =
                format!("the taint {} is not yours to set: Kubernetes takes it off and puts it on", taint.key);
            let hint = "remove it; `kubectl cordon` and `kubectl drain` keep pods from a node for a while";
            violations.push(Violation::new(Place::host(index, "taints"), message, hint));
        }
    }
    violations
}

/// Without a node that they tolerate, CoreDNS and Calico's controllers run nowhere, and no pod finds another.
pub(super) fn pods_of_the_cluster_have_a_node(parts: &Parts) -> Vec<Violation> {
    let brings_pods = parts.network.dns.server == DnsServer::Coredns || parts.network.calico().is_some();
    let nodes = || parts.hosts.iter().enumerate().filter(|(_, host)| host.roles.is_node());
    let repelling = |host: &Host| host.taints.iter().find(|taint| repels(taint)).cloned();
    if !brings_pods || nodes().any(|(_, host)| repelling(host).is_none()) {
        return Vec::new();
    }
    let Some((index, taint)) = nodes().find_map(|(index, host)| Some((index, repelling(host)?))) else {
        return Vec::new();
    };
    let message = format!(
        "every node has a taint such as {}: the pods that the cluster needs itself, its DNS among them, would run nowhere",
        taint.key
    );
    let hint = format!("leave a node without such a taint; {CRITICAL} is one that these pods tolerate");
    vec![Violation::new(Place::host(index, "taints"), message, hint).of_all_hosts()]
}

fn repels(taint: &Taint) -> bool {
    let key = taint.key.as_str();
    match taint.effect {
        TaintEffect::PreferNoSchedule => false,
        TaintEffect::NoSchedule => key != CRITICAL && !CONTROL_PLANE.contains(&key),
        TaintEffect::NoExecute => key != CRITICAL,
    }
}
