//! BGPPeers: those of each rack with its routers, and those with reflectors.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use super::{API, FILTER, PeerGroup, SECRET, TowardRouters, metadata, nodes};
use crate::cluster::{Bgp, Cluster, Host, HostName, REFLECTOR, Router};
use crate::desired::labels::{IDC, RACK};

/// The groups: one for each rack, and one for all reflectors.
pub(super) fn groups(cluster: &Cluster, bgp: &Bgp, toward: &TowardRouters) -> Vec<PeerGroup> {
    let of_rack = |(rack, routers): (&String, &Vec<Router>)| {
        let spec = |router: &Router| spec(rack, router, bgp.as_number, toward);
        with_routers(cluster, rack, routers, spec)
    };
    let mut groups: Vec<PeerGroup> = bgp.racks.iter().map(of_rack).collect();
    let reflectors = bgp.reflectors.by_idc(&cluster.hosts);
    if !reflectors.is_empty() {
        groups.push(with_reflectors(cluster, &reflectors));
    }
    groups
}

/// What the peer of a rack with a router is called, which is also the key of its password.
pub(super) fn name(rack: &str, router: &Router) -> String {
    let address = router.address.to_string().replace(':', "-");
    let port = router.port.map(|port| format!("-{port}")).unwrap_or_default();
    format!("rack-{}-{address}{port}", rack.to_lowercase().replace('_', "-"))
}

fn spec(rack: &str, router: &Router, own_as: u32, toward: &TowardRouters) -> Value {
    let address = match (router.port, router.address) {
        (Some(port), address) => SocketAddr::new(address, port).to_string(),
        (None, address) => address.to_string(),
    };
    let mut spec = json!({
        "asNumber": router.as_number,
        "nodeSelector": format!("{RACK} == '{rack}'"),
        "peerIP": address,
    });
    if toward.filters {
        spec["filters"] = json!([FILTER]);
    }
    if (toward.are_the_way || toward.filters) && router.as_number != own_as {
        // The nodes of other racks have our own AS, which is at the far end of their routes.
        spec["numAllowedLocalASNumbers"] = json!(1);
    }
    if router.password.is_some() {
        spec["password"] = json!({ "secretKeyRef": { "name": SECRET, "key": name(rack, router) } });
    }
    spec
}

fn with_routers(cluster: &Cluster, rack: &str, routers: &[Router], spec: impl Fn(&Router) -> Value) -> PeerGroup {
    let peer = |router: &Router| object(&name(rack, router), &spec(router));
    let of_rack = nodes(cluster).filter(|node| node.rack.as_deref() == Some(rack));
    let addresses: BTreeSet<IpAddr> = routers.iter().map(|router| router.address).collect();
    PeerGroup {
        title: format!("routers of rack {rack}"),
        peers: routers.iter().map(peer).collect(),
        sessions: of_rack.map(|node| (node.name.clone(), addresses.clone())).collect(),
    }
}

/// Every node peers with the reflectors of its data centre, and all reflectors with each other.
fn with_reflectors(cluster: &Cluster, reflectors: &BTreeMap<&str, Vec<&Host>>) -> PeerGroup {
    let mut peers = vec![object(
        "reflectors",
        &json!({ "nodeSelector": format!("has({REFLECTOR})"), "peerSelector": format!("has({REFLECTOR})") }),
    )];
    let idcs: BTreeSet<&str> = nodes(cluster).map(|node| node.idc.as_deref().unwrap_or_default()).collect();
    for idc in &idcs {
        let nodes = if idc.is_empty() { format!("!has({IDC})") } else { format!("{IDC} == '{idc}'") };
        // A data centre without reflectors of its own goes to all of the others'.
        let peer = match reflectors.contains_key(idc) {
            true => format!("{REFLECTOR} == '{idc}'"),
            false => format!("has({REFLECTOR})"),
        };
        let name = if idc.is_empty() {
            "reflectors-of-the-others".into()
        } else {
            format!("reflectors-{}", idc.to_lowercase())
        };
        peers.push(object(&name, &json!({ "nodeSelector": nodes, "peerSelector": peer })));
    }
    let names: BTreeSet<&HostName> = reflectors.values().flatten().map(|host| &host.name).collect();
    let mut sessions: BTreeMap<HostName, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut add = |one: &Host, other: &Host| {
        if one.name != other.name {
            sessions.entry(one.name.clone()).or_default().insert(other.address);
            sessions.entry(other.name.clone()).or_default().insert(one.address);
        }
    };
    for node in nodes(cluster) {
        let idc = node.idc.as_deref().unwrap_or_default();
        let own = reflectors.get(idc);
        let is_reflector = names.contains(&node.name);
        let with = reflectors.iter().filter(|(of, _)| is_reflector || own.is_none() || **of == idc);
        with.flat_map(|(_, hosts)| hosts).for_each(|host| add(node, host));
    }
    PeerGroup { title: "route reflectors".to_owned(), peers, sessions }
}

fn object(name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": API, "kind": "BGPPeer", "metadata": metadata(name), "spec": spec })
}
