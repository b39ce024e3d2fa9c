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
}
