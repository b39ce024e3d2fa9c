//! Who peers with whom, as objects of Calico's. They are not among the cluster's objects: the order in which they come
//! and go decides whether routes are lost on the way.

mod peers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Context, Error};
use crate::cluster::{Bgp, Cluster, Host, HostName};
use crate::versions::calico as table;

/// In it are the passwords of sessions.
const SECRET: &str = "kubewright-bgp";
const API: &str = "crd.projectcalico.org/v1";
/// The BGPFilter of sessions with routers.
const FILTER: &str = "kubewright-routers";
const COMPONENT: &str = "calico";

/// BGP of a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Peering {
    /// Whether every node peers with every other.
    pub meshed: bool,
    /// The BGPConfiguration `default`.
    pub configuration: Value,
    /// What BGPPeers refer to: a filter, passwords of sessions, and the right to read them.
    pub first: Vec<Value>,
    /// BGPPeers in groups that come one after the other: those of each rack, then those of reflectors.
    pub peers: Vec<PeerGroup>,
    /// The ids of the clusters that reflectors serve, as Calico writes them.
    pub cluster_ids: BTreeMap<HostName, String>,
    /// Values of [`crate::cluster::REFLECTOR`].
    pub labels: BTreeMap<HostName, String>,
}

/// BGPPeers that come together.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerGroup {
    /// What they are for, in words.
    pub title: String,
    /// The objects.
    pub peers: Vec<Value>,
    /// The sessions that they make: on each node with these addresses.
    pub sessions: BTreeMap<HostName, BTreeSet<IpAddr>>,
}

/// BGP as the inventory wants it, where Calico speaks it.
pub fn peering(context: &Context<'_>) -> Result<Option<Peering>, Error> {
    let cluster = context.cluster;
    let Some(bgp) = cluster.network.calico().and_then(|calico| calico.transport.bgp()) else { return Ok(None) };
    let meshed = bgp.is_meshed(nodes(cluster).count());
    let reflectors = bgp.reflectors.by_idc(&cluster.hosts);
    let calico = context.component_version(COMPONENT, "spec.network.plugin")?;
    let filters = !bgp.racks.is_empty() && table::filters_by_source(calico);
    let toward_routers = TowardRouters { filters, are_the_way: !meshed && reflectors.is_empty() };
    let each = || reflectors.iter().flat_map(|(idc, hosts)| hosts.iter().map(|host| (host.name.clone(), *idc)));
    Ok(Some(Peering {
        meshed,
        configuration: configuration(cluster, bgp, meshed),
        first: filters.then(|| filter(cluster, &toward_routers)).into_iter().chain(secrets(context, bgp)?).collect(),
        peers: peers::groups(cluster, bgp, &toward_routers),
        cluster_ids: each().map(|(name, idc)| (name, cluster_id(idc))).collect(),
        labels: each().map(|(name, idc)| (name, idc.to_owned())).collect(),
    }))
}

/// How nodes speak with routers.
struct TowardRouters {
    /// Whether there are filters: nodes tell of their own routes alone.
    filters: bool,
    /// Whether nodes hear of each other through them alone.
    are_the_way: bool,
}

/// To a router with an AS of its own, a node that passes on what it was told by another node would be a shorter way there
/// than the router of the other rack: it would send to that node what it then gets back.
///
/// Where nodes tell each other of their pods, routers tell of pods, too, for when that fails for a moment; but of nothing
/// else: a route to the nodes themselves would take the ways away, since BIRD follows no route that BGP has brought to the
/// next hop of another one.
fn filter(cluster: &Cluster, toward: &TowardRouters) -> Value {
    let own = json!([{ "action": "Reject", "source": "RemotePeers" }]);
    let pools = cluster.network.calico().into_iter().flat_map(|calico| &calico.pools);
    let taken = |is_ipv4: bool| {
        let pools = pools.clone().filter(|pool| pool.cidr.addr().is_ipv4() == is_ipv4);
        let accept =
            pools.map(|pool| json!({ "action": "Accept", "matchOperator": "In", "cidr": pool.cidr.to_string() }));
        accept.chain([json!({ "action": "Reject" })]).collect::<Vec<_>>()
    };
    let mut spec = json!({ "exportV4": own, "exportV6": own });
    if !toward.are_the_way {
        spec["importV4"] = json!(taken(true));
        spec["importV6"] = json!(taken(false));
    }
    json!({ "apiVersion": API, "kind": "BGPFilter", "metadata": metadata(FILTER), "spec": spec })
}

fn nodes(cluster: &Cluster) -> impl Iterator<Item = &Host> {
    cluster.hosts.iter().filter(|host| host.roles.is_node())
}

/// An id in 244.0.0.0/8, which Calico's own examples use. Of the name alone, so that another data centre changes none.
fn cluster_id(idc: &str) -> String {
    let hash = Sha256::digest(idc.as_bytes());
    format!("244.{}.{}.{}", hash[0], hash[1], hash[2])
}

fn configuration(cluster: &Cluster, bgp: &Bgp, meshed: bool) -> Value {
    let networks = |networks: &[ipnet::IpNet]| -> Vec<Value> {
        networks.iter().map(|network| json!({ "cidr": network.to_string() })).collect()
    };
    let services = &bgp.services;
    let cluster_addresses = services.cluster.then_some(cluster.network.service_cidr);
    let mut spec = json!({
        "asNumber": bgp.as_number,
        "logSeverityScreen": "Info",
        "nodeToNodeMeshEnabled": meshed,
    });
    for (field, list) in [
        ("serviceClusterIPs", networks(cluster_addresses.as_slice())),
        ("serviceExternalIPs", networks(&services.external)),
        ("serviceLoadBalancerIPs", networks(&services.load_balancers)),
    ] {
        if !list.is_empty() {
            spec[field] = json!(list);
        }
    }
    json!({ "apiVersion": API, "kind": "BGPConfiguration", "metadata": metadata("default"), "spec": spec })
}

/// Calico's manifests give nodes no right to any secret.
fn secrets(context: &Context<'_>, bgp: &Bgp) -> Result<Vec<Value>, Error> {
    let mut data = BTreeMap::new();
    let mut errors = Vec::new();
    for (rack, routers) in &bgp.racks {
        for router in routers {
            let Some(path) = &router.password else { continue };
            match context.files.get(path) {
                Some(text) => {
                    drop(data.insert(peers::name(rack, router), STANDARD.encode(text.trim_end_matches('\n'))))
                }
                None => errors.push(Error::NoFile(path.clone())),
            }
        }
    }
    Error::collect(errors)?;
    if data.is_empty() {
        return Ok(Vec::new());
    }
    let named = |kind: &str, api: &str| {
        let mut object = json!({ "apiVersion": api, "kind": kind, "metadata": metadata(SECRET) });
        object["metadata"]["namespace"] = json!("kube-system");
        object
    };
    let (mut secret, rbac) = (named("Secret", "v1"), "rbac.authorization.k8s.io");
    secret["type"] = json!("Opaque");
    secret["data"] = json!(data);
    let mut role = named("Role", &format!("{rbac}/v1"));
    role["rules"] = json!([
        { "apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET], "verbs": ["get", "list", "watch"] },
    ]);
    let mut binding = named("RoleBinding", &format!("{rbac}/v1"));
    binding["roleRef"] = json!({ "apiGroup": rbac, "kind": "Role", "name": SECRET });
    binding["subjects"] = json!([{ "kind": "ServiceAccount", "name": "calico-node", "namespace": "kube-system" }]);
    Ok(vec![role, binding, secret])
}

fn metadata(name: &str) -> Value {
    json!({ "name": name, "labels": { "app.kubernetes.io/managed-by": "kubewright" } })
}

/// Files of this machine that objects need.
pub fn files_needed(cluster: &Cluster) -> Vec<&Path> {
    let bgp = cluster.network.calico().and_then(|calico| calico.transport.bgp());
    let routers = bgp.into_iter().flat_map(|bgp| bgp.racks.values().flatten());
    routers.filter_map(|router| router.password.as_deref()).collect()
}

#[cfg(test)]
mod tests;
