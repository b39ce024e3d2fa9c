//! How a run goes through the nodes of a cluster: how many may be out of service, how they are emptied, and which of the
//! workers are meant.

use std::collections::BTreeSet;

use crate::cluster::{Drain, Host, HostName, MaxUnavailable, Upgrade};
use crate::plan::{Pace, Stage};

/// The inventory's word on upgrades, and what the operator says for this run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rolling {
    /// Most workers out of service at a time.
    pub max_unavailable: MaxUnavailable,
    /// How a node is emptied.
    pub drain: Drain,
    /// The workers of this run; all of them when absent.
    pub only: Option<BTreeSet<HostName>>,
}

impl Rolling {
    /// What the inventory says.
    pub fn of(upgrade: &Upgrade) -> Self {
        Self { max_unavailable: upgrade.max_unavailable, drain: upgrade.drain.clone(), only: None }
    }

    /// Whether `host` is meant when `stage` goes through the workers. Other stages are for all of their hosts.
    pub(super) fn includes(&self, stage: &Stage, host: &Host) -> bool {
        stage.pace != Pace::Waves || self.only.as_ref().is_none_or(|only| only.contains(&host.name))
    }
}
