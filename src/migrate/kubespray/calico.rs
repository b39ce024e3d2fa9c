//! Calico's settings, and who peers with whom.

use serde_json::{Map, Value, json};

use super::groups::{Inventory, value};
use super::reader::{self, Reader};
use crate::cluster::Role;
use crate::migrate::document::Node;
use crate::migrate::draft::{At, Draft};

/// What of Calico depends on the hosts.
pub(super) struct Calico {
    /// Whether nodes and routers tell each other routes.
    speaks_bgp: bool,
    /// Whether kubespray makes nodes peer with routers.
    routers: bool,
}

/// Carries the settings over, where Calico is the plugin.
pub(super) fn carry(reader: &mut Reader<'_>) -> Option<Calico> {
    if reader.draft.settings.iter().all(|setting| setting.field != "network.plugin" || setting.value != "calico") {
        return None;
    }
    let speaks_bgp = mode(reader);
    pools(reader);
    if let Some((mtu, at)) = reader.number("calico_veth_mtu").or_else(|| reader.number("calico_mtu")) {
        reader.draft.set("network.calico.mtu", mtu, Some(&at));
    }
    detection(reader);
    felix(reader);
    if reader.is_on("typha_enabled")
        && let Some((replicas, at)) = reader.number("typha_replicas")
    {
        reader.draft.set("network.calico.typha.replicas", replicas, Some(&at));
    }
    let number = reader.number("global_as_num");
    let routers = reader.is_on("peer_with_router");
    if !speaks_bgp {
        return Some(Calico { speaks_bgp, routers });
    }
    if let Some((number, at)) = number {
        reader.draft.set("network.calico.bgp.asNumber", number, Some(&at));
    }
    for (name, field) in [
        ("calico_advertise_service_external_ips", "network.calico.bgp.services.externalAddresses"),
        ("calico_advertise_service_loadbalancer_ips", "network.calico.bgp.services.loadBalancerAddresses"),
    ] {
        if let Some((networks, at)) = reader.texts(name) {
            reader.draft.set(field, networks, Some(&at));
        }
    }
    if let Some((true, at)) = reader.switch("calico_advertise_cluster_ips") {
        reader.draft.set("network.calico.bgp.services.clusterAddresses", true, Some(&at));
    }
    Some(Calico { speaks_bgp, routers })
}

/// Sets the mode, and says whether it has BGP in it.
fn mode(reader: &mut Reader<'_>) -> bool {
    let overlay =
        |node: &Node| node.text().filter(|text| ["Always", "CrossSubnet", "Never"].contains(text)).map(str::to_owned);
    let ipip = reader.read("calico_ipip_mode", overlay);
    let vxlan = reader.read("calico_vxlan_mode", overlay);
    let backend = reader.text("calico_network_backend");
    let wraps = |mode: &Option<(String, At)>| mode.as_ref().is_some_and(|(mode, _)| mode != "Never");
    // Kubespray wraps in VXLAN unless something else is said.
    let bird = backend.as_ref().is_some_and(|(backend, _)| backend == "bird");
    let (mode, found) = match () {
        () if wraps(&ipip) => ("ipip", ipip),
        () if wraps(&vxlan) || (vxlan.is_none() && !bird) => ("vxlan", vxlan),
        () => ("bgp", None),
    };
    let at = found.as_ref().or(backend.as_ref()).map(|(_, at)| at.clone());
    let setting = reader.draft.set("network.calico.mode", mode, at.as_ref());
    if at.is_none() {
        setting.note = Some("kubespray's default since 2.18; it was ipip before".into());
    }
    if mode != "bgp" {
        let (encapsulation, at) = found.map_or(("Always".to_owned(), None), |(mode, at)| (mode, Some(at)));
        reader.draft.set("network.calico.encapsulation", encapsulation, at.as_ref());
    }
    mode != "vxlan"
}

/// A pool of its own is only needed where something differs from what Calico does by itself.
fn pools(reader: &mut Reader<'_>) {
    let name = reader.text("calico_pool_name");
    let (block, cidr) = (reader.number("calico_pool_blocksize"), reader.text("calico_pool_cidr"));
    let nat = reader.switch("nat_outgoing");
    let block = block.filter(|(size, _)| *size != 26);
    let nat = nat.filter(|(on, _)| !on);
    let Some(at) = [block.as_ref().map(|(_, at)| at), cidr.as_ref().map(|(_, at)| at), nat.as_ref().map(|(_, at)| at)]
        .into_iter()
        .flatten()
        .next()
        .cloned()
    else {
        return;
    };
    let pods = reader.draft.settings.iter().find(|setting| setting.field == "network.podCidr");
    let all = pods.map_or(Value::Null, |setting| setting.value.clone());
    let name = name.map_or_else(|| "default-pool".to_owned(), |(name, _)| name);
    let mut pool = Map::from_iter([("name".to_owned(), json!(name))]);
    pool.insert("cidr".to_owned(), cidr.map_or(all, |(cidr, _)| json!(cidr)));
    pool.extend(block.map(|(size, _)| ("blockSize".to_owned(), json!(size))));
    pool.extend(nat.map(|(on, _)| ("natOutgoing".to_owned(), json!(on))));
    reader.draft.set("network.calico.pools", json!([pool]), Some(&at));
}

fn detection(reader: &mut Reader<'_>) {
    let Some((method, at)) = reader.text("calico_ip_auto_method") else { return };
    let list = |text: &str| text.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>();
    match method.split_once('=') {
        Some(("interface", names)) => {
            reader.draft.set("network.calico.addressDetection.interfaces", list(names), Some(&at));
        }
        Some(("cidr" | "cidrs", networks)) => {
            reader.draft.set("network.calico.addressDetection.networks", list(networks), Some(&at));
        }
        _ => {
            let why = "by default a node's address is the one in the inventory; see `network.calico.addressDetection`";
            reader.draft.leave("calico_ip_auto_method", &at, why);
        }
    }
}

fn felix(reader: &mut Reader<'_>) {
    let level = |node: &Node| {
        node.text().filter(|text| ["Debug", "Info", "Warning", "Error"].contains(text)).map(str::to_owned)
    };
    if let Some((level, at)) = reader.read("calico_felix_log_severity_screen", level) {
        reader.draft.set("network.calico.felix.log", level, Some(&at));
    }
    let port = reader.number("calico_felix_prometheusmetricsport");
    if let Some((true, at)) = reader.switch("calico_felix_prometheusmetricsenabled") {
        reader.draft.set("network.calico.felix.metricsPort", port.map_or(9091, |(port, _)| port), Some(&at));
    }
}

/// Routers and reflectors. Nodes that peer with the same routers become one rack, because ours are named by rack.
pub(super) fn peers(calico: &Calico, inventory: &Inventory, draft: &mut Draft) {
    if !calico.speaks_bgp {
        return;
    }
    let reflectors = inventory.groups.get("calico_rr").map(|group| group.hosts.clone()).unwrap_or_default();
    if !reflectors.is_empty() {
        let names: Vec<String> = reflectors.into_iter().collect();
        draft.set("network.calico.bgp.routeReflectors.hosts", names, None).note = Some("group calico_rr".into());
    }
    if !calico.routers {
        return;
    }
    let (mut racks, mut places): (Vec<Value>, Vec<At>) = (Vec::new(), Vec::new());
    let mut chosen = Vec::new();
    for host in &inventory.hosts {
        let variables = inventory.of_host(host);
        let node = value(&variables, "peers").cloned();
        let Some(node) = node.and_then(|node| reader::readable("peers", node, draft)) else { continue };
        let routers = Value::Array(node.items().iter().filter_map(|peer| router(peer, draft)).collect());
        let rack = racks.iter().position(|known| *known == routers).unwrap_or_else(|| {
            racks.push(routers);
            places.push(node.at.clone());
            racks.len() - 1
        });
        chosen.push((host.name.clone(), format!("r{}", rack + 1)));
    }
    let is_node = |host: &crate::migrate::draft::HostDraft| host.roles.iter().any(|role| role != Role::Etcd);
    for host in draft.hosts.iter_mut().filter(|host| is_node(host)) {
        let rack = chosen.iter().find(|(name, _)| *name == host.name);
        host.rack = rack.map(|(_, rack)| rack.clone());
    }
    let used = |rack: &String| draft.hosts.iter().any(|host| host.rack.as_ref() == Some(rack));
    let racks =
        racks.into_iter().enumerate().map(|(index, routers)| (format!("r{}", index + 1), json!({"peers": routers})));
    let racks: Map<String, Value> = racks.filter(|(rack, _)| used(rack)).collect();
    if let Some(at) = places.first().filter(|_| !racks.is_empty()) {
        let change = "r1 and so on are those nodes that have the same `peers`: name them as your racks are named";
        draft.set("network.calico.bgp.racks", racks, Some(at)).change_me = Some(change.into());
    }
}

fn router(peer: &Node, draft: &mut Draft) -> Option<Value> {
    if let Some(node) = peer.get("password").filter(|node| !node.is_empty()) {
        draft.leave(
            "peers[].password",
            &node.at,
            "write it into a file, and name that as `passwordFile` of the router",
        );
    }
    let (address, number) = (peer.get("router_id"), peer.get("as").and_then(Node::number::<u32>));
    match (address.and_then(Node::text), number) {
        (Some(address), Some(number)) => Some(json!({"ip": address, "as": number})),
        _ => {
            draft.leave("peers[]", &peer.at, "a router wants `router_id` and a number as `as`");
            None
        }
    }
}
