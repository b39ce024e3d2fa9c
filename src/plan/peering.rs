//! The order in which BGP changes: new sessions first, and proven, before what carried routes until then goes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use crate::cluster::{Host, HostName};
use crate::desired::{PeerGroup, Peering};

/// BGP as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LivePeering {
    /// Whether every node peers with every other.
    pub meshed: bool,
    /// Names of our BGPPeers.
    pub peers: BTreeSet<String>,
    /// Ids of reflectors, by node.
    pub cluster_ids: BTreeMap<String, String>,
    /// Labels of reflectors, by node.
    pub labels: BTreeMap<String, String>,
}

/// Sessions: on each node with these addresses.
pub type Sessions = BTreeMap<HostName, BTreeSet<IpAddr>>;

/// One step of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum PeeringStep {
    /// Apply these objects.
    Apply(Vec<Value>),
    /// Wait until these sessions are Established.
    Await(Sessions),
    /// Mark a node as a reflector, with its data centre, or no longer: BGPPeers go by that.
    Label(String, Option<String>),
    /// Make a node a reflector, of the cluster with this id, or none any more.
    ClusterId(String, Option<String>),
    /// Remove the BGPPeers of these names.
    Remove(Vec<String>),
}

/// The way from `live` to `wanted`; `nodes` are those of the cluster.
///
/// A mesh that is wanted comes first; peers come rack by rack, each proven before the next; reflectors one at a time. Then
/// a mesh that is not wanted goes, and the peers that nobody wants; last, those that are reflectors no longer end
/// together, since each alone would be the way of the others. What is there already is applied again, for fields that
/// differ, and proven again.
///
/// Calico begins the sessions of a node anew when it becomes a reflector or stops being one: for that moment pods on this
/// very node are reached only where routers tell of them.
pub fn peering(live: &LivePeering, wanted: &Peering, nodes: &[&Host]) -> Vec<PeeringStep> {
    use PeeringStep::{Apply, Await, ClusterId, Label, Remove};
    let mut steps = Vec::new();
    if !wanted.first.is_empty() {
        steps.push(Apply(wanted.first.clone()));
    }
    let labels = wanted.labels.iter().filter(|(host, value)| live.labels.get(host.as_str()) != Some(value));
    steps.extend(labels.map(|(host, value)| Label(host.to_string(), Some(value.clone()))));
    let is_wanted = |node: &str| wanted.cluster_ids.keys().any(|host| host.as_str() == node);
    if wanted.meshed {
        steps.push(Apply(vec![wanted.configuration.clone()]));
        // Calico takes no node with an id into the mesh.
        steps.push(Await(mesh(nodes, |name| live.cluster_ids.contains_key(name) || is_wanted(name))));
    }
    for PeerGroup { peers, sessions, .. } in &wanted.peers {
        steps.push(Apply(peers.clone()));
        steps.push(Await(sessions.clone()));
    }
    let all = |is_apart: &dyn Fn(&str) -> bool| {
        let mut all = if wanted.meshed { mesh(nodes, is_apart) } else { Sessions::new() };
        for (host, with) in wanted.peers.iter().flat_map(|group| &group.sessions) {
            all.entry(host.clone()).or_default().extend(with);
        }
        all
    };
    for (host, id) in &wanted.cluster_ids {
        if live.cluster_ids.get(host.as_str()) != Some(id) {
            // It leaves the mesh at that moment, and has to be found by its peers.
            steps.push(ClusterId(host.to_string(), Some(id.clone())));
            steps.push(Await(all(&|name| live.cluster_ids.contains_key(name) || is_wanted(name))));
        }
    }
    if !wanted.meshed {
        steps.push(Apply(vec![wanted.configuration.clone()]));
    }
    let names: BTreeSet<&str> = wanted
        .peers
        .iter()
        .flat_map(|group| &group.peers)
        .filter_map(|peer| peer["metadata"]["name"].as_str())
        .collect();
    let gone: Vec<String> = live.peers.iter().filter(|name| !names.contains(name.as_str())).cloned().collect();
    if !gone.is_empty() {
        steps.push(Remove(gone));
    }
    // After their peers: of two sessions with the same neighbour, one as a peer and one of the mesh, neither comes up.
    let gone: Vec<_> = live.cluster_ids.keys().filter(|node| !is_wanted(node)).collect();
    if !gone.is_empty() {
        steps.extend(gone.into_iter().map(|node| ClusterId(node.clone(), None)));
        steps.push(Await(all(&is_wanted)));
    }
    let gone = live.labels.keys().filter(|node| !wanted.labels.keys().any(|host| host.as_str() == *node));
    steps.extend(gone.map(|node| Label(node.clone(), None)));
    steps
}

/// The sessions of a full mesh: every node with every other, but for those that `is_apart`.
fn mesh(nodes: &[&Host], is_apart: impl Fn(&str) -> bool) -> Sessions {
    let meshed: Vec<_> = nodes.iter().filter(|host| !is_apart(host.name.as_str())).collect();
    let others =
        |name: &HostName| meshed.iter().filter(|other| other.name != *name).map(|other| other.address).collect();
    meshed.iter().map(|host| (host.name.clone(), others(&host.name))).collect()
}

#[cfg(test)]
mod bird_tests;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn host(name: &str) -> HostName {
        HostName::parse(name).unwrap()
    }

    fn group(name: &str) -> PeerGroup {
        let peer = json!({"kind": "BGPPeer", "metadata": {"name": name}});
        let sessions = [(host("n1"), ["10.1.0.1".parse().unwrap()].into())].into();
        PeerGroup { title: name.into(), peers: vec![peer], sessions }
    }

    fn wanted(meshed: bool, groups: &[&str], reflectors: &[&str]) -> Peering {
        Peering {
            meshed,
            configuration: json!({"kind": "BGPConfiguration", "spec": {"nodeToNodeMeshEnabled": meshed}}),
            first: Vec::new(),
            peers: groups.iter().map(|name| group(name)).collect(),
            cluster_ids: reflectors.iter().map(|name| (host(name), "244.1.1.1".to_owned())).collect(),
            labels: reflectors.iter().map(|name| (host(name), "bj".to_owned())).collect(),
        }
    }

    fn words(steps: &[PeeringStep]) -> Vec<String> {
        let name = |object: &Value| match object["kind"].as_str().unwrap() {
            "BGPConfiguration" => format!("mesh {}", object["spec"]["nodeToNodeMeshEnabled"]),
            _ => object["metadata"]["name"].as_str().unwrap().to_owned(),
        };
        let step = |step: &PeeringStep| match step {
            PeeringStep::Apply(objects) => objects.iter().map(name).collect::<Vec<_>>().join(" "),
            PeeringStep::Await(_) => "await".to_owned(),
            PeeringStep::Label(node, value) => format!("label {node} {}", value.as_deref().unwrap_or("-")),
            PeeringStep::ClusterId(node, id) => format!("{node} {}", id.as_deref().unwrap_or("-")),
            PeeringStep::Remove(names) => format!("remove {}", names.join(" ")),
        };
        steps.iter().map(step).collect()
    }

    fn live(meshed: bool, peers: &[&str], reflectors: &[&str]) -> LivePeering {
        let of = |value: &str| reflectors.iter().map(|name| ((*name).to_owned(), value.to_owned())).collect();
        let peers = peers.iter().map(|name| (*name).to_owned()).collect();
        LivePeering { meshed, peers, cluster_ids: of("244.1.1.1"), labels: of("bj") }
    }

    #[test]
    fn the_mesh_goes_last_and_comes_first() {
        let steps = peering(&live(true, &[], &[]), &wanted(false, &["r1", "r2"], &["m1"]), &[]);
        assert_eq!(words(&steps), ["label m1 bj", "r1", "await", "r2", "await", "m1 244.1.1.1", "await", "mesh false"]);
        let steps = peering(&live(false, &["r1", "r2"], &["m1", "m2"]), &wanted(true, &[], &[]), &[]);
        let back = ["mesh true", "await", "remove r1 r2", "m1 -", "m2 -", "await", "label m1 -", "label m2 -"];
        assert_eq!(words(&steps), back);
    }

    #[test]
    fn nobody_waits_for_a_reflector_in_the_mesh_before_it_is_none() {
        let nodes = ["m1", "m2", "m3"].map(|name| crate::desired::fixture::worker(name, 1));
        let nodes: Vec<&Host> = nodes.iter().collect();
        let steps = peering(&live(false, &["r1"], &["m1"]), &wanted(true, &[], &[]), &nodes);
        let awaited = steps.iter().filter_map(|step| match step {
            PeeringStep::Await(sessions) => Some(sessions.keys().map(HostName::as_str).collect::<Vec<_>>()),
            _ => None,
        });
        assert_eq!(awaited.collect::<Vec<_>>(), [vec!["m2", "m3"], vec!["m1", "m2", "m3"]]);
    }

    proptest! {
        #[test]
        fn nothing_goes_before_what_takes_its_place_is_proven(
            meshed: bool, to_mesh: bool, peers in prop::collection::btree_set("r[0-4]", 0..4), reflector: bool,
        ) {
            let live = live(meshed, &["r1", "r9"], &["m9"]);
            let groups: Vec<&str> = peers.iter().map(String::as_str).collect();
            prop_assume!(to_mesh || !groups.is_empty());
            let steps = words(&peering(&live, &wanted(to_mesh, &groups, if reflector { &["m1"] } else { &[] }), &[]));
            let goes = |step: &str| {
                step == "mesh false" || step.starts_with("remove") || step.starts_with("label") && step.ends_with('-')
            };
            let ids = steps.iter().position(|step| step == "m9 -").unwrap();
            let last_proof = steps[..ids].iter().rposition(|step| step == "await").unwrap();
            for (index, step) in steps.iter().enumerate().filter(|(_, step)| goes(step)) {
                prop_assert!(index > last_proof, "{step} in {steps:?}");
            }
        }
    }
}
