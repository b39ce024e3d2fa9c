//! `etcd members`, `defrag`, `alarm`, `move-leader` and `replace`: one member at a time, and none while another is unwell.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::api::ApiAccess;
use super::etcd;
use super::execution::Execution;
use super::failure::{HostFailure, RunError};
use super::fleet::{Fleet, Member, unexpected};
use super::subject::{Subject, connect};
use super::survey::Survey;
use super::wait::Wait;
use super::{lock, order};
use crate::cluster::{HostName, Role};
use crate::host::protocol::{EtcdMember, MemberAct, Reply, ToAgent};
use crate::pki::Renewal;
use crate::report::Events;

/// How long a member may take to be well again after it was worked on.
const RECOVERY: Duration = Duration::from_secs(180);
/// Share of the quota that must be free before writes are let in again: what is written at once would fill it up.
const FREE: u64 = 10;

/// A member, as its own host sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Its host.
    pub host: HostName,
    /// What it says; nothing where it does not answer.
    pub view: Option<EtcdMember>,
    /// Why it does not answer.
    pub failure: Option<String>,
}

/// Looks at every member. Changes nothing.
pub async fn members(subject: &Subject<'_>, events: &Events) -> Vec<MemberStatus> {
    let hosts = subject.cluster.with_role(Role::Etcd);
    let (fleet, unreachable) = Fleet::connect(hosts, subject.connector, subject.parallel, events).await;
    let views = etcd::views(&fleet, |_| true).await;
    let status = |host: &crate::cluster::Host| MemberStatus {
        host: host.name.clone(),
        view: views.ok.get(&host.name).cloned(),
        failure: unreachable
            .iter()
            .chain(&views.failed)
            .find(|failure| failure.host.as_ref() == Some(&host.name))
            .map(|failure| failure.failure.to_string()),
    };
    subject.cluster.with_role(Role::Etcd).map(status).collect()
}

/// The members of a cluster that are about to be worked on: all of them are there, and nobody else works on them.
struct Members {
    fleet: Fleet,
}

impl Members {
    async fn take(subject: &Subject<'_>, verb: &str, events: &Events) -> Result<Self, RunError> {
        let fleet = connect(subject, events).await?;
        lock::take(&fleet, verb).await?;
        Ok(Self { fleet })
    }

    /// What all of them say, if they are one cluster that is well. Alarms count as well: they are what is to be mended.
    async fn views(&self) -> Result<BTreeMap<HostName, EtcdMember>, RunError> {
        let views = etcd::views(&self.fleet, |_| true).await;
        if !views.failed.is_empty() {
            return Err(RunError::Failed(views.failed));
        }
        Ok(views.ok)
    }

    async fn act(&self, host: &HostName, act: MemberAct) -> Result<(), RunError> {
        let Some(member) = self.fleet.member(host) else { return Ok(()) };
        let (what, endpoint) = (act.to_string(), etcd::endpoint(&member.host));
        done(member, &what, ToAgent::Member { endpoint, act }).await
    }

    /// Until all members are well, be they full or not: space is given back while there is none.
    async fn wait_but_full(&self, subject: &Subject<'_>, what: &str, events: &Events) -> Result<(), RunError> {
        let size = subject.cluster.with_role(Role::Etcd).count();
        let hint = "on the etcd hosts: journalctl -u etcd; then run the same command again";
        let wait =
            Wait { stage: what, what: "all members to be well", limit: RECOVERY, hint, fleet: &self.fleet, events };
        let well = wait.until(async || Ok(etcd::unwell_but_full(&self.fleet, size).await)).await;
        well.map_err(RunError::Failed)
    }

    /// Until all of them are one cluster again.
    async fn wait(&self, subject: &Subject<'_>, what: &str, events: &Events) -> Result<(), RunError> {
        let size = subject.cluster.with_role(Role::Etcd).count();
        let hint = "on the etcd hosts: journalctl -u etcd; then run the same command again";
        let wait =
            Wait { stage: what, what: "all members to be well", limit: RECOVERY, hint, fleet: &self.fleet, events };
        let well = wait.until(async || Ok(etcd::unwell(&self.fleet, size).await)).await;
        well.map_err(RunError::Failed)
    }
}

async fn done(member: &Member, what: &str, request: ToAgent) -> Result<(), RunError> {
    let failed = |failure| RunError::Failed(vec![HostFailure::of(&member.host.name, failure)]);
    match member.ask(what, request).await {
        Ok(Reply::Done) => Ok(()),
        Ok(other) => Err(failed(unexpected(what, &other))),
        Err(failure) => Err(failed(failure)),
    }
}

/// What defragmenting gave back, by host: bytes before and after.
pub type Defragmented = Vec<(HostName, u64, u64)>;

/// Gives the space of what is no longer there back to the disks: followers first, the leader last, each only while all
/// others are well.
pub async fn defragment(subject: &Subject<'_>, events: &Events) -> Result<Defragmented, RunError> {
    let members = Members::take(subject, "etcd defrag", events).await?;
    let views = members.views().await?;
    let mut hosts: Vec<_> = views.iter().collect();
    hosts.sort_by_key(|(_, view)| etcd::leads(view));
    let mut all = Vec::new();
    for (host, view) in hosts {
        members.wait_but_full(subject, "defragment", events).await?;
        let began = Instant::now();
        members.act(host, MemberAct::Defragment).await?;
        members.wait_but_full(subject, "defragment", events).await?;
        let after = members.views().await?.get(host).map_or(0, |view| view.db_size);
        events.note(format!("{host}: defragmented in {:.1} s", began.elapsed().as_secs_f64()));
        all.push((host.clone(), view.db_size, after));
    }
    Ok(all)
}

/// Lets writes in again after there was no space for them. Refused while there still is none.
pub async fn disarm(subject: &Subject<'_>, events: &Events) -> Result<(), RunError> {
    let members = Members::take(subject, "etcd alarm", events).await?;
    let views = members.views().await?;
    let quota = subject.cluster.etcd.quota_bytes;
    let full: Vec<_> = views
        .iter()
        .filter(|(_, view)| view.db_size > quota - quota / FREE)
        .map(|(host, view)| {
            let why = format!("its database has {} bytes of {quota}", view.db_size);
            let failure = HostFailure::of(
                host,
                crate::host::protocol::Failure { what: "disarm an alarm of etcd".into(), why, hint: None },
            );
            failure.hint(
                "delete what is not needed and give its space back with `kubewright etcd defrag`, or raise \
                 spec.etcd.quota and run `kubewright install`; then run the same command again",
            )
        })
        .collect();
    if !full.is_empty() {
        return Err(RunError::Failed(full));
    }
    let Some(host) = views.keys().next() else { return Ok(()) };
    members.act(host, MemberAct::Disarm).await?;
    members.wait(subject, "alarm", events).await
}

/// Makes the member on `host` the leader.
pub async fn move_leader(subject: &Subject<'_>, host: &HostName, events: &Events) -> Result<(), RunError> {
    let members = Members::take(subject, "etcd move-leader", events).await?;
    let views = members.views().await?;
    let what = "move the leader of etcd";
    let target = views.get(host).ok_or_else(|| no_member(what, host))?;
    if etcd::leads(target) {
        return Ok(());
    }
    let leader = views.iter().find(|(_, view)| etcd::leads(view)).and_then(|(leader, _)| members.fleet.member(leader));
    let leader = leader.ok_or_else(|| HostFailure::cluster(what, "no member leads").hint(SEE_MEMBERS))?;
    let endpoint = etcd::endpoint(&leader.host);
    done(leader, what, ToAgent::MoveLeader { endpoint, target: target.member.clone() }).await?;
    members.wait(subject, "move-leader", events).await
}

const SEE_MEMBERS: &str = "`kubewright etcd members` shows what each of them says";

fn no_member(what: &str, host: &HostName) -> HostFailure {
    let hint = "name a host with the role etcd; `kubewright etcd members` lists the members";
    HostFailure::cluster(what, format!("{host} has no member of etcd")).hint(hint)
}

/// Takes the member on `host` out, and lets it in again without its data: it gets them anew from the others.
pub async fn replace(subject: &Subject<'_>, host: &HostName, events: &Events) -> Result<(), RunError> {
    let what = "replace a member of etcd";
    let members = Members::take(subject, "etcd replace", events).await?;
    let member = members.fleet.member(host).filter(|member| member.host.roles.contains(Role::Etcd));
    let member = member.ok_or_else(|| no_member(what, host))?;
    let size = subject.cluster.with_role(Role::Etcd).count();
    let unwell = etcd::unwell(&members.fleet, size).await;
    let others: Vec<_> = unwell.into_iter().filter(|line| !order::is_about(line, &member.host)).collect();
    if size < 3 || others.iter().any(|line| !line.contains("started voters")) {
        let why = if size < 3 { "two others at least are needed".to_owned() } else { others.join("; ") };
        let hint = "bring the other members back first; nothing was changed";
        return Err(HostFailure::cluster(what, why).hint(hint).into());
    }
    done(member, what, ToAgent::SetAside).await?;
    let (cluster, fleet) = (subject.cluster, &members.fleet);
    let survey = &Survey::take(subject, fleet, Renewal::Due).await?;
    let api = &ApiAccess::new(cluster, fleet, &survey.keys);
    let execution = Execution::of(subject, fleet, survey, api, events);
    execution.membership("members").await.map_err(RunError::Failed)?;
    members.wait(subject, "members", events).await
}
