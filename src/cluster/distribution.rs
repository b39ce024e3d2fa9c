//! How the blobs of a cluster image get to the hosts, and what is kept there.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// From where hosts take blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DistributionMode {
    /// From each other where that is worth it: many hosts lack much. Otherwise from the machine that runs kubewright.
    #[default]
    Auto,
    /// From the machine that runs kubewright.
    Push,
    /// From each other; the machine that runs kubewright sends each blob once to each data centre.
    Peers,
    /// From the registry that `spec.image` names.
    Registry,
}

/// Settings of the way of blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// From where hosts take blobs. Whatever does not come that way comes from the machine that runs kubewright.
    pub mode: DistributionMode,
    /// Most bytes in a second that a host gives to the others.
    pub rate_limit: u64,
    /// TCP port on which hosts give blobs to each other while a run distributes them.
    pub port: u16,
    /// Versions of each component, and of each container image, that stay on a host: the one of the cluster image and
    /// those before it. Whatever is in use stays anyway.
    pub retain: NonZeroU32,
}

impl Distribution {
    /// [`Distribution::port`] where the inventory names none.
    pub const PORT: u16 = 10_380;
    /// [`Distribution::rate_limit`] where the inventory names none.
    pub const RATE_LIMIT: u64 = 400 << 20;
    /// [`Distribution::retain`] where the inventory names none: the version before can be rolled back to.
    pub const RETAIN: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
}

impl Default for Distribution {
    fn default() -> Self {
        Self { mode: DistributionMode::Auto, rate_limit: Self::RATE_LIMIT, port: Self::PORT, retain: Self::RETAIN }
    }
}
