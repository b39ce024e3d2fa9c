//! One difference between what is wanted and what the API has.

use std::fmt;

use serde::Serialize;

/// What brings an object, or one mark of a node, to what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is missing.
    Create,
    /// It differs.
    Update,
    /// It is there and no longer wanted.
    Remove,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Remove => "remove",
        })
    }
}

/// A difference, as `plan` prints it and `install` reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectChange {
    /// Kind of the object; for marks of a node `Node`.
    pub kind: String,
    /// Its namespace, where the kind has one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What is to be done.
    pub action: Action,
    /// The change in one line: `update DaemonSet kube-system/kube-proxy`, or for a mark of a node
    /// `label m1 topology.kubewright.dev/rack: r1 → (missing)`.
    pub summary: String,
    /// Unified diff of the YAML, without what the server keeps for itself and without the content of Secrets. Marks of
    /// nodes have none: their summary says it all.
    pub diff: Option<String>,
}

impl fmt::Display for ObjectChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.summary)
    }
}
