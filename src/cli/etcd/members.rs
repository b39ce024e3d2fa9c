//! `kubewright etcd members`, `defrag`, `alarm`, `move-leader` and `replace`.

use serde_json::json;

use clap_complete::ArgValueCompleter;

use super::super::session::SessionArgs;
use super::super::{Exit, Failure};
use crate::cli::grammar::hosts_of_inventory;
use crate::cluster::HostName;
use crate::report;
use crate::run::{self, MemberStatus};

/// Show the members of etcd: who leads, versions, sizes, how far each is, alarms
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all answer and report nothing, 1 not so, 65 invalid inventory")]
pub(in crate::cli) struct MembersArgs {
    #[command(flatten)]
    session: SessionArgs,
}

/// Give the space of deleted data back to the disks: one member at a time, the leader last, each while the others are well
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DefragArgs {
    #[command(flatten)]
    session: SessionArgs,
}

/// Show alarms, or let writes in again after the database was full
///
/// When etcd's database has reached its quota, etcd takes no more writes until the alarm is disarmed. Give space back
/// first, with `kubewright etcd defrag`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct AlarmArgs {
    #[command(flatten)]
    session: SessionArgs,
    /// Let writes in again; refused while the database is still nearly full
    #[arg(long)]
    disarm: bool,
}

/// Make the member on a host the leader
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct MoveLeaderArgs {
    #[command(flatten)]
    session: SessionArgs,
    /// The host
    #[arg(add = ArgValueCompleter::new(hosts_of_inventory))]
    #[arg(value_name = "HOST")]
    host: String,
}

/// Give the member on a host its data anew from the others
///
/// For a member whose data are damaged, or differ. It is taken out, joins again without a vote, gets everything from the
/// others, and then its vote. What it had stays on its disk, as /var/lib/etcd/replaced-TIME. A member that has lost its
/// disk, or another host in its place, needs no more than `kubewright install`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ReplaceArgs {
    #[command(flatten)]
    session: SessionArgs,
    /// The host
    #[arg(add = ArgValueCompleter::new(hosts_of_inventory))]
    #[arg(value_name = "HOST")]
    host: String,
}

impl MembersArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        let members = session.run("etcd-members", async |subject, events| Ok(run::members(subject, events).await))?;
        let table = report::table(&HEAD, &members.iter().map(row).collect::<Vec<_>>());
        session.tell(&table, &serde_json::to_value(&members)?);
        let well = |member: &MemberStatus| member.view.as_ref().is_some_and(|view| view.errors.is_empty());
        Ok(if members.iter().all(well) { Exit::Done } else { Exit::Code(1) })
    }
}

impl DefragArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        let all = session.run("etcd-defrag", async |subject, events| run::defragment(subject, events).await)?;
        let line = |(host, before, after): &(HostName, u64, u64)| {
            format!("{host}: {} → {}", report::mebibytes(*before), report::mebibytes(*after))
        };
        let as_json = |(host, before, after): &(HostName, u64, u64)| json!({"host": host.as_str(), "before": before, "after": after});
        let lines: Vec<_> = all.iter().map(line).collect();
        session.tell(&lines.join("\n"), &all.iter().map(as_json).collect());
        Ok(Exit::Done)
    }
}

impl AlarmArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        if self.disarm {
            session.run("etcd-alarm", async |subject, events| run::disarm(subject, events).await)?;
            session.tell("no alarm any more", &json!([]));
            return Ok(Exit::Done);
        }
        let members = session.run("etcd-alarm", async |subject, events| Ok(run::members(subject, events).await))?;
        let reported = |member: &MemberStatus| {
            let errors = member.view.iter().flat_map(|view| view.errors.clone());
            errors.chain(member.failure.clone()).map(|why| (member.host.to_string(), why)).collect::<Vec<_>>()
        };
        let told: Vec<_> = members.iter().flat_map(reported).collect();
        let lines: Vec<_> = told.iter().map(|(host, why)| format!("{host}: {why}")).collect();
        let text = if told.is_empty() { "no alarm".to_owned() } else { lines.join("\n") };
        session.tell(&text, &told.iter().map(|(host, why)| json!({"host": host, "reports": why})).collect());
        Ok(if told.is_empty() { Exit::Done } else { Exit::Code(1) })
    }
}

impl MoveLeaderArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let (session, host) = (self.session.load()?, parse(&self.host)?);
        session.run("etcd-move-leader", async |subject, events| run::move_leader(subject, &host, events).await)?;
        session.tell(&format!("{host} leads"), &json!({"leader": host.as_str()}));
        Ok(Exit::Done)
    }
}

impl ReplaceArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let (session, host) = (self.session.load()?, parse(&self.host)?);
        session.run("etcd-replace", async |subject, events| run::replace(subject, &host, events).await)?;
        session.tell(&format!("{host} is a member with new data"), &json!({"replaced": host.as_str()}));
        Ok(Exit::Done)
    }
}

fn parse(host: &str) -> Result<HostName, Failure> {
    HostName::parse(host).map_err(|why| Failure::usage(format!("{host:?} {why}")))
}

const HEAD: [&str; 9] = ["HOST", "ID", "ROLE", "VERSION", "SIZE", "IN USE", "TERM", "INDEX", "REPORTS"];

fn row(member: &MemberStatus) -> Vec<String> {
    let Some(view) = &member.view else {
        let why = member.failure.clone().unwrap_or_else(|| "no answer".to_owned());
        let dash = || "-".to_owned();
        return vec![member.host.to_string(), dash(), "down".into(), dash(), dash(), dash(), dash(), dash(), why];
    };
    let learner = view.members.iter().any(|one| one.id == view.member && one.learner);
    let role = match &view.leader {
        _ if learner => "learner",
        None => "no leader",
        Some(leader) if *leader == view.member => "leader",
        Some(_) => "follower",
    };
    vec![
        member.host.to_string(),
        view.member.clone(),
        role.to_owned(),
        view.version.clone(),
        report::mebibytes(view.db_size),
        report::mebibytes(view.db_in_use),
        view.raft_term.to_string(),
        view.raft_index.to_string(),
        if view.errors.is_empty() { "-".to_owned() } else { view.errors.join("; ") },
    ]
}
