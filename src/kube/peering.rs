//! BGP of Calico, as its objects and its nodes tell of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ::kube::api::ListParams;
use serde_json::{Value, json};

use super::api::Api;
use super::nodes::NODES;
use super::operation::Operation;
use super::{KubeError, concurrency};
use crate::cluster::REFLECTOR;

const CONFIGURATIONS: &str = "/apis/crd.projectcalico.org/v1/bgpconfigurations";
const PEERS: &str = "/apis/crd.projectcalico.org/v1/bgppeers";
const STATUSES: &str = "/apis/crd.projectcalico.org/v1/caliconodestatuses";
const API: &str = "crd.projectcalico.org/v1";
const OURS: &str = "app.kubernetes.io/managed-by=kubewright";
/// Calico knows a reflector by this annotation of its node.
const CLUSTER_ID: &str = "projectcalico.org/RouteReflectorClusterID";
/// Where ids of ours begin; others are an administrator's.
const OUR_IDS: &str = "244.";
const STATUS: &str = "kubewright-";
/// Seconds after which a node tells anew how its sessions are.
const PERIOD: u32 = 5;

/// BGP as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveBgp {
    /// Whether every node peers with every other: without a word, Calico's do.
    pub meshed: bool,
    /// Names of our BGPPeers.
    pub peers: BTreeSet<String>,
    /// Our ids of reflectors, by node.
    pub cluster_ids: BTreeMap<String, String>,
    /// Our labels of reflectors, by node.
    pub labels: BTreeMap<String, String>,
}

impl Api {
    /// BGP as it is. Where Calico's kinds are not there yet, it is what Calico begins with.
    pub async fn bgp(&self) -> Result<LiveBgp, KubeError> {
        let configuration = match self.find(CONFIGURATIONS, "BGPConfiguration default", "default").await {
            Err(KubeError::NotServed { .. }) => return Ok(LiveBgp { meshed: true, ..LiveBgp::default() }),
            other => other?,
        };
        let meshed = configuration.is_none_or(|live| live["spec"]["nodeToNodeMeshEnabled"] != false);
        let peers = self.list(PEERS, "the BGPPeers", ListParams::default().labels(OURS)).await?;
        let nodes = self.list(NODES, "the nodes", ListParams::default()).await?;
        let name = |object: &Value| object["metadata"]["name"].as_str().map(str::to_owned);
        let id = |node: &Value| {
            let id = node["metadata"]["annotations"][CLUSTER_ID].as_str().filter(|id| id.starts_with(OUR_IDS))?;
            Some((name(node)?, id.to_owned()))
        };
        let label = |node: &Value| Some((name(node)?, node["metadata"]["labels"][REFLECTOR].as_str()?.to_owned()));
        let (peers, cluster_ids) = (peers.iter().filter_map(name).collect(), nodes.iter().filter_map(id).collect());
        Ok(LiveBgp { meshed, peers, cluster_ids, labels: nodes.iter().filter_map(label).collect() })
    }

    /// Marks a node as a reflector of this data centre, or as none any more.
    pub async fn mark_reflector(&self, node: &str, idc: Option<&str>) -> Result<(), KubeError> {
        self.note_at_node(node, &json!({"labels": {REFLECTOR: idc}})).await
    }

    /// Makes a node a reflector of the cluster with this id, or none any more.
    pub async fn set_cluster_id(&self, node: &str, id: Option<&str>) -> Result<(), KubeError> {
        self.note_at_node(node, &json!({"annotations": {CLUSTER_ID: id}})).await
    }

    async fn note_at_node(&self, node: &str, metadata: &Value) -> Result<(), KubeError> {
        let patch = json!({ "metadata": metadata });
        self.send(NODES, &format!("Node {node}"), Operation::Merge { name: node, patch: &patch }).await.map(drop)
    }

    /// Removes BGPPeers; one that is gone is as good.
    pub async fn remove_peers(&self, names: &[String]) -> Result<(), KubeError> {
        for name in names {
            self.remove(PEERS, &format!("BGPPeer {name}"), name).await?;
        }
        Ok(())
    }

    /// Has the Calico of these nodes tell how their sessions are, until [`Api::unwatch_sessions`].
    pub async fn watch_sessions(&self, nodes: &[&str]) -> Result<(), KubeError> {
        let status = |node: &&str| {
            json!({"apiVersion": API, "kind": "CalicoNodeStatus",
                "metadata": {"name": format!("{STATUS}{node}"), "labels": {"app.kubernetes.io/managed-by": "kubewright"}},
                "spec": {"node": node, "classes": ["BGP"], "updatePeriodSeconds": PERIOD}})
        };
        self.apply(&nodes.iter().map(status).collect::<Vec<_>>()).await.map(drop)
    }

    /// Addresses with which sessions are Established, by node, as far as nodes have told.
    pub async fn sessions(&self) -> Result<BTreeMap<String, BTreeSet<IpAddr>>, KubeError> {
        let statuses = self.list(STATUSES, "the states of Calico's nodes", ListParams::default().labels(OURS)).await?;
        let of_node = |status: &Value| Some((status["spec"]["node"].as_str()?.to_owned(), established(status)));
        Ok(statuses.iter().filter_map(of_node).collect())
    }

    /// No node need tell any more.
    pub async fn unwatch_sessions(&self) -> Result<(), KubeError> {
        let statuses = self.list(STATUSES, "the states of Calico's nodes", ListParams::default().labels(OURS)).await?;
        let names = statuses.iter().filter_map(|status| status["metadata"]["name"].as_str());
        let remove = async |name: &str| self.remove(STATUSES, &format!("CalicoNodeStatus {name}"), name).await;
        let removals = names.map(remove).collect();
        let done = concurrency::all(removals).await;
        KubeError::collect(done.into_iter().map(|done| done.map(|()| Vec::new()))).map(drop)
    }
}

fn established(status: &Value) -> BTreeSet<IpAddr> {
    let peers = ["peersV4", "peersV6"].into_iter().flat_map(|key| status["status"]["bgp"][key].as_array());
    let up = peers.flatten().filter(|peer| peer["state"] == "Established");
    up.filter_map(|peer| peer["peerIP"].as_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Scripted, not_found};
    use super::*;

    #[test]
    fn only_sessions_that_are_up_count() {
        let peer = |address: &str, state: &str| json!({"peerIP": address, "state": state, "type": "NodePeer"});
        let status = json!({"status": {"bgp": {
            "peersV4": [peer("10.1.0.1", "Established"), peer("10.1.0.2", "Connect")],
            "peersV6": [peer("fd00::1", "Established")]}}});
        let found: Vec<String> = established(&status).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.1.0.1", "fd00::1"]);
        assert!(established(&json!({})).is_empty());
    }

    #[tokio::test]
    async fn ids_of_others_are_not_ours_and_silence_is_a_mesh() {
        let node = |name: &str, id: &str| json!({"metadata": {"name": name, "annotations": {CLUSTER_ID: id}, "labels": {REFLECTOR: "bj"}}});
        let (configuration, peers) = (format!("GET {CONFIGURATIONS}/default"), format!("GET {PEERS}?&labelSelector="));
        let peers = format!("{peers}app.kubernetes.io%2Fmanaged-by%3Dkubewright&limit=500");
        let nodes = format!("GET {NODES}?&limit=500");
        let server = Scripted::new([
            (configuration.as_str(), 404, not_found("default")),
            (peers.as_str(), 200, json!({"items": [{"metadata": {"name": "rack-r1-10.1.0.1"}}]})),
            (nodes.as_str(), 200, json!({"items": [node("m1", "244.1.2.3"), node("m2", "10.0.0.1")]})),
        ]);
        let live = server.api().bgp().await.unwrap();
        server.done();
        assert!(live.meshed && live.peers.contains("rack-r1-10.1.0.1"));
        assert_eq!(live.cluster_ids, [("m1".to_owned(), "244.1.2.3".to_owned())].into());
        assert_eq!(live.labels["m2"], "bj");
    }
}
