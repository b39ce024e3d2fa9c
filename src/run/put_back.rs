//! A host that does not pass its gate is put back on what it ran before: the files that were kept of it, programs and
//! images that are still on its disk. The run stops there, with the reason.

use super::execution::Execution;
use super::failure::HostFailure;
use super::fleet::{Member, unexpected};
use super::{gate, order};
use crate::cluster::Host;
use crate::desired::state::PartState;
use crate::host::protocol::{Failure, LogOf, Probe, Probed, Reply, ToAgent, Upgrade};
use crate::plan::{Gate, Stage, Work};

impl Execution<'_> {
    /// Puts the hosts of `wave` back that `failures` are about, opens the others, and tells all of it.
    pub(super) async fn put_back(&self, stage: &Stage, wave: &[&Host], failures: Vec<HostFailure>) -> Vec<HostFailure> {
        let unwell = self.unwell(stage, wave, &failures).await;
        let (back, well): (Vec<&Host>, Vec<&Host>) =
            wave.iter().partition(|host| unwell.iter().any(|one| one.name == host.name));
        let mut told = Vec::new();
        for host in &back {
            let reason = reason(&failures, host);
            told.push(self.put_back_one(stage, host, reason).await);
        }
        if matches!(stage.work, Work::Roll(_)) {
            told.extend(self.open(&well).await);
        }
        if back.is_empty() { failures } else { told }
    }

    /// The hosts of `wave` that failed themselves, or of which the gate still lacks something.
    async fn unwell<'h>(&self, stage: &Stage, wave: &[&'h Host], failures: &[HostFailure]) -> Vec<&'h Host> {
        let failed = |host: &&&Host| failures.iter().any(|failure| failure.host.as_ref() == Some(&host.name));
        let own: Vec<&Host> = wave.iter().filter(failed).copied().collect();
        if !own.is_empty() || wave.len() == 1 {
            return if own.is_empty() { wave.to_vec() } else { own };
        }
        let Some(gate) = stage.gate else { return wave.to_vec() };
        let missing = gate::unproven(self, gate, wave).await;
        let about = |host: &&&Host| missing.iter().any(|line| order::is_about(line, host));
        let lacking: Vec<&Host> = wave.iter().filter(about).copied().collect();
        if lacking.is_empty() { wave.to_vec() } else { lacking }
    }

    async fn put_back_one(&self, stage: &Stage, host: &Host, reason: String) -> HostFailure {
        let what = format!("change {}", stage.name);
        let failure = |why: String, hint: String| {
            HostFailure::of(&host.name, Failure { what: what.clone(), why, hint: Some(hint) })
        };
        let Some(member) = self.fleet.member(&host.name) else {
            return failure(reason, "the host is gone; run the same command again when it is back".into());
        };
        let why = with_last_words(reason, last_words(stage, member).await);
        match self.restore(stage, member).await {
            Ok(()) => failure(
                why,
                format!(
                    "{} is back on what it ran before, and well; mend the cause and run the same command again, or \
                     return the whole cluster with `kubewright upgrade --rollback`",
                    host.name
                ),
            ),
            Err(error) => failure(
                why,
                format!(
                    "and it could not be put back: {error}; what it ran before is kept on it, so \
                     `kubewright upgrade --rollback` tries again"
                ),
            ),
        }
    }

    /// Brings what was kept about again, and waits until it serves.
    async fn restore(&self, stage: &Stage, member: &Member) -> Result<(), String> {
        let text = |failure: Failure| failure.to_string();
        let wanted = stage.work.parts();
        let (_, kept) = kept(member).await.map_err(text)?;
        let parts: Vec<PartState> =
            wanted.iter().filter_map(|part| kept.iter().find(|state| state.part == *part)).cloned().collect();
        if parts.is_empty() {
            return Err("nothing was kept of it".into());
        }
        self.events.note(format!("{}: putting {} back", member.host.name, stage.name));
        self.bring_about(stage.name, parts, member).await.map_err(text)?;
        if let Some(gate) = stage.gate {
            let all =
                |failures: Vec<HostFailure>| failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            gate::wait_restored(self, stage.name, gate, &member.host).await.map_err(all)?;
        }
        if let Work::Roll(_) = stage.work {
            let failures = self.open(&[&member.host]).await;
            if let Some(failure) = failures.first() {
                return Err(failure.to_string());
            }
        }
        Ok(())
    }
}

/// What was kept of a host, and for which upgrade.
pub(super) async fn kept(member: &Member) -> Result<(Option<Upgrade>, Vec<PartState>), Failure> {
    let what = "read what was kept of the host";
    match member.ask(what, ToAgent::Kept).await? {
        Reply::Kept { upgrade, parts } => Ok((upgrade, parts)),
        other => Err(unexpected(what, &other)),
    }
}

/// Everything that failed about `host`, or about the wave as a whole.
fn reason(failures: &[HostFailure], host: &Host) -> String {
    let about = |failure: &&HostFailure| failure.host.as_ref().is_none_or(|name| *name == host.name);
    failures.iter().filter(about).map(|failure| failure.failure.to_string()).collect::<Vec<_>>().join("\n")
}

/// The end of a log, and whose it is.
struct LastWords {
    of: &'static str,
    lines: Vec<String>,
}

/// The end of the log of what did not come up, before it is put back.
async fn last_words(stage: &Stage, member: &Member) -> Option<LastWords> {
    let unit = |name: &str| LogOf::Unit { name: name.to_owned() };
    let pod = |name: &str| LogOf::Container { pod: format!("{name}-{}", member.host.name), container: name.to_owned() };
    let (of, log) = match stage.gate? {
        Gate::EtcdHealthy => ("etcd.service", unit("etcd.service")),
        Gate::ApiServersReady => ("kube-apiserver", pod("kube-apiserver")),
        Gate::ControlPlaneRunning => ("kube-controller-manager", pod("kube-controller-manager")),
        Gate::NodesUpgraded => ("kubelet.service", unit("kubelet.service")),
        Gate::ControllersHealthy | Gate::KubeletsHealthy | Gate::NodesReady | Gate::WorkloadsAvailable => return None,
    };
    match member.probe(Probe::Log(log)).await {
        Ok(Probed::Log { lines }) => Some(LastWords { of, lines }),
        _ => None,
    }
}

/// The reason, and the end of the log below it, where the reason does not have it already: what keeps crashing has said
/// the same again since.
fn with_last_words(reason: String, words: Option<LastWords>) -> String {
    let Some(LastWords { of, lines }) = words else { return reason };
    let told = |line: &String| reason.lines().any(|told| told.trim() == line.trim());
    if lines.first().is_none_or(told) {
        return reason;
    }
    let indented: Vec<String> = lines.iter().map(|line| format!("    {line}")).collect();
    format!("{reason}\nlast lines of {of}:\n{}", indented.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;

    #[test]
    fn a_host_hears_its_own_reasons_and_those_of_all() {
        let fixture = Fixture::new(36);
        let failure = |why: &str| Failure { what: "etcd".into(), why: why.into(), hint: None };
        let failures = [
            HostFailure::of(&fixture.host("m1").name, failure("broken")),
            HostFailure::of(&fixture.host("m2").name, failure("elsewhere")),
            HostFailure::cluster("wait", "not within 300 s"),
        ];
        assert_eq!(reason(&failures, fixture.host("m1")), "etcd: broken\nwait: not within 300 s");
    }

    #[test]
    fn no_line_of_a_log_is_told_twice() {
        let words = |lines: &[&str]| {
            Some(LastWords { of: "etcd.service", lines: lines.iter().map(|line| (*line).to_owned()).collect() })
        };
        let told = |reason: &str, lines: &[&str]| with_last_words(reason.to_owned(), words(lines));
        assert_eq!(told("it is not ready", &["a", "b"]), "it is not ready\nlast lines of etcd.service:\n    a\n    b");
        assert_eq!(told("it crashes; its last lines:\n10:01 a\n10:01 b", &["10:01 b", "10:02 a"]).lines().count(), 3);
        assert_eq!(told("it is not ready", &[]), "it is not ready");
        assert_eq!(with_last_words("it is not ready".to_owned(), None), "it is not ready");
    }
}
