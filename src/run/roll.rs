//! Nodes are emptied before what runs their pods changes, and opened again when they have proven themselves. Only what
//! this installer has cordoned is opened: an administrator's own cordon stays.

use super::execution::Execution;
use super::failure::HostFailure;
use super::fleet::Member;
use super::rolling::Rolling;
use super::survey::Survey;
use crate::cluster::{Cluster, Host, HostName};
use crate::desired::state::{Part, ProxyConfiguration};
use crate::host::protocol::{Change, Failure};
use crate::plan::{Stage, Work};

/// Parts that disturb pods whatever changes of them.
const DISTURBING: &[Part] = &[Part::Runtime, Part::Kubelet];

/// Whether bringing `parts` about disturbs the pods of `host`.
pub(super) fn disturbs(survey: &Survey, host: &HostName, parts: &[Part]) -> bool {
    let differing = survey.changes.get(host).into_iter().flatten().filter(|changes| parts.contains(&changes.part));
    differing.into_iter().any(|changes| {
        let is_mode = |change: &Change| change.resource.starts_with(ProxyConfiguration::RULES);
        DISTURBING.contains(&changes.part) || (changes.part == Part::Proxy && changes.changes.iter().any(is_mode))
    })
}

/// The nodes that are emptied on the way through `stages`.
pub(super) fn emptied(stages: &[Stage], cluster: &Cluster, survey: &Survey, rolling: &Rolling) -> Vec<String> {
    let mut emptied = Vec::new();
    for stage in stages.iter().filter(|stage| matches!(stage.work, Work::Roll(_))) {
        let hosts = cluster.hosts.iter().filter(|host| stage.hosts.selects(host) && rolling.includes(stage, host));
        let changing = hosts.filter(|host| disturbs(survey, &host.name, stage.work.parts()));
        emptied.extend(changing.map(|host| host.name.to_string()));
    }
    emptied
}

impl Execution<'_> {
    /// Empties the node of `member`, where its pods are about to be disturbed by `parts`.
    pub(super) async fn empty(&self, stage: &Stage, parts: &[Part], member: &Member) -> Result<(), Failure> {
        let name = &member.host.name;
        if !disturbs(self.survey, name, parts) {
            return Ok(());
        }
        let why = format!("change to {} {}", self.image.manifest.name, self.version());
        self.api.drain(name, &why, &self.rolling.drain, stage.name, self.events).await
    }

    /// Opens the nodes of `hosts`, as far as we have closed them, and clears away what proved them.
    pub(super) async fn open(&self, hosts: &[&Host]) -> Vec<HostFailure> {
        let (canaries, cordoned) = match futures::join!(self.api.canaries(), self.api.cordoned_by_us()) {
            (Ok(canaries), Ok(cordoned)) => (canaries, cordoned),
            (canaries, cordoned) => return [canaries.err(), cordoned.err()].into_iter().flatten().flatten().collect(),
        };
        let is_in = |nodes: &[String], host: &Host| nodes.iter().any(|node| node == host.name.as_str());
        let mut failures = Vec::new();
        for host in hosts {
            if is_in(&canaries, host) {
                failures.extend(self.api.remove_canary(&host.name).await.err().into_iter().flatten());
            }
            if is_in(&cordoned, host) {
                failures.extend(self.api.open(&host.name).await.err().into_iter().flatten());
            }
        }
        failures
    }

    /// Opens the nodes that an interrupted run has finished and left cordoned.
    pub(super) async fn open_finished(&self, stage: &Stage, parts: &[Part]) -> Result<usize, Vec<HostFailure>> {
        let hosts = self.cluster.hosts.iter().filter(|host| stage.hosts.selects(host));
        let finished: Vec<&Host> = hosts.filter(|host| !self.survey.differs(&host.name, parts)).collect();
        let cordoned = self.api.cordoned_by_us().await?;
        let left: Vec<&Host> =
            finished.into_iter().filter(|host| cordoned.iter().any(|node| node == host.name.as_str())).collect();
        let failures = self.open(&left).await;
        if failures.is_empty() { Ok(left.len()) } else { Err(failures) }
    }
}
