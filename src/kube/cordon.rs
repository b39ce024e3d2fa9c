//! Keeps new pods away from a node, and lets them in again.

use serde_json::json;

use super::KubeError;
use super::api::Api;
use super::nodes::NODES;
use super::operation::Operation;

/// What a cordon or uncordon found. A node that an administrator had cordoned is not ours to open again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cordon {
    /// The node was in the other state, and has been changed.
    Changed,
    /// The node was so already.
    AlreadySo,
}

impl Api {
    /// Keeps new pods away from `node`.
    pub async fn cordon(&self, node: &str) -> Result<Cordon, KubeError> {
        self.set_unschedulable(node, true).await
    }

    /// Lets new pods onto `node` again.
    pub async fn uncordon(&self, node: &str) -> Result<Cordon, KubeError> {
        self.set_unschedulable(node, false).await
    }

    async fn set_unschedulable(&self, node: &str, wanted: bool) -> Result<Cordon, KubeError> {
        let live = self.read_node(node).await?;
        if live["spec"]["unschedulable"].as_bool().unwrap_or(false) == wanted {
            return Ok(Cordon::AlreadySo);
        }
        let patch = json!({"spec": {"unschedulable": wanted.then_some(true)}});
        self.send(NODES, &format!("Node {node}"), Operation::Merge { name: node, patch: &patch }).await?;
        Ok(Cordon::Changed)
    }
}
