//! The way of blobs as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::cluster::DistributionMode;

/// How the blobs of the cluster image get to the hosts, and what is kept there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecDistribution {
    /// From where hosts take blobs; what does not come that way comes from the machine that runs kubewright.
    #[schemars(extend("default" = "auto"))]
    pub(in crate::inventory) mode: Option<DistributionMode>,
    /// Most that a host gives to the others in a second.
    #[schemars(extend("default" = "400MiB"))]
    pub(in crate::inventory) rate_limit: Option<String>,
    /// TCP port on which hosts give blobs to each other; it must be open between them, and only while a run distributes
    /// blobs does something listen there.
    #[schemars(range(min = 1, max = 65535), extend("default" = 10380))]
    pub(in crate::inventory) port: Option<u16>,
    /// Versions of each component and of each container image that stay on a host, those of `spec.image` included.
    /// Whatever is in use stays anyway.
    #[schemars(range(min = 1, max = 100), extend("default" = 2))]
    pub(in crate::inventory) retain: Option<u32>,
}
