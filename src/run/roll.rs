//! Nodes are emptied before what runs their pods changes, and opened again when they have proven themselves. Only what
//! this installer has cordoned is opened: an administrator's own cordon stays.

use super::execution::Execution;
use super::failure::HostFailure;
use super::fleet::Member;
use crate::cluster::Host;
use crate::desired::state::Part;
use crate::host::protocol::Failure;
use crate::plan::Stage;

/// What disturbs pods when it changes.
pub(super) const DISTURBING: &[Part] = &[Part::Runtime, Part::Kubelet];

impl Execution<'_> {
    /// Empties the node of `member`, where its runtime or its kubelet is about to change.
    pub(super) async fn empty(&self, stage: &Stage, member: &Member) -> Result<(), Failure> {
        let name = &member.host.name;
        if !self.survey.differs(name, DISTURBING) {
            return Ok(());
        }
        let why = format!("change to {} {}", self.image.manifest.name, self.version());
        self.api.drain(name, &why, &self.rolling.drain, stage.name, self.events).await
    }

    /// Opens the nodes of `hosts`, as far as we have closed them, and clears away what proved them.
    pub(super) async fn open(&self, hosts: &[&Host]) -> Vec<HostFailure> {
        let mut failures = Vec::new();
        for host in hosts {
            failures.extend(self.api.remove_canary(&host.name).await.err().into_iter().flatten());
            failures.extend(self.api.open(&host.name).await.err().into_iter().flatten());
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
