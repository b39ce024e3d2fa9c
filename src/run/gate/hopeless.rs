//! Sees early that what was just changed will not come up by itself, so that nobody waits for a deadline.

use super::super::execution::Execution;
use super::super::failure::HostFailure;
use super::crash::Crashes;
use crate::cluster::{Host, HostName, Role};
use crate::host::protocol::Failure;
use crate::plan::{Gate, OnFailure, Stage};

/// What one wait has seen of crashes.
pub(super) struct Hopeless {
    /// The unit that the gate is about.
    unit: Option<Crashes>,
    /// Nodes whose static pods are new; none where nothing is put back, and the operator may still mend it in time.
    pods_on: Vec<HostName>,
}

impl Hopeless {
    pub(super) fn new(stage: &Stage, gate: Gate, wave: &[&Host]) -> Self {
        let pods = matches!(gate, Gate::ApiServersReady | Gate::ControlPlaneRunning);
        let watched = if pods && stage.on_failure == OnFailure::PutBack { wave } else { &[] };
        let pods_on = watched.iter().map(|host| host.name.clone()).collect();
        let unit = match gate {
            Gate::EtcdHealthy => Some(Crashes::of("etcd.service", |host| host.roles.contains(Role::Etcd))),
            Gate::KubeletsHealthy | Gate::NodesUpgraded => {
                Some(Crashes::of("kubelet.service", |host| host.roles.is_node()))
            }
            _ => None,
        };
        Self { unit, pods_on }
    }

    /// Fails with what keeps crashing.
    pub(super) async fn look(&mut self, run: &Execution<'_>) -> Result<(), Vec<HostFailure>> {
        if let Some(crashes) = &mut self.unit {
            let crashing = crashes.look(run.fleet).await;
            if !crashing.is_empty() {
                return Err(crashing);
            }
        }
        let mut failures = Vec::new();
        for host in &self.pods_on {
            for crash in run.api.hopeless_pods(host).await {
                let failure = Failure { what: "start the new static pods".into(), why: crash, hint: None };
                failures.push(HostFailure::of(host, failure));
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }
}
