//! The order in which BGP changes: new sessions first, and proven, before what carried routes until then goes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use crate::cluster::HostName;
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
}

/// One step of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum PeeringStep {
    /// Apply these objects.
    Apply(Vec<Value>),
    /// Wait until these sessions are Established, on each node with these addresses.
    Await(BTreeMap<HostName, BTreeSet<IpAddr>>),
    /// Make a node a reflector, of the cluster with this id, or none any more.
    ClusterId(String, Option<String>),
    /// Remove the BGPPeers of these names.
    Remove(Vec<String>),
}

/// The way from `live` to `wanted`. `mesh` are the sessions of a full mesh.
///
/// A mesh that is wanted comes first; peers come rack by rack, each proven before the next; reflectors one at a time;
/// then a mesh that is not wanted goes, and last the peers that nobody wants. What is there already is applied again, for
/// fields that differ, and proven again.
pub fn peering(live: &LivePeering, wanted: &Peering, mesh: BTreeMap<HostName, BTreeSet<IpAddr>>) -> Vec<PeeringStep> {
    use PeeringStep::{Apply, Await, ClusterId, Remove};
    let mut steps = Vec::new();
    if !wanted.secrets.is_empty() {
        steps.push(Apply(wanted.secrets.clone()));
    }
    if wanted.meshed {
        steps.push(Apply(vec![wanted.configuration.clone()]));
        steps.push(Await(mesh));
    }
    for PeerGroup { peers, sessions, .. } in &wanted.peers {
        steps.push(Apply(peers.clone()));
        steps.push(Await(sessions.clone()));
    }
    let all = || {
        let mut all: BTreeMap<HostName, BTreeSet<IpAddr>> = BTreeMap::new();
        for (host, with) in wanted.peers.iter().flat_map(|group| &group.sessions) {
            all.entry(host.clone()).or_default().extend(with);
        }
        all
    };
    for (host, id) in &wanted.cluster_ids {
        if live.cluster_ids.get(host.as_str()) != Some(id) {
            // It leaves the mesh at that moment, and has to be found by its peers.
            steps.push(ClusterId(host.to_string(), Some(id.clone())));
            steps.push(Await(all()));
        }
    }
    if !wanted.meshed {
        steps.push(Apply(vec![wanted.configuration.clone()]));
    }
    let is_wanted = |node: &str| wanted.cluster_ids.keys().any(|host| host.as_str() == node);
    for node in live.cluster_ids.keys().filter(|node| !is_wanted(node)) {
        steps.push(ClusterId(node.clone(), None));
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
    steps
}

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
            secrets: Vec::new(),
            peers: groups.iter().map(|name| group(name)).collect(),
            cluster_ids: reflectors.iter().map(|name| (host(name), "244.1.1.1".to_owned())).collect(),
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
            PeeringStep::ClusterId(node, id) => format!("{node} {}", id.as_deref().unwrap_or("-")),
            PeeringStep::Remove(names) => format!("remove {}", names.join(" ")),
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn the_mesh_goes_last_and_comes_first() {
        let mesh = LivePeering { meshed: true, ..LivePeering::default() };
        let steps = peering(&mesh, &wanted(false, &["r1", "r2"], &["m1"]), BTreeMap::new());
        assert_eq!(words(&steps), ["r1", "await", "r2", "await", "m1 244.1.1.1", "await", "mesh false"]);
        let live = LivePeering {
            meshed: false,
            peers: ["r1".to_owned(), "r2".to_owned()].into(),
            cluster_ids: [("m1".to_owned(), "244.1.1.1".to_owned())].into(),
        };
        let steps = peering(&live, &wanted(true, &[], &[]), BTreeMap::new());
        assert_eq!(words(&steps), ["mesh true", "await", "m1 -", "remove r1 r2"]);
    }

    proptest! {
        #[test]
        fn nothing_goes_before_what_takes_its_place_is_proven(
            meshed: bool, to_mesh: bool, peers in prop::collection::btree_set("r[0-4]", 0..4), reflector: bool,
        ) {
            let live = LivePeering { meshed, peers: ["r1".to_owned(), "r9".to_owned()].into(), ..LivePeering::default() };
            let groups: Vec<&str> = peers.iter().map(String::as_str).collect();
            prop_assume!(to_mesh || !groups.is_empty());
            let steps = words(&peering(&live, &wanted(to_mesh, &groups, if reflector { &["m1"] } else { &[] }), BTreeMap::new()));
            let goes = |step: &str| step == "mesh false" || step.starts_with("remove");
            let last_proof = steps.iter().rposition(|step| step == "await").unwrap();
            for (index, step) in steps.iter().enumerate().filter(|(_, step)| goes(step)) {
                prop_assert!(index > last_proof, "{step} in {steps:?}");
            }
        }
    }
}
