//! kubeadm's ClusterConfiguration, v1beta1 to v1beta4.

use std::net::IpAddr;

use super::table;
use crate::cluster::Role;
use crate::migrate::document::Node;
use crate::migrate::draft::Draft;
use crate::migrate::{arguments, rest, units};

/// Components of the control plane, by their section.
const SECTIONS: [(&str, &str); 3] = [
    ("apiServer", arguments::APISERVER),
    ("controllerManager", "kube-controller-manager"),
    ("scheduler", "kube-scheduler"),
];

/// Carries everything over but the endpoint, which depends on the nodes.
pub(super) fn carry(node: &Node, draft: &mut Draft) {
    let get = |path: &str| node.at_path(path).filter(|node| !node.is_empty());
    let text = |path: &str| get(path).and_then(Node::text);
    draft.version = text("kubernetesVersion").map(|version| version.trim_start_matches('v').to_owned());
    // kubeadm calls every cluster so that was given no name.
    draft.name = text("clusterName").filter(|name| *name != "kubernetes").map(str::to_owned);
    match get("networking.serviceSubnet").and_then(|node| Some((node.text()?, node))) {
        Some((networks, node)) => {
            let network = first(networks, "networking.serviceSubnet", node, draft);
            draft.set("network.serviceCidr", network, Some(&node.at));
        }
        None => draft.set("network.serviceCidr", "10.96.0.0/12", None).note = Some("kubeadm's default".into()),
    }
    if let Some((networks, node)) = get("networking.podSubnet").and_then(|node| Some((node.text()?, node))) {
        let network = first(networks, "networking.podSubnet", node, draft);
        draft.set("network.podCidr", network, Some(&node.at));
    }
    if let Some((domain, at)) = get("networking.dnsDomain").and_then(|node| Some((node.text()?, &node.at))) {
        draft.set("network.domain", domain, Some(at));
    }
    if let Some(names) = get("apiServer.certSANs") {
        draft.set("controlPlane.certSans", names.texts(), Some(&names.at));
    }
    for (section, component) in SECTIONS {
        for (flag, value) in flags(get(&format!("{section}.extraArgs"))) {
            let key = format!("{section}.extraArgs.{flag}");
            let text = value.text().unwrap_or_default();
            match (component, flag.as_str(), text.parse::<u8>()) {
                ("kube-controller-manager", "node-cidr-mask-size" | "node-cidr-mask-size-ipv4", Ok(prefix)) => {
                    draft.set("network.nodePrefix", prefix, Some(&value.at));
                }
                _ => arguments::carry(draft, component, (&flag, text), &key, &value.at),
            }
        }
    }
    for (flag, value) in flags(get("etcd.local.extraArgs")) {
        etcd(&flag, value, draft);
    }
    pki(&get, draft);
    rest::leave(draft, "", node, table::CONFIGURATION);
}

/// Where clients reach the API servers: a load balancer, unless it is one of the masters itself.
pub(super) fn endpoint(node: &Node, draft: &mut Draft) {
    let Some((text, node)) =
        node.get("controlPlaneEndpoint").filter(|node| !node.is_empty()).and_then(|node| Some((node.text()?, node)))
    else {
        return;
    };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host.trim_matches(['[', ']']), port.parse().ok())
        }
        _ => (text.trim_matches(['[', ']']), None::<u16>),
    };
    let masters = draft.hosts.iter().filter(|found| found.roles.contains(Role::ControlPlane));
    if masters.clone().any(|found| found.name == host || found.address.as_deref() == Some(host)) {
        let why =
            "it was one of the masters, and would be lost with it; HAProxy on each host leads to all of them here";
        draft.leave("controlPlaneEndpoint", &node.at, why);
        return;
    }
    let setting = draft.set("endpoint.mode", "external", Some(&node.at));
    setting.change_me = Some(
        "what was in front of the masters must lead to their port 6443; `vip` lets keepalived hold the address instead, \
         where kube-vip or a keepalived of yours did, `local` does without"
            .into(),
    );
    match host.parse::<IpAddr>() {
        Ok(_) => drop(draft.set("endpoint.address", host, Some(&node.at))),
        Err(_) => drop(draft.set("endpoint.host", host, Some(&node.at))),
    }
    if let Some(port) = port.filter(|port| *port != 6443) {
        draft.set("endpoint.port", port, Some(&node.at));
    }
}

/// Flags: a mapping up to v1beta3, a list of names and values from v1beta4 on.
fn flags(node: Option<&Node>) -> Vec<(String, &Node)> {
    let Some(node) = node else { return Vec::new() };
    let pair = |item: &'_ Node| item.get("name").and_then(Node::text).map(str::to_owned);
    let listed = node.items().iter().filter_map(|item| Some((pair(item)?, item.get("value")?)));
    node.entries().iter().map(|(flag, value)| (flag.clone(), value)).chain(listed).collect()
}

fn etcd(flag: &str, value: &Node, draft: &mut Draft) {
    let number = value.number::<u64>();
    match (flag, number) {
        ("quota-backend-bytes", Some(bytes)) => drop(draft.set("etcd.quota", units::size(bytes), Some(&value.at))),
        ("heartbeat-interval", Some(time)) => drop(draft.set("etcd.heartbeat", format!("{time}ms"), Some(&value.at))),
        ("election-timeout", Some(time)) => drop(draft.set("etcd.election", format!("{time}ms"), Some(&value.at))),
        _ => {
            let why = "etcd is set up by kubewright; `etcd` has heartbeat, election, quota and snapshots";
            draft.leave(format!("etcd.local.extraArgs.{flag}"), &value.at, why);
        }
    }
}

fn pki<'n>(get: &impl Fn(&str) -> Option<&'n Node>, draft: &mut Draft) {
    if let Some((name, at)) = get("encryptionAlgorithm").and_then(|node| Some((node.text()?, &node.at))) {
        match name {
            "RSA-2048" => drop(draft.set("pki.algorithm", "rsa-2048", Some(at))),
            "RSA-4096" => drop(draft.set("pki.algorithm", "rsa-4096", Some(at))),
            "ECDSA-P256" => drop(draft.set("pki.algorithm", "ecdsa-p256", Some(at))),
            _ => draft.leave("encryptionAlgorithm", at, "keys are ecdsa-p256, rsa-2048 or rsa-4096"),
        }
    }
    for (key, field) in
        [("caCertificateValidityPeriod", "pki.caLifetime"), ("certificateValidityPeriod", "pki.leafLifetime")]
    {
        let Some((time, at)) = get(key).and_then(|node| Some((node.text()?, &node.at))) else { continue };
        // Go writes whole hours as 8760h0m0s.
        match time
            .trim_end_matches("0s")
            .trim_end_matches("0m")
            .strip_suffix('h')
            .and_then(|hours| hours.parse::<u64>().ok())
        {
            Some(hours) => drop(draft.set(field, format!("{hours}h"), Some(at))),
            None => draft.leave(key, at, "lifetimes are whole hours or days: see `pki`"),
        }
    }
}

/// The first of two networks: one for each address family.
fn first(networks: &str, key: &str, node: &Node, draft: &mut Draft) -> String {
    let mut networks = networks.split(',').map(str::trim);
    let first = networks.next().unwrap_or_default().to_owned();
    if networks.next().is_some() {
        draft.leave(format!("{key} (the second)"), &node.at, "clusters of kubewright have one address family");
    }
    first
}
