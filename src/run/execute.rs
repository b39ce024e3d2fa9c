//! Runs a plan's stages: each as soon as those before it are done, each proven by its gate.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::execution::Execution;
use super::failure::{HostFailure, RunError};
use super::fleet::{Member, unexpected};
use super::{checkpoint, distribute, etcd, gate, order, roll};
use crate::cluster::Host;
use crate::desired::state::{Part, PartState};
use crate::host::protocol::{self, Failure, Reply, ToAgent};
use crate::plan::{Gate, Hosts, OnFailure, Pace, Stage, Work};
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
        stages.iter().filter(|stage| !stage.work.is_at_the_api()).map(|stage| stage.name).collect()
    }

    async fn stage(&self, stage: &Stage) -> (StageResult, Vec<HostFailure>) {
        let hosts: Vec<&Host> = self.cluster.hosts.iter().filter(|host| self.concerns(stage, host)).collect();
        let names = hosts.iter().map(|host| host.name.to_string()).collect();
        self.told(stage.name, names, self.work(stage, hosts)).await
    }

    /// Does the `work` of the stage called `stage` on `hosts`, which gives the number of changes and what failed, and
    /// tells of both.
    pub(super) async fn told(
        &self,
        stage: &'static str,
        hosts: Vec<String>,
        work: impl Future<Output = (usize, Vec<HostFailure>)>,
    ) -> (StageResult, Vec<HostFailure>) {
        let began = Instant::now();
        self.events.send(Event::StageStarted { stage: stage.into(), hosts });
        checkpoint::pass(&format!("{stage}:start"));
        let (changed, failures) = work.await;
        for failed in &failures {
            let host = failed.host.as_ref().map_or_else(|| "cluster".to_owned(), ToString::to_string);
            self.events.send(Event::HostFailed { stage: stage.into(), host, failure: failed.failure.clone() });
        }
        checkpoint::pass(&format!("{stage}:done"));
        self.made.fetch_add(changed, Ordering::Relaxed);
        let took = began.elapsed();
        self.events.send(Event::StageFinished { stage: stage.into(), changed, took, ok: failures.is_empty() });
        (StageResult { stage, changed, took }, failures)
    }

    /// Whether `host` has something to do in `stage`.
    pub(super) fn concerns(&self, stage: &Stage, host: &Host) -> bool {
        stage.hosts.selects(host)
            && match stage.work {
                Work::Converge(parts) => self.survey.differs(&host.name, parts),
                // A host that stays as it is must forget what it was before an earlier upgrade: a way back takes all of them.
                Work::Keep(_) => self.survey.changes_hosts(),
                Work::Roll(parts) => self.survey.differs(&host.name, parts) && self.rolling.includes(stage, host),
                Work::Backup => self.survey.changes.get(&host.name).is_some_and(|changes| !changes.is_empty()),
                Work::Distribute => !self.blobs(host).is_empty(),
                // At the API, or nowhere.
                _ => false,
            }
    }

    pub(super) fn blobs(&self, host: &Host) -> BTreeSet<crate::image::Blob> {
        let changes = self.survey.changes.get(&host.name).map_or(&[][..], Vec::as_slice);
        self.survey.states.get(&host.name).map(|state| distribute::needed(state, changes)).unwrap_or_default()
    }

    async fn work(&self, stage: &Stage, hosts: Vec<&Host>) -> (usize, Vec<HostFailure>) {
        let mut changed = match self.at_the_api(stage).await {
            Ok(changed) => changed,
            Err(failures) => return (0, failures),
        };
        let waves = self.waves(stage, hosts).await;
        for (index, wave) in waves.iter().enumerate() {
            if waves.len() > 1 {
                let hosts = wave.iter().map(|host| host.name.to_string()).collect();
                let (number, of) = (index + 1, waves.len());
                self.events.send(Event::WaveStarted { stage: stage.name.into(), number, of, hosts });
            }
            if let (Some(gate), Pace::Careful(_), [host]) = (stage.gate, stage.pace, wave.as_slice())
                && let Err(failures) = gate::wait_for_others(self, stage, gate, host).await
            {
                return (changed, failures);
            }
            let later = waves[index + 1..].concat();
            let (more, failures) = self.wave(stage, wave, &later).await;
            changed += more;
            if !failures.is_empty() {
                let failures = match stage.on_failure {
                    OnFailure::Stop => failures,
                    OnFailure::PutBack => self.put_back(stage, wave, failures).await,
                };
                return (changed, failures);
            }
        }
        (changed, Vec::new())
    }

    async fn at_the_api(&self, stage: &Stage) -> Result<usize, Vec<HostFailure>> {
        match stage.work {
            Work::Keep(_) if self.survey.changes_hosts() => self.keep_objects().await,
            Work::Membership => self.membership(stage.name).await,
            Work::Access => self.api.apply_access(&self.survey.objects, stage.name, self.events).await,
            Work::Objects => {
                let removed = self.api.remove_left_checks(stage.name, self.events).await?;
                Ok(removed + self.api.apply_objects(&self.survey.objects, stage.name, self.events).await?)
            }
            Work::PutObjectsBack => self.put_objects_back(stage).await,
            Work::Nodes => self.api.apply_nodes(&self.survey.nodes, stage.name, self.events).await,
            Work::Roll(parts) => self.open_finished(stage, parts).await,
            Work::Peering => self.peer(stage).await,
            Work::Addons => self.apply_addons(stage).await,
            Work::Network => self.prove_network(stage).await,
            _ => Ok(0),
        }
    }

    /// The order in which hosts are changed; one empty wave where there is nothing to change, so that the gate alone
    /// proves that all is well.
    pub(super) async fn waves<'h>(&self, stage: &Stage, hosts: Vec<&'h Host>) -> Vec<Vec<&'h Host>> {
        let mut waves = stage.pace.waves(hosts, &Look { run: self, stage });
        if waves.is_empty() {
            waves.push(Vec::new());
        }
        if let (Some(gate), true) = (stage.gate.filter(|gate| gate.guards_quorum()), waves.len() > 1) {
            if gate == Gate::EtcdHealthy
                && let Some(leader) = etcd::leader(self).await
            {
                order::leader_last(&mut waves, &leader);
            }
            let missing = gate::observe(self, gate, &[]).await;
            order::unwell_first(&mut waves, &missing);
        }
        waves
    }

    async fn wave(&self, stage: &Stage, wave: &[&Host], later: &[&Host]) -> (usize, Vec<HostFailure>) {
        if stage.work == Work::Distribute {
            return self.distribute(stage, wave).await;
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
        let changed = outcomes.ok.values().sum::<usize>();
        if !outcomes.failed.is_empty() {
            return (changed, outcomes.failed);
        }
        checkpoint::pass(&format!("{}:converged", stage.name));
        if let Some(gate) = stage.gate
            && let Err(failures) = gate::wait(self, stage, gate, wave, later).await
        {
            return (changed, failures);
        }
        match stage.work {
            Work::Roll(_) => (changed, self.open(wave).await),
            _ => (changed, Vec::new()),
        }
    }

    /// Blobs of all hosts of a wave together: they may give them to each other.
    async fn distribute(&self, stage: &Stage, hosts: &[&Host]) -> (usize, Vec<HostFailure>) {
        let needs = hosts.iter().map(|host| (host.name.clone(), self.blobs(host))).collect();
        let registry = self.image.origin().map(distribute::Registry::of);
        let job = distribute::Job {
            fleet: self.fleet,
            blob_path: &|blob| self.image.blob_path(blob),
            settings: &self.cluster.distribution,
            registry: registry.as_ref(),
            stage: stage.name,
            events: self.events,
        };
        let outcomes = job.run(&needs).await;
        (outcomes.ok.values().sum(), outcomes.failed)
    }

    async fn on_host(&self, stage: &Stage, member: &Member) -> Result<usize, Failure> {
        match stage.work {
            Work::Converge(parts) => {
                self.hand_over_leadership(stage, member).await?;
                self.converge(stage, parts, member).await
            }
            Work::Roll(parts) => {
                self.empty(stage, parts, member).await?;
                self.converge(stage, parts, member).await
            }
            Work::Keep(parts) => self.keep(parts, member).await,
            Work::Backup => self.back_up(stage, member).await,
            _ => Ok(0),
        }
    }

    async fn converge(&self, stage: &Stage, parts: &[Part], member: &Member) -> Result<usize, Failure> {
        self.bring_about(stage.name, self.parts(parts, &member.host), member).await
    }

    /// What `host` should be, as far as `parts` go.
    pub(super) fn parts(&self, parts: &[Part], host: &Host) -> Vec<PartState> {
        let state = self.survey.states.get(&host.name);
        parts.iter().filter_map(|part| state.and_then(|state| state.part(*part))).cloned().collect()
    }

    /// Has a host bring `parts` about; returns the number of changes.
    pub(super) async fn bring_about(
        &self,
        stage: &str,
        parts: Vec<PartState>,
        member: &Member,
    ) -> Result<usize, Failure> {
        let (name, host, events) = (stage.to_owned(), member.host.name.to_string(), self.events.clone());
        let mut on_event = move |event: protocol::Event| {
            let (stage, host) = (name.clone(), host.clone());
            events.send(match event {
                // Nothing is fetched here.
                protocol::Event::Fetched { .. } => return,
                protocol::Event::Changing { resource, .. } => Event::Working { stage, host, on: resource },
                protocol::Event::Changed { change, .. } => Event::Changed { stage, host, change },
            });
        };
        match member.ask_with(stage, ToAgent::Converge { parts }, &mut on_event).await? {
            Reply::Changes { parts } => Ok(parts.iter().map(|part| part.changes.len()).sum()),
            other => Err(unexpected(stage, &other)),
        }
    }
}

/// What the pace of a stage looks at.
struct Look<'a> {
    run: &'a Execution<'a>,
    stage: &'a Stage,
}

impl Hosts for Look<'_> {
    fn is_active(&self, host: &Host, unit: &str) -> bool {
        let units = self.run.survey.facts.get(&host.name).map(|facts| &facts.units);
        units.and_then(|units| units.get(unit)).is_some_and(|state| state == "active")
    }

    fn is_disturbed(&self, host: &Host) -> bool {
        roll::disturbs(self.run.survey, &host.name, self.stage.work.parts())
    }

    fn width(&self) -> usize {
        let hosts = self.run.cluster.hosts.iter().filter(|host| self.stage.hosts.selects(host));
        self.run.rolling.max_unavailable.of(hosts.count())
    }
}
