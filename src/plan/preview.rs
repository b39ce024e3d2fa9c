//! What an upgrade or its way back is about to do, as data: shown before anybody is asked whether it may.

use std::collections::BTreeMap;

use serde::Serialize;

use super::path::Path;
use super::preflight::Finding;
use crate::cluster::HostName;

/// What is about to happen.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// Versions before and after.
    pub path: Path,
    /// What is done on which hosts, in order.
    pub order: Vec<Turn>,
    /// What restarts where: units, and static pods by the name of their manifest.
    pub restarts: BTreeMap<String, Vec<HostName>>,
    /// Most bytes that go to hosts: what they have already is not sent.
    pub bytes: u64,
    /// What to know before saying yes.
    pub warnings: Vec<Finding>,
}

/// One stage with the hosts that have something to do in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// Name of the stage.
    pub stage: &'static str,
    /// Hosts, in the waves in which they change.
    pub waves: Vec<Vec<HostName>>,
    /// Whether nodes are emptied before.
    pub drained: bool,
}
