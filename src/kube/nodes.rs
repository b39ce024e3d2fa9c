//! Nodes as the API has them, and the gate that they are ready.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ::kube::api::ListParams;
use serde_json::Value;

use super::KubeError;
use super::api::Api;
use crate::cluster::KubeVersion;

pub(super) const NODES: &str = "/api/v1/nodes";

/// A node, as far as the installer looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// Name.
    pub name: String,
    /// Whether its Ready condition is true.
    pub ready: bool,
    /// Why it is not ready, and what else is wrong with it.
    pub reasons: Vec<String>,
    /// Version of its kubelet as it reports it, with any build suffix; empty when it has not reported yet.
    pub kubelet: String,
    /// The same as a version; none when it reports nothing that is a version.
    pub version: Option<KubeVersion>,
    /// Labels, everybody's.
    pub labels: BTreeMap<String, String>,
    /// Taints in kubectl's notation, `key=value:effect`, everybody's.
    pub taints: Vec<String>,
    /// Address of type InternalIP.
    pub internal_ip: Option<IpAddr>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
}

/// Nodes that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodesExpected {
    /// Their names.
    pub names: Vec<String>,
    /// The version that their kubelets must report; any when absent.
    pub version: Option<KubeVersion>,
}

impl Api {
    /// Every node.
    pub async fn nodes(&self) -> Result<Vec<NodeView>, KubeError> {
        Ok(self.list(NODES, "the nodes", ListParams::default()).await?.iter().map(view).collect())
    }

    /// What is missing until the expected nodes are there, ready and of the version wanted. One observation.
    pub async fn readiness(&self, expected: &NodesExpected) -> Result<Vec<String>, KubeError> {
        Ok(missing(&self.nodes().await?, expected))
    }
}

pub(super) fn view(node: &Value) -> NodeView {
    let conditions = node["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let explain = |condition: &Value| {
        let text = |key: &str| condition[key].as_str().unwrap_or("unknown").to_owned();
        format!("{}: {}", text("reason"), text("message"))
    };
    let mut ready = None;
    let mut reasons = Vec::new();
    for condition in conditions {
        let holds = condition["status"] == "True";
        match condition["type"].as_str() {
            Some("Ready") => {
                ready = Some(holds);
                if !holds {
                    reasons.insert(0, explain(condition));
                }
            }
            // The other conditions of a node are all problems.
            Some(_) if holds => reasons.push(explain(condition)),
            _ => {}
        }
    }
    if ready.is_none() {
        reasons.insert(0, "its kubelet has not reported its state yet".into());
    }
    let addresses = node["status"]["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
    let internal = addresses.iter().find(|address| address["type"] == "InternalIP");
    let kubelet = node["status"]["nodeInfo"]["kubeletVersion"].as_str().unwrap_or_default();
    NodeView {
        name: node["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        ready: ready.unwrap_or(false),
        reasons,
        kubelet: kubelet.to_owned(),
        version: kubelet.parse().ok(),
        labels: texts(&node["metadata"]["labels"]),
        taints: node["spec"]["taints"].as_array().into_iter().flatten().map(taint).collect(),
        internal_ip: internal.and_then(|address| address["address"].as_str()).and_then(|ip| ip.parse().ok()),
        unschedulable: node["spec"]["unschedulable"] == true,
    }
}

fn texts(map: &Value) -> BTreeMap<String, String> {
    let entries = map.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn taint(taint: &Value) -> String {
    let text = |key: &str| taint[key].as_str().unwrap_or_default();
    match text("value") {
        "" => format!("{}:{}", text("key"), text("effect")),
        value => format!("{}={value}:{}", text("key"), text("effect")),
    }
}

fn missing(nodes: &[NodeView], expected: &NodesExpected) -> Vec<String> {
    let gap = |name: &String| {
        let Some(node) = nodes.iter().find(|node| node.name == *name) else {
            return Some(format!("node {name} has not registered"));
        };
        if !node.ready {
            return Some(format!("node {name} is not Ready: {}", node.reasons.join("; ")));
        }
        match (expected.version, node.version) {
            (Some(wanted), Some(found)) if wanted == found => None,
            (None, _) => None,
            (Some(wanted), Some(found)) => Some(format!("node {name} runs kubelet {found}, not {wanted}")),
            (Some(wanted), None) => Some(format!("node {name} reports no version, and should run kubelet {wanted}")),
        }
    };
    expected.names.iter().filter_map(gap).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, ready: &str, version: &str) -> Value {
        json!({"metadata": {"name": name, "labels": {"rack": "r1"}},
            "spec": {"unschedulable": true, "taints": [{"key": "a", "effect": "NoSchedule"},
                {"key": "b", "value": "c", "effect": "NoExecute"}]},
            "status": {"nodeInfo": {"kubeletVersion": version},
                "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": "10.0.0.1"}],
                "conditions": [
                    {"type": "DiskPressure", "status": "True", "reason": "Full", "message": "disk is full"},
                    {"type": "MemoryPressure", "status": "False", "reason": "Enough", "message": "enough"},
                    {"type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": "no network"}]}})
    }

    #[test]
    fn a_view_holds_what_matters() {
        insta::assert_debug_snapshot!(view(&node("m1", "False", "v1.20.2")));
    }

    #[test]
    fn every_gap_is_named_and_nothing_else() {
        let nodes = [
            view(&node("ready", "True", "v1.20.2")),
            view(&node("sick", "Unknown", "v1.20.2")),
            view(&node("old", "True", "v1.19.0")),
            view(&json!({"metadata": {"name": "fresh"}})),
        ];
        let names = ["ready", "sick", "old", "fresh", "absent"].map(String::from).to_vec();
        let expected = NodesExpected { names, version: Some(KubeVersion::new(1, 20, 2)) };
        insta::assert_snapshot!(missing(&nodes, &expected).join("\n"));
        let expected = NodesExpected { names: vec!["ready".into(), "old".into()], version: None };
        assert!(missing(&nodes, &expected).is_empty());
    }
}
