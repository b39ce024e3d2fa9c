//! The section `upgrade` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Text;
use crate::cluster::Evictable;

/// How an upgrade goes through the nodes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecUpgrade {
    /// Most workers out of service at a time: a number, or a share such as `10%`. Two racks are never touched at once.
    #[schemars(extend("default" = "10%"))]
    pub(in crate::inventory) max_unavailable: Option<Text>,
    /// How a node is emptied before its kubelet or its runtime changes.
    pub(in crate::inventory) drain: Option<SpecDrain>,
}

/// How a node is emptied.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecDrain {
    /// How long pods may take to go, PodDisruptionBudgets included.
    #[schemars(extend("default" = "5m"))]
    pub(in crate::inventory) timeout: Option<String>,
    /// What becomes of pods with emptyDir volumes, which are lost with the pod.
    #[schemars(extend("default" = "evict"))]
    pub(in crate::inventory) empty_dirs: Option<Evictable>,
    /// What becomes of pods that no controller would start elsewhere.
    #[schemars(extend("default" = "refuse"))]
    pub(in crate::inventory) unmanaged: Option<Evictable>,
}
