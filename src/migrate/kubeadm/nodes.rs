//! Nodes: names, addresses, roles, labels, taints.

use super::objects::{Objects, place};
use crate::cluster::{Role, Roles};
use crate::migrate::document::Node;
use crate::migrate::draft::{At, Draft, HostDraft};

/// Labels of a master, the second one up to 1.23.
const MASTER: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/// Labels that kubelet and kubeadm set.
const OWN: [&str; 5] = [
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "node.kubernetes.io/exclude-from-external-load-balancers",
];

/// Carries the nodes over, and members of etcd that are none.
pub(super) fn carry(objects: &Objects, configuration: Option<&Node>, draft: &mut Draft) {
    let endpoints = configuration.and_then(|node| node.at_path("etcd.external.endpoints"));
    for node in objects.of_kind("Node") {
        let host = host(node, endpoints.is_none(), draft);
        draft.hosts.push(host);
    }
    if let Some(endpoints) = endpoints {
        endpoints.items().iter().for_each(|endpoint| member(endpoint, draft));
    }
    if draft.hosts.is_empty() {
        let hint = "add what `kubectl get nodes -o yaml` prints";
        draft.problem(&At::file(&draft.from.clone()), "there are no nodes", hint);
        return;
    }
    let change = "how to log in: the API does not say";
    draft.set("ssh.user", "root", None).change_me = Some(change.into());
    versions(objects, draft);
}

fn host(node: &Node, stacked: bool, draft: &mut Draft) -> HostDraft {
    let at = place(node);
    let name = node.at_path("metadata.name").and_then(Node::text).unwrap_or_default();
    let mut host = HostDraft::new(name, &at);
    let addresses = node.at_path("status.addresses").map(Node::items).unwrap_or_default();
    let internal = addresses.iter().find(|address| address.get("type").and_then(Node::text) == Some("InternalIP"));
    host.address = internal.and_then(|address| address.get("address")?.text().map(str::to_owned));
    if host.address.is_none() {
        draft.problem(&at, format!("{name} has no address of type InternalIP"), "its kubelet must report one first");
    }
    let labels = node.at_path("metadata.labels").map(Node::entries).unwrap_or_default();
    let taints = node.at_path("spec.taints").map(Node::items).unwrap_or_default();
    let master = labels.iter().any(|(key, _)| MASTER.contains(&key.as_str()));
    let key_of = |taint: &Node| taint.get("key").and_then(Node::text).unwrap_or_default().to_owned();
    let kept_free = taints.iter().any(|taint| MASTER.contains(&key_of(taint).as_str()));
    let roles = [
        (master, Role::ControlPlane),
        (master && stacked, Role::Etcd),
        // A master that takes pods is a worker, too.
        (!master || !kept_free, Role::Worker),
    ];
    host.roles = roles.into_iter().filter(|(has, _)| *has).map(|(_, role)| role).collect();
    for (key, value) in labels.iter().filter(|(key, _)| !OWN.contains(&key.as_str())) {
        if let Err(why) = host.label(key, value.text().unwrap_or_default()) {
            draft.leave(format!("label {key}"), &at, why);
        }
    }
    for taint in taints {
        let text = |key: &str| taint.get(key).and_then(Node::text).unwrap_or_default();
        // These say how the node is at the moment.
        if text("key").starts_with("node.kubernetes.io/")
            || text("key").starts_with("node.cloudprovider.kubernetes.io/")
        {
            continue;
        }
        if let Err(why) = host.taint(text("key"), text("value"), text("effect")) {
            draft.leave(format!("taint {}", text("key")), &at, why);
        }
    }
    host
}

/// A member of an external etcd: on a node, or on a host of its own.
fn member(endpoint: &Node, draft: &mut Draft) {
    let text = endpoint.text().unwrap_or_default();
    let authority = text.split("://").last().unwrap_or_default().split('/').next().unwrap_or_default();
    let address = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    let known = draft.hosts.iter_mut().find(|host| host.name == address || host.address.as_deref() == Some(address));
    if let Some(host) = known {
        host.roles = host.roles.iter().chain([Role::Etcd]).collect();
        return;
    }
    let number = draft.hosts.iter().filter(|host| !host.roles.is_node()).count() + 1;
    let mut host = HostDraft::new(&format!("etcd-{number}"), &endpoint.at);
    host.roles = Roles::from_iter([Role::Etcd]);
    host.change_me = Some(
        "a member of the external etcd, whose name the API does not say; its data do not move by themselves".into(),
    );
    if address.parse::<std::net::IpAddr>().is_ok() {
        host.address = Some(address.to_owned());
    } else {
        let hint = "write its IP address as the endpoint, in a copy of the ClusterConfiguration";
        draft.problem(&endpoint.at, "a member of etcd is only known by a name", hint);
    }
    draft.hosts.push(host);
}

/// Versions and runtimes that are not those of the cluster.
fn versions(objects: &Objects, draft: &mut Draft) {
    let cluster = draft.version.clone().unwrap_or_default();
    for node in objects.of_kind("Node") {
        let text = |key: &str| node.at_path(&format!("status.nodeInfo.{key}")).and_then(Node::text).unwrap_or_default();
        let (kubelet, runtime) = (text("kubeletVersion").trim_start_matches('v'), text("containerRuntimeVersion"));
        if !kubelet.is_empty() && !cluster.is_empty() && kubelet != cluster {
            let name = node.at_path("metadata.name").and_then(Node::text).unwrap_or_default();
            let why = "the kubelet has another version than the control plane; here all have that of the image";
            draft.leave(name, &place(node), why);
        }
        if !runtime.is_empty() && !runtime.starts_with("containerd://") {
            draft.leave("containerRuntimeVersion", &place(node), "nodes run containerd");
        }
    }
}
