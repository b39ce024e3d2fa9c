//! Sees early that what was just changed will not come up by itself, so that nobody waits for a deadline.

use super::super::execution::Execution;
use super::super::failure::HostFailure;
use super::crash::Crashes;
use crate::cluster::{Host, HostName};
use crate::host::protocol::Failure;
use crate::plan::{Gate, OnFailure, Stage};

/// What one wait has seen of crashes.
pub(super) struct Hopeless {
    gate: Gate,
    /// Nodes whose static pods are new; none where nothing is put back, and the operator may still mend it in time.
    pods_on: Vec<HostName>,
    kubelets: Crashes,
}

impl Hopeless {
    pub(super) fn new(stage: &Stage, gate: Gate, wave: &[&Host]) -> Self {
        let pods = matches!(gate, Gate::ApiServersReady | Gate::ControlPlaneRunning);
        let watched = if pods && stage.on_failure == OnFailure::PutBack { wave } else { &[] };
        let pods_on = watched.iter().map(|host| host.name.clone()).collect();
        Self { gate, pods_on, kubelets: Crashes::of("kubelet.service") }
    }

    /// Fails with what keeps crashing.
    pub(super) async fn look(&mut self, run: &Execution<'_>) -> Result<(), Vec<HostFailure>> {
        if matches!(self.gate, Gate::KubeletsHealthy | Gate::NodesUpgraded) {
            let crashing = self.kubelets.look(run.fleet, |host| host.roles.is_node()).await;
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
