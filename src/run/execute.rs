//! Runs a plan's stages: each as soon as those before it are done, each proven by its gate.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::execution::Execution;
use super::failure::{HostFailure, RunError};
use super::fleet::{Member, unexpected};
use super::{checkpoint, distribute, gate};
use crate::cluster::Host;
use crate::desired::state::{Part, PartState};
use crate::host::protocol::{self, Failure, Reply, ToAgent};
use crate::plan::{Pace, Stage, Work};
use crate::report::Event;

/// What a stage did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageResult {
    /// Name of the stage.
    pub stage: &'static str,
    /// Changes made.
    pub changed: usize,
    /// How long it took, gate included.
    pub took: Duration,
}

impl Execution<'_> {
    /// Runs `stages`. When one fails, those already running finish, no further one starts, and every failure is told.
    pub(super) async fn run(&self, stages: &[Stage]) -> Result<Vec<StageResult>, (Vec<StageResult>, RunError)> {
        let mut waiting: Vec<&Stage> = stages.iter().collect();
        let mut done = self.foregone(stages);
        let mut results = Vec::new();
        let mut failures = Vec::new();
        let mut running = FuturesUnordered::new();
        loop {
            if failures.is_empty() {
                let (ready, later): (Vec<_>, Vec<_>) =
                    waiting.into_iter().partition(|stage| stage.after.iter().all(|name| done.contains(name)));
                waiting = later;
                running.extend(ready.into_iter().map(|stage| self.stage(stage)));
            }
            let Some((result, failed)) = running.next().await else { break };
            done.insert(result.stage);
            results.push(result);
            failures.extend(failed);
        }
        if failures.is_empty() { Ok(results) } else { Err((results, RunError::Failed(failures))) }
    }

    /// Stages that nothing has to wait for: where no host changes, they only prove what is, and may do so all at once.
    fn foregone(&self, stages: &[Stage]) -> BTreeSet<&'static str> {
        if self.cluster.hosts.iter().any(|host| stages.iter().any(|stage| self.concerns(stage, host))) {
            return BTreeSet::new();
        }
        let on_hosts = stages.iter().filter(|stage| matches!(stage.work, Work::Converge(_) | Work::Distribute));
        on_hosts.map(|stage| stage.name).collect()
    }

    async fn stage(&self, stage: &Stage) -> (StageResult, Vec<HostFailure>) {
        let began = Instant::now();
        let hosts: Vec<&Host> = self.cluster.hosts.iter().filter(|host| self.concerns(stage, host)).collect();
        let names = hosts.iter().map(|host| host.name.to_string()).collect();
        self.events.send(Event::StageStarted { stage: stage.name.into(), hosts: names });
        checkpoint::pass(&format!("{}:start", stage.name));

        let (changed, failures) = self.work(stage, hosts).await;
        for failed in &failures {
            let host = failed.host.as_ref().map_or_else(|| "cluster".to_owned(), ToString::to_string);
            let (stage, failure) = (stage.name.to_owned(), failed.failure.clone());
            self.events.send(Event::HostFailed { stage, host, failure });
        }
        checkpoint::pass(&format!("{}:done", stage.name));
        let took = began.elapsed();
        self.events.send(Event::StageFinished { stage: stage.name.into(), changed, took, ok: failures.is_empty() });
        (StageResult { stage: stage.name, changed, took }, failures)
    }

    /// Whether `host` has something to do in `stage`.
    fn concerns(&self, stage: &Stage, host: &Host) -> bool {
        stage.hosts.selects(host)
            && match stage.work {
                Work::Converge(parts) => self.survey.differs(&host.name, parts),
                Work::Distribute => !self.blobs(host).is_empty(),
                Work::Objects | Work::Nodes | Work::Prove => false,
            }
    }

    fn blobs(&self, host: &Host) -> BTreeSet<crate::image::Blob> {
        let changes = self.survey.changes.get(&host.name).map_or(&[][..], Vec::as_slice);
        self.survey.states.get(&host.name).map(|state| distribute::needed(state, changes)).unwrap_or_default()
    }

    async fn work(&self, stage: &Stage, hosts: Vec<&Host>) -> (usize, Vec<HostFailure>) {
        let api = match stage.work {
            Work::Objects => Some(self.api.apply_objects(&self.survey.objects, stage.name, self.events).await),
            Work::Nodes => Some(self.api.apply_nodes(&self.survey.nodes, stage.name, self.events).await),
            Work::Prove => Some(Ok(0)),
            Work::Converge(_) | Work::Distribute => None,
        };
        let mut changed = match api {
            Some(Ok(changed)) => changed,
            Some(Err(failures)) => return (0, failures),
            None => 0,
        };
        let active = |host: &Host, unit: &str| {
            let units = self.survey.facts.get(&host.name).map(|facts| &facts.units);
            units.and_then(|units| units.get(unit)).is_some_and(|state| state == "active")
        };
        let mut waves = stage.pace.waves(hosts, active);
        if waves.is_empty() {
            // Nothing to change; the gate alone proves that all is well.
            waves.push(Vec::new());
        }
        if let (Some(gate), true) = (stage.gate.filter(|gate| gate.guards_quorum()), waves.len() > 1) {
            let missing = gate::observe(self, gate, &[]).await;
            unwell_first(&mut waves, &missing);
        }
        for (index, wave) in waves.iter().enumerate() {
            if stage.pace != Pace::Together
                && wave.len() == 1
                && let Some(reason) = self.quorum_at_risk(stage, wave[0]).await
            {
                return (changed, vec![reason]);
            }
            let in_wave = |host: &Host| wave.iter().any(|wanted| wanted.name == host.name);
            let outcomes = self
                .fleet
                .each(in_wave, async |member| {
                    let result = self.on_host(stage, member).await;
                    let (stage, host) = (stage.name.to_owned(), member.host.name.to_string());
                    self.events.send(Event::HostDone { stage, host });
                    result
                })
                .await;
            changed += outcomes.ok.values().sum::<usize>();
            if !outcomes.failed.is_empty() {
                return (changed, outcomes.failed);
            }
            checkpoint::pass(&format!("{}:converged", stage.name));
            if let Some(gate) = stage.gate
                && let Err(failures) = gate::wait(self, stage.name, gate, wave, &waves[index + 1..].concat()).await
            {
                return (changed, failures);
            }
        }
        (changed, Vec::new())
    }

    /// Before a living member is disturbed, all the others must be well: otherwise this one may be what holds quorum.
    async fn quorum_at_risk(&self, stage: &Stage, host: &Host) -> Option<HostFailure> {
        let gate = stage.gate.filter(|gate| gate.guards_quorum())?;
        let missing = gate::observe(self, gate, &[]).await;
        let (own, others): (Vec<_>, Vec<_>) = missing.into_iter().partition(|line| is_about(line, host));
        // One that is not well itself holds no quorum.
        (own.is_empty() && !others.is_empty()).then(|| {
            let failure = Failure {
                what: format!("change {} while the cluster is alive", stage.name),
                why: format!("another member is not well: {}", others.join("; ")),
                hint: Some("bring it back first; nothing was changed on this host".into()),
            };
            HostFailure::of(&host.name, failure)
        })
    }

    async fn on_host(&self, stage: &Stage, member: &Member) -> Result<usize, Failure> {
        match stage.work {
            Work::Distribute => {
                distribute::send(member, self.image, &self.blobs(&member.host), stage.name, self.events).await
            }
            Work::Converge(parts) => self.converge(stage, parts, member).await,
            Work::Objects | Work::Nodes | Work::Prove => Ok(0),
        }
    }

    async fn converge(&self, stage: &Stage, parts: &[Part], member: &Member) -> Result<usize, Failure> {
        let state = self.survey.states.get(&member.host.name);
        let parts: Vec<PartState> =
            parts.iter().filter_map(|part| state.and_then(|state| state.part(*part))).cloned().collect();
        let (name, host, events) = (stage.name.to_owned(), member.host.name.to_string(), self.events.clone());
        let mut on_event = move |event: protocol::Event| {
            let (stage, host) = (name.clone(), host.clone());
            events.send(match event {
                protocol::Event::Changing { resource, .. } => Event::Working { stage, host, on: resource },
                protocol::Event::Changed { change, .. } => Event::Changed { stage, host, change },
            });
        };
        match member.ask_with(stage.name, ToAgent::Converge { parts }, &mut on_event).await? {
            Reply::Changes { parts } => Ok(parts.iter().map(|part| part.changes.len()).sum()),
            other => Err(unexpected(stage.name, &other)),
        }
    }
}

/// Whether a line of what is missing is about `host`.
fn is_about(line: &str, host: &Host) -> bool {
    line.starts_with(&format!("{}:", host.name))
}

/// Mends what is broken before it touches what holds the quorum.
fn unwell_first(waves: &mut [Vec<&Host>], missing: &[String]) {
    waves.sort_by_key(|wave| {
        let unwell = |host: &&Host| missing.iter().any(|line| is_about(line, host));
        // The first wave may hold several: hosts where nothing runs yet.
        !(wave.len() > 1 || wave.iter().any(unwell))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;

    #[test]
    fn who_is_not_well_comes_first() {
        let fixture = Fixture::new(36);
        let host = |name: &str| fixture.host(name);
        let order = |waves: &[Vec<&Host>]| {
            waves.iter().flatten().map(|host| host.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        let mut waves = vec![vec![host("m1")], vec![host("m2")], vec![host("m3")]];
        unwell_first(&mut waves, &["m3: apiserver does not answer".to_owned()]);
        assert_eq!(order(&waves), "m3 m1 m2");
        let mut waves = vec![vec![host("m1"), host("m2")], vec![host("m3")]];
        unwell_first(&mut waves, &["m3: etcd has no leader".to_owned()]);
        assert_eq!(order(&waves), "m1 m2 m3");
    }
}
