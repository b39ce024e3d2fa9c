//! Sees early that what was just changed will not come up by itself, so that nobody waits for a deadline.

use super::super::execution::Execution;
use super::super::failure::HostFailure;
use super::crash::{Crashes, Restarted};
use crate::cluster::{Host, HostName, Role};
use crate::host::protocol::Failure;
use crate::plan::{Gate, OnFailure, Stage};

/// What one wait has seen of crashes.
pub(super) struct Hopeless {
    /// What the gate is about, where it may keep crashing.
    restarted: Option<Crashes>,
    /// Nodes whose static pods are new; none where nothing is put back, and the operator may still mend it in time.
    pods_on: Vec<HostName>,
    on_failure: OnFailure,
}

impl Hopeless {
    pub(super) fn new(run: &Execution<'_>, stage: &Stage, gate: Gate, wave: &[&Host]) -> Self {
        let hosts = |select: fn(&Host) -> bool| {
            run.cluster.hosts.iter().filter(|host| select(host)).map(|host| host.name.clone()).collect::<Vec<_>>()
        };
        let changed = || wave.iter().map(|host| host.name.clone()).collect::<Vec<_>>();
        let puts_back = stage.on_failure == OnFailure::PutBack;
        let restarted = match gate {
            Gate::EtcdHealthy => {
                Some(Crashes::of(Restarted::Unit("etcd.service"), hosts(|host| host.roles.contains(Role::Etcd))))
            }
            Gate::KubeletsHealthy | Gate::NodesUpgraded => {
                Some(Crashes::of(Restarted::Unit("kubelet.service"), hosts(|host| host.roles.is_node())))
            }
            Gate::ApiServersReady if puts_back => Some(Crashes::of(Restarted::StaticPod("kube-apiserver"), changed())),
            _ => None,
        };
        let pods = matches!(gate, Gate::ApiServersReady | Gate::ControlPlaneRunning) && puts_back;
        let pods_on = if pods { changed() } else { Vec::new() };
        Self { restarted, pods_on, on_failure: stage.on_failure }
    }

    /// Fails with what keeps crashing.
    pub(super) async fn look(&mut self, run: &Execution<'_>) -> Result<(), Vec<HostFailure>> {
        let mut failures = Vec::new();
        if let Some(crashes) = &mut self.restarted {
            let crashing = crashes.look(run.fleet).await;
            let failure = |(host, lines): (HostName, String)| {
                HostFailure::of(&host, failure(crashes.what, &lines, self.on_failure))
            };
            failures.extend(crashing.into_iter().map(failure));
        }
        for host in &self.pods_on {
            for crash in run.api.hopeless_pods(host).await {
                let failure = Failure { what: "start the new static pods".into(), why: crash, hint: None };
                failures.push(HostFailure::of(host, failure));
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }
}

fn failure(what: Restarted, last_lines: &str, on_failure: OnFailure) -> Failure {
    let (what, log) = match what {
        Restarted::Unit(unit) => (format!("unit {unit}"), format!("journalctl -u {unit}")),
        Restarted::StaticPod(name) => (format!("static pod {name}"), format!("/var/log/pods/kube-system_{name}-*")),
    };
    match on_failure {
        // The last lines are told when it is put back.
        OnFailure::PutBack => Failure { what, why: "it keeps crashing".into(), hint: None },
        OnFailure::Stop => {
            let why = match last_lines {
                "" => "it keeps crashing, and says nothing".to_owned(),
                lines => format!("it keeps crashing; its last lines:\n{lines}"),
            };
            let hint = Some(format!("see {log} on the host; then run the same command again"));
            Failure { what, why, hint }
        }
    }
}
