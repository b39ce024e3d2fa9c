//! Which network plugin a cluster has, by its DaemonSets, and how Calico is set up, by its pools.

use serde_json::{Map, Value, json};

use super::objects::{Objects, place};
use crate::migrate::document::Node;
use crate::migrate::draft::{At, Draft};
use crate::migrate::plugin::instead_of;

/// DaemonSets, by how their names begin, and whose they are.
const DAEMON_SETS: [(&str, &str); 9] = [
    ("calico-node", "calico"),
    ("canal", "canal"),
    ("cilium", "cilium"),
    ("kube-flannel", "flannel"),
    ("kube-router", "kube-router"),
    ("weave-net", "weave"),
    ("kube-ovn", "kube-ovn"),
    ("antrea-agent", "antrea"),
    ("aws-node", "aws-vpc"),
];

/// Carries the plugin over.
pub(super) fn carry(objects: &Objects, configuration: Option<&Node>, draft: &mut Draft) {
    let sets = objects.of_kind("DaemonSet").filter_map(|set| {
        let name = set.at_path("metadata.name").and_then(Node::text)?;
        let (_, plugin) = DAEMON_SETS.iter().find(|(begins, _)| name.starts_with(begins))?;
        Some((*plugin, set))
    });
    let found: Vec<(&str, &Node)> = sets.collect();
    // Others come along with Calico's name, such as Canal, which is Flannel with its policies.
    match found.iter().find(|(plugin, _)| *plugin != "calico").or(found.first()) {
        Some(("calico", set)) => {
            let setting = draft.set("network.plugin", "calico", Some(&place(set)));
            setting.note = Some("the image needs calico and calico-crds".into());
            calico(objects, set, configuration, draft);
        }
        Some((plugin, set)) => {
            let (ours, change) = instead_of(plugin);
            draft.set("network.plugin", ours, Some(&place(set))).change_me = Some(change);
        }
        None => {
            let change = "no known network plugin was found: write `bridge` or `calico`, or bring one as an add-on";
            draft.set("network.plugin", "none", None).change_me = Some(change.into());
        }
    }
}

fn calico(objects: &Objects, set: &Node, configuration: Option<&Node>, draft: &mut Draft) {
    let all: Vec<&Node> = objects.of_kind("IPPool").collect();
    let pools: Vec<&Node> = all
        .iter()
        .copied()
        .filter(|pool| pool.at_path("spec.disabled").and_then(Node::switch) != Some(true))
        .filter(|pool| pool.at_path("spec.cidr").and_then(Node::text).is_some_and(|cidr| !cidr.contains(':')))
        .collect();
    let of_pool = |key: &str| pools.first().and_then(|pool| pool.get("spec")?.get(key)?.text());
    let ipip = of_pool("ipipMode").or_else(|| environment(set, "CALICO_IPV4POOL_IPIP"));
    let vxlan = of_pool("vxlanMode").or_else(|| environment(set, "CALICO_IPV4POOL_VXLAN"));
    let wraps = |mode: Option<&str>| mode.filter(|mode| ["Always", "CrossSubnet"].contains(mode)).map(str::to_owned);
    let at = pools.first().map_or_else(|| place(set), |pool| place(pool));
    let (mode, encapsulation) = match (wraps(ipip), wraps(vxlan)) {
        (Some(ipip), _) => ("ipip", Some(ipip)),
        (_, Some(vxlan)) => ("vxlan", Some(vxlan)),
        _ => ("bgp", None),
    };
    let setting = draft.set("network.calico.mode", mode, Some(&at));
    if ipip.is_none() && vxlan.is_none() {
        setting.change_me = Some("neither its pools nor the DaemonSet say how packets go from node to node".into());
    }
    if let Some(encapsulation) = encapsulation {
        draft.set("network.calico.encapsulation", encapsulation, Some(&at));
    }
    own_pools(&pools, &at, configuration, draft);
    for kind in ["BGPPeer", "BGPConfiguration"] {
        for object in objects.of_kind(kind) {
            let why = "peers are named by rack: see `network.calico.bgp`";
            draft.leave(kind, &place(object), why);
        }
    }
}

/// Pools are only named where they differ from what Calico makes of the pod network by itself.
fn own_pools(pools: &[&Node], at: &At, configuration: Option<&Node>, draft: &mut Draft) {
    let Some(first) = pools.first() else { return };
    let of_pool = |key: &str| first.get("spec")?.get(key)?.text();
    let cidr = of_pool("cidr").unwrap_or_default();
    let subnet = configuration.and_then(|node| node.at_path("networking.podSubnet")).and_then(Node::text);
    let subnet = subnet.and_then(|networks| networks.split(',').next()).map(str::trim).filter(|text| !text.is_empty());
    if subnet.is_none() && pools.len() == 1 {
        draft.set("network.podCidr", cidr, Some(at));
    }
    let usual = of_pool("blockSize").is_none_or(|size| size == "26") && of_pool("natOutgoing") == Some("true");
    if pools.len() > 1 || !usual || subnet.is_some_and(|subnet| subnet != cidr) {
        draft.set("network.calico.pools", pools.iter().map(|found| pool(found)).collect::<Vec<_>>(), Some(at));
    }
}

fn pool(found: &Node) -> Value {
    let get = |key: &str| found.get("spec").and_then(|spec| spec.get(key)).filter(|node| !node.is_empty());
    let text = |path: &str| found.at_path(path).and_then(Node::text).unwrap_or_default().to_owned();
    let mut pool = Map::from_iter([
        ("name".to_owned(), json!(text("metadata.name"))),
        ("cidr".to_owned(), json!(text("spec.cidr"))),
    ]);
    pool.extend(get("blockSize").and_then(Node::number::<u8>).map(|size| ("blockSize".to_owned(), json!(size))));
    let nat = get("natOutgoing").and_then(Node::switch).unwrap_or_default();
    pool.insert("natOutgoing".to_owned(), json!(nat));
    let selector = get("nodeSelector").and_then(Node::text).filter(|selector| *selector != "all()");
    pool.extend(selector.map(|selector| ("nodeSelector".to_owned(), json!(selector))));
    Value::Object(pool)
}

/// A variable of the first container of a DaemonSet.
fn environment<'n>(set: &'n Node, name: &str) -> Option<&'n str> {
    let containers = set.at_path("spec.template.spec.containers").map(Node::items).unwrap_or_default();
    let variables = containers.first()?.get("env")?.items();
    variables.iter().find(|variable| variable.get("name").and_then(Node::text) == Some(name))?.get("value")?.text()
}
