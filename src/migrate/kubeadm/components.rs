//! kube-proxy, the kubelets and CoreDNS.

use serde_json::{Map, json};

use super::objects::Objects;
use super::{corefile, table};
use crate::migrate::document::Node;
use crate::migrate::draft::{At, Draft};
use crate::migrate::{proxy, rest};

/// Carries their configurations over.
pub(super) fn carry(objects: &Objects, draft: &mut Draft) {
    match objects.configuration("kube-proxy", "KubeProxyConfiguration", draft) {
        Some(node) => proxy::carry(draft, "kube-proxy", &node),
        None => {
            let setting = draft.set("network.proxy.mode", "iptables", None);
            setting.change_me = Some("there was no kube-proxy, or nothing says how it was set up".into());
        }
    }
    if let Some(node) = objects.configuration("kubelet-config", "KubeletConfiguration", draft) {
        kubelet(&node, draft);
    }
    if let Some(node) = objects.config_map("coredns", "Corefile") {
        dns(node.text().unwrap_or_default(), draft);
    }
}

fn kubelet(node: &Node, draft: &mut Draft) {
    let get = |key: &str| node.get(key).filter(|node| !node.is_empty());
    if let Some((pods, at)) = get("maxPods").and_then(|node| Some((node.number::<u32>()?, &node.at))) {
        draft.set("kubelet.maxPods", pods, Some(at));
    }
    if let Some(node) = get("failSwapOn").filter(|node| node.switch() == Some(false)) {
        draft.set("kernel.swap", "limited", Some(&node.at)).note = Some("wants Kubernetes 1.28 and cgroup v2".into());
    }
    rest::leave(draft, "kubelet", node, table::KUBELET);
}

fn dns(text: &str, draft: &mut Draft) {
    let at = At::file("ConfigMap coredns");
    let found = corefile::forwards(text);
    if !found.upstreams.is_empty() {
        draft.set("network.dns.upstreams", found.upstreams, Some(&at));
    }
    if !found.stub_domains.is_empty() {
        let domains: Map<_, _> =
            found.stub_domains.into_iter().map(|(domain, servers)| (domain, json!(servers))).collect();
        draft.set("network.dns.stubDomains", domains, Some(&at));
    }
    for plugin in found.others {
        let why = "CoreDNS is set up by `network.dns`: upstreams, stubDomains, cache, replicas, nodeLocal";
        draft.leave(format!("Corefile: {plugin}"), &at, why);
    }
}
