//! Brings labels, taints and pod network to nodes.

use std::collections::HashMap;

use ::kube::api::ListParams;
use serde_json::{Map, Value, json};

use super::api::Api;
use super::change::ObjectChange;
use super::marks::{self, Marking, NodeMarks};
use super::nodes::NODES;
use super::operation::Operation;
use super::{KubeError, concurrency};

/// Kubelets and controllers write to nodes, too; each collision costs one read.
pub(super) const ATTEMPTS: u32 = 5;

impl Api {
    /// What [`Api::apply_nodes`] would do, one change per label, taint or pod network. A node that has not registered
    /// lacks everything. A pod network that cannot be changed any more is an error beside the changes.
    pub async fn diff_nodes(&self, marks: &[NodeMarks]) -> Result<Vec<ObjectChange>, KubeError> {
        let live = self.live_nodes(marks).await?;
        KubeError::collect(marks.iter().map(|marks| {
            let Marking { changes, failure, .. } =
                marks::compare(marks, live.get(marks.name.as_str()).unwrap_or(&Value::Null));
            outcome(changes, failure)
        }))
    }

    /// Brings the marks to their nodes and returns what that changed. Marks of others stay; ours that are no longer
    /// wanted go. Nodes that are as wanted are not written.
    pub async fn apply_nodes(&self, marks: &[NodeMarks]) -> Result<Vec<ObjectChange>, KubeError> {
        let live = &self.live_nodes(marks).await?;
        let work = marks.iter().map(|marks| self.apply_node(marks, live.get(&marks.name).cloned()));
        let results = concurrency::all(work.collect()).await;
        KubeError::collect(results)
    }

    /// The nodes by name: one of them by itself, several with one list.
    async fn live_nodes(&self, marks: &[NodeMarks]) -> Result<HashMap<String, Value>, KubeError> {
        let nodes = match marks {
            [] => Vec::new(),
            [one] => match self.read_node(&one.name).await {
                Ok(node) => vec![node],
                Err(error) if error.is_not_found() => Vec::new(),
                Err(error) => return Err(error),
            },
            _ => self.list(NODES, "the nodes", ListParams::default()).await?,
        };
        let named = |node: Value| Some((node["metadata"]["name"].as_str()?.to_owned(), node));
        Ok(nodes.into_iter().filter_map(named).collect())
    }

    pub(super) async fn read_node(&self, name: &str) -> Result<Value, KubeError> {
        self.send(NODES, &format!("Node {name}"), Operation::Read { name }).await
    }

    async fn apply_node(&self, marks: &NodeMarks, live: Option<Value>) -> Result<Vec<ObjectChange>, KubeError> {
        // An apply would create a node that is not there, so the read that says so must come first.
        let mut live = match live {
            Some(live) => live,
            None => self.read_node(&marks.name).await?,
        };
        let Marking { changes, failure, .. } = marks::compare(marks, &live);
        let mut attempts = 0;
        loop {
            let marking = marks::compare(marks, &live);
            match self.write_marks(marks, &live, marking).await {
                Ok(()) => return outcome(changes, failure),
                Err(error) if error.is_conflict() && attempts < ATTEMPTS => {
                    attempts += 1;
                    live = self.read_node(&marks.name).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn write_marks(&self, marks: &NodeMarks, live: &Value, marking: Marking) -> Result<(), KubeError> {
        let object = format!("Node {}", marks.name);
        let mut version = live["metadata"]["resourceVersion"].clone();
        if let Some(labels) = &marking.labels {
            let operation = Operation::Apply { name: &marks.name, object: labels };
            let labelled = self.send(NODES, &object, operation).await?;
            // Anything but our labels that changed since the read is a conflict for the taints.
            if labelled["spec"]["taints"] == live["spec"]["taints"] {
                version = labelled["metadata"]["resourceVersion"].clone();
            }
        }
        if let Some(rest) = marking.rest {
            let patch = on_condition(rest, version);
            self.send(NODES, &object, Operation::Merge { name: &marks.name, patch: &patch }).await?;
        }
        Ok(())
    }
}

/// A patch that holds only for the version that was read.
pub(super) fn on_condition(patch: Map<String, Value>, version: Value) -> Value {
    let mut patch = Value::Object(patch);
    let metadata = &mut patch["metadata"];
    if !metadata.is_object() {
        *metadata = json!({});
    }
    metadata["resourceVersion"] = version;
    patch
}

fn outcome(changes: Vec<ObjectChange>, failure: Option<KubeError>) -> Result<Vec<ObjectChange>, KubeError> {
    match failure {
        None => Ok(changes),
        Some(failure) => Err(KubeError::Several { changes, failures: vec![failure] }),
    }
}
