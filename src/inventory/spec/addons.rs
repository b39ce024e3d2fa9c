//! Add-ons as written.

use schemars::JsonSchema;
use serde::Deserialize;

/// Objects of Kubernetes that are kept in the cluster beside what it needs itself. An object that leaves an add-on, or
/// whose add-on leaves this list, is removed; namespaces, volumes and CustomResourceDefinitions only with
/// `--prune everything`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecAddon {
    /// Its name, in lower case, unique in the cluster.
    #[schemars(required)]
    pub(in crate::inventory) name: Option<String>,
    /// File or directory of manifests on this machine; relative paths start at the directory of the inventory. Left out,
    /// they are in the component of this name of the cluster image.
    pub(in crate::inventory) path: Option<String>,
    /// Whether the files are templates (Jinja), filled with `cluster`, `nodes` and `images`.
    #[schemars(extend("default" = false))]
    pub(in crate::inventory) template: Option<bool>,
    /// Where objects go that name no namespace and live in one.
    #[schemars(extend("default" = "default"))]
    pub(in crate::inventory) namespace: Option<String>,
    /// Add-ons whose workloads run before this one is applied.
    pub(in crate::inventory) after: Option<Vec<String>>,
}
