//! The cluster's DNS as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::cluster::DnsServer;

/// The cluster's DNS.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecDns {
    /// Who answers.
    #[schemars(extend("default" = "coredns"))]
    pub(in crate::inventory) server: Option<DnsServer>,
    /// Name servers for names outside of the cluster, as ADDRESS or ADDRESS:PORT; the nodes' own when left out.
    pub(in crate::inventory) upstreams: Option<Vec<String>>,
    /// Name servers for names in these domains.
    pub(in crate::inventory) stub_domains: Option<BTreeMap<String, Vec<String>>>,
    /// Longest time for which an answer is kept.
    #[schemars(extend("default" = "30s"))]
    pub(in crate::inventory) cache: Option<String>,
    /// How many there are; by default two, and one more for every 64 nodes.
    #[schemars(range(min = 1, max = 100))]
    pub(in crate::inventory) replicas: Option<u32>,
    /// Instead of `replicas`: an autoscaler in the cluster says how many there are. The cluster image needs
    /// `cluster-proportional-autoscaler` for it.
    pub(in crate::inventory) autoscale: Option<SpecAutoscale>,
    /// Whether each node has a cache of its own, which pods ask first: at 169.254.20.10. The cluster image needs
    /// `k8s-dns-node-cache` for it. Pods that run already go on asking whom they asked when they started.
    #[schemars(extend("default" = false))]
    pub(in crate::inventory) node_local: Option<bool>,
}

/// How an autoscaler counts servers of the DNS: one for each so many processors or nodes, whichever makes more.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecAutoscale {
    /// Processors for each.
    #[schemars(range(min = 1), extend("default" = 256))]
    pub(in crate::inventory) cores_per_replica: Option<u32>,
    /// Nodes for each.
    #[schemars(range(min = 1), extend("default" = 16))]
    pub(in crate::inventory) nodes_per_replica: Option<u32>,
    /// At least so many.
    #[schemars(range(min = 1), extend("default" = 2))]
    pub(in crate::inventory) min: Option<u32>,
    /// At most so many.
    #[schemars(range(min = 1), extend("default" = 20))]
    pub(in crate::inventory) max: Option<u32>,
}
