//! What a run remembers before it changes a living cluster: what every host was, and a snapshot of etcd.

use super::etcd;
use super::execution::Execution;
use super::failure::HostFailure;
use super::fleet::{Member, unexpected};
use crate::cluster::Role;
use crate::desired::state::Part;
use crate::host::protocol::{Failure, Reply, ToAgent};
use crate::kube::Api;
use crate::plan::{Gate, Stage};
use crate::report;

impl Execution<'_> {
    /// Has a host remember what `parts` are now. Nothing counts as changed by that.
    pub(super) async fn keep(&self, parts: &[Part], member: &Member) -> Result<usize, Failure> {
        let what = "keep what the host runs now";
        let upgrade = self.upgrade.clone();
        let parts = self.parts(parts, &member.host);
        match member.ask(what, ToAgent::Keep { upgrade, parts }).await? {
            Reply::Done => Ok(0),
            other => Err(unexpected(what, &other)),
        }
    }

    /// Has the API remember what the cluster's objects are now; nothing counts as changed by that. The hosts keep theirs
    /// after it: where they know of an upgrade, the API does.
    pub(super) async fn keep_objects(&self) -> Result<usize, Vec<HostFailure>> {
        let keep = async |api: &Api| api.keep_objects(&self.upgrade.to, &self.survey.objects).await;
        self.api.call("keep the cluster's objects", keep).await.map(|()| 0)
    }

    /// Applies what is kept of the cluster's objects.
    pub(super) async fn put_objects_back(&self, stage: &Stage) -> Result<usize, Vec<HostFailure>> {
        let kept = async |api: &Api| api.kept_objects(&self.upgrade.to).await;
        let objects = self.api.call("read what is kept of the cluster's objects", kept).await?;
        self.api.apply_objects(&objects, stage.name, self.events).await
    }

    /// Copies a host's configuration and keys aside, and on one member of etcd saves a snapshot.
    pub(super) async fn back_up(&self, stage: &Stage, member: &Member) -> Result<usize, Failure> {
        let what = "back the host up";
        let name = self.backup.clone();
        let copied = match member.ask(what, ToAgent::Backup { name: name.clone() }).await? {
            Reply::BackedUp { created, .. } => usize::from(created),
            other => return Err(unexpected(what, &other)),
        };
        if !member.host.roles.contains(Role::Etcd)
            || etcd::snapshot_host(self).await.as_ref() != Some(&member.host.name)
        {
            return Ok(copied);
        }
        let what = "save a snapshot of etcd";
        let endpoint = etcd::endpoint(&member.host);
        match member.ask(what, ToAgent::Snapshot { name, endpoint }).await? {
            Reply::Snapshot { path, bytes, .. } => {
                let (host, size) = (&member.host.name, report::mebibytes(bytes));
                self.events.note(format!("{}: etcd saved on {host}: {path}, {size}, verified", stage.name));
                Ok(copied + 1)
            }
            other => Err(unexpected(what, &other)),
        }
    }

    /// Before the member that leads etcd restarts, another one takes over: the pause is shorter than an election.
    pub(super) async fn hand_over_leadership(&self, stage: &Stage, member: &Member) -> Result<(), Failure> {
        if stage.gate != Some(Gate::EtcdHealthy) {
            return Ok(());
        }
        let Some(target) = etcd::successor(self, &member.host.name).await else { return Ok(()) };
        let endpoint = etcd::endpoint(&member.host);
        let asked = member.ask("hand over the leadership of etcd", ToAgent::MoveLeader { endpoint, target }).await;
        if let Err(failure) = asked {
            // It only saves a pause: an election does the same.
            self.events.note(format!("{}: {failure}", member.host.name));
        }
        Ok(())
    }
}
