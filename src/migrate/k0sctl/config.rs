//! The configuration of k0s: networks, endpoint, flags.

use std::net::IpAddr;

use serde_json::json;

use super::{table, text};
use crate::migrate::arguments;
use crate::migrate::document::Node;
use crate::migrate::draft::{At, Draft};
use crate::migrate::{plugin, proxy, rest};

/// Carries the configuration over; what is not said there is as k0s has it by default.
pub(super) fn carry(spec: &Node, draft: &mut Draft) {
    let config = spec.at_path("k0s.config.spec");
    let at = |path: &str| config.and_then(|config| config.at_path(path)).filter(|node| !node.is_empty());
    network(&at, draft);
    endpoint(&at, draft);
    if let Some(names) = at("api.sans") {
        draft.set("controlPlane.certSans", names.texts(), Some(&names.at));
    }
    for (section, component) in [
        ("api", arguments::APISERVER),
        ("controllerManager", "kube-controller-manager"),
        ("scheduler", "kube-scheduler"),
    ] {
        for (flag, value) in at(&format!("{section}.extraArgs")).map(Node::entries).unwrap_or_default() {
            let key = format!("{section}.extraArgs.{flag}");
            arguments::carry(draft, component, (flag, value.text().unwrap_or_default()), &key, &value.at);
        }
    }
    if let Some(storage) = at("storage.type").filter(|kind| kind.text() != Some("etcd")) {
        draft.leave("storage.type", &storage.at, "the cluster's data are in etcd, on the control plane's hosts here");
    }
    if let Some(config) = config {
        rest::leave(draft, "k0s.config.spec", config, table::CONFIG);
    }
}

fn network<'n>(at: &impl Fn(&str) -> Option<&'n Node>, draft: &mut Draft) {
    let provider = at("network.provider");
    match provider.and_then(Node::text).unwrap_or("kuberouter") {
        "calico" => {
            let setting = draft.set("network.plugin", "calico", provider.map(|node| &node.at));
            setting.note = Some("the image needs calico and calico-crds".into());
            calico(at, draft);
        }
        other => {
            let (ours, change) = plugin::instead_of(other);
            draft.set("network.plugin", ours, provider.map(|node| &node.at)).change_me = Some(change);
        }
    }
    for (path, field, default) in [
        ("network.podCIDR", "network.podCidr", "10.244.0.0/16"),
        ("network.serviceCIDR", "network.serviceCidr", "10.96.0.0/12"),
    ] {
        match at(path).and_then(|node| Some((text(Some(node), path, draft)?, node.at.clone()))) {
            Some((network, at)) => drop(draft.set(field, network, Some(&at))),
            None => draft.set(field, default, None).note = Some("k0s's default".into()),
        }
    }
    if let Some(domain) = at("network.clusterDomain") {
        draft.set("network.domain", domain.text().unwrap_or_default(), Some(&domain.at));
    }
    match at("network.kubeProxy") {
        Some(node) => proxy::carry(draft, "network.kubeProxy", node),
        None => draft.set("network.proxy.mode", "iptables", None).note = Some("k0s's default".into()),
    }
}

fn calico<'n>(at: &impl Fn(&str) -> Option<&'n Node>, draft: &mut Draft) {
    let (mode, overlay) = (at("network.calico.mode"), at("network.calico.overlay"));
    let wraps = overlay.and_then(Node::text).unwrap_or("Always").to_owned();
    let name = match mode.and_then(Node::text).unwrap_or("vxlan") {
        _ if wraps == "Never" => "bgp",
        "bird" | "ipip" => "ipip",
        _ => "vxlan",
    };
    draft.set("network.calico.mode", name, mode.map(|node| &node.at));
    if name != "bgp" {
        draft.set("network.calico.encapsulation", wraps, overlay.map(|node| &node.at));
    }
    if let Some((mtu, at)) = at("network.calico.mtu").and_then(|node| Some((node.number::<u32>()?, &node.at))) {
        draft.set("network.calico.mtu", mtu, Some(at));
    }
}

fn endpoint<'n>(at: &impl Fn(&str) -> Option<&'n Node>, draft: &mut Draft) {
    let is_on = |path: &str| at(path).and_then(Node::switch) == Some(true);
    let external = at("api.externalAddress");
    if is_on("network.controlPlaneLoadBalancing.enabled") {
        vip(at("network.controlPlaneLoadBalancing.keepalived.vrrpInstances"), draft);
    } else if is_on("network.nodeLocalLoadBalancing.enabled") {
        // HAProxy on each host does that here, and is the default.
        if let Some(external) = external {
            let why = "clients in the cluster use the proxy on their host; add the name to `controlPlane.certSans`";
            draft.leave("api.externalAddress", &external.at, why);
        }
        return;
    } else if let Some(external) = external {
        draft.set("endpoint.mode", "external", Some(&external.at)).note =
            Some("it must lead to port 6443 of the masters".into());
    }
    let address = external.and_then(|node| Some((text(Some(node), "api.externalAddress", draft)?, node.at.clone())));
    let mode =
        draft.settings.iter().find(|setting| setting.field == "endpoint.mode").map(|setting| setting.value.clone());
    let Some(mode) = mode else { return };
    match address {
        Some((text, at)) if text.parse::<IpAddr>().is_err() => drop(draft.set("endpoint.host", text, Some(&at))),
        Some((text, at)) if mode == json!("external") => drop(draft.set("endpoint.address", text, Some(&at))),
        _ => {}
    }
    if let Some((port, at)) = at("api.port").and_then(|node| Some((node.number::<u16>()?, &node.at))) {
        draft.set("endpoint.port", port, Some(at));
    }
}

fn vip(instances: Option<&Node>, draft: &mut Draft) {
    let instances = instances.map(Node::items).unwrap_or_default();
    let Some(first) = instances.first() else { return };
    draft.set("endpoint.mode", "vip", Some(&first.at));
    if let Some(list) = first.get("virtualIPs") {
        let address = list.texts().first().and_then(|text| text.split('/').next().map(str::to_owned));
        draft.set("endpoint.vip", address.unwrap_or_default(), Some(&list.at));
        several(list.items().len(), "virtualIPs", &list.at, draft);
    }
    if let Some(interface) = first.get("interface").filter(|node| !node.is_empty()) {
        draft.set("endpoint.interface", interface.text().unwrap_or_default(), Some(&interface.at));
    }
    match first.get("virtualRouterID").and_then(|node| Some((node.number::<u8>()?, &node.at))) {
        Some((id, at)) => drop(draft.set("endpoint.routerId", id, Some(at))),
        None => {
            let change = "the VRRP router id: 1 to 255, used by no other VRRP router of the masters' layer-2 network";
            draft.set("endpoint.routerId", 51, None).change_me = Some(change.into());
        }
    }
    several(instances.len(), "vrrpInstances", &first.at, draft);
}

fn several(count: usize, key: &str, at: &At, draft: &mut Draft) {
    if count > 1 {
        draft.leave(format!("{key}[1…]"), at, "there is one virtual address: the first");
    }
}
