//! Makes the members of etcd those of the inventory, one step at a time; each is proven before the next is thought of.

use std::collections::BTreeSet;
use std::time::Duration;

use super::etcd;
use super::execution::Execution;
use super::failure::HostFailure;
use super::fleet::{Member, unexpected};
use super::wait::Wait;
use crate::cluster::{Host, HostName, Role};
use crate::desired;
use crate::desired::state::Part;
use crate::host::protocol::{EtcdMember, Join, ListedMember, MemberAct, Probe, Probed, Reply, ToAgent};
use crate::plan::membership::{self, Known, MembershipStep, Wanted};

/// Where a member has its data.
const DATA: &str = "/var/lib/etcd/member";
/// More than any change of five members takes.
const STEPS: usize = 40;
/// How long members may take to agree to a change.
const SETTLING: Duration = Duration::from_secs(90);
/// How long a member may take to get what the others have: gigabytes over a slow line.
const CATCHING_UP: Duration = Duration::from_secs(1800);

const LOST: &str = "a majority is lost: start the others again, or restore a snapshot with `kubewright etcd restore`";

impl Execution<'_> {
    /// Does what is missing; the number of steps that were taken.
    pub(super) async fn membership(&self, stage: &str) -> Result<usize, Vec<HostFailure>> {
        if !self.etcd_was_formed() {
            return Ok(0);
        }
        self.led(stage).await?;
        for taken in 0..STEPS {
            let (wanted, known, speaker) = self.members().await?;
            let step = membership::next(&wanted, &known);
            let step = step.map_err(|why| vec![HostFailure::cluster("change the members of etcd", why)])?;
            let Some(step) = step else { return Ok(taken) };
            self.events.note(format!("{}: {}", stage, title(&step)));
            self.take(stage, &step, &known, &speaker).await?;
        }
        let endless = HostFailure::cluster("change the members of etcd", format!("no end after {STEPS} steps"));
        Err(vec![endless.hint("see `kubewright etcd members`, then run the same command again")])
    }

    /// Whether members have been one cluster before: from then on none of them begins by itself.
    fn etcd_was_formed(&self) -> bool {
        self.survey.facts.values().any(|facts| facts.etcd_joined)
    }

    /// Until a member knows a leader: those whose certificates had ended, and were just renewed, need a moment to find each
    /// other again.
    async fn led(&self, stage: &str) -> Result<(), Vec<HostFailure>> {
        let what = "a member of etcd that knows a leader";
        let wait = Wait { stage, what, limit: SETTLING, hint: LOST, fleet: self.fleet, events: self.events };
        wait.until(async || {
            let views = etcd::views(self.fleet, |_| true).await;
            if views.ok.values().any(|view| view.leader.is_some()) {
                return Ok(Vec::new());
            }
            let failed = views.failed.iter().map(ToString::to_string);
            let alone = views.ok.keys().map(|host| format!("{host}: etcd has no leader"));
            Ok(failed.chain(alone).collect())
        })
        .await
    }

    /// What the inventory wants, what members know of each other, and who of them can be spoken to.
    async fn members(&self) -> Result<(Vec<Wanted>, Vec<Known>, HostName), Vec<HostFailure>> {
        let views = etcd::views(self.fleet, |_| true).await;
        let well = |view: &EtcdMember| view.leader.is_some();
        // One without a vote does not know the others.
        let speaker = views
            .ok
            .iter()
            .filter(|(_, view)| well(view) && !view.members.is_empty())
            .max_by_key(|(_, view)| view.raft_index);
        let Some((speaker, view)) = speaker else {
            let none = HostFailure::cluster("change the members of etcd", "no member answers and knows a leader");
            return Err([views.failed, vec![none.hint(LOST)]].concat());
        };
        // As it is now: what a survey has found may have changed with the last step.
        let with_data = self.with_data().await?;
        let wanted = |host: &Host| Wanted {
            host: host.name.clone(),
            peer_url: desired::etcd_peer_url(host),
            has_data: with_data.contains(&host.name),
            well: views.ok.get(&host.name).is_some_and(well),
        };
        let known = |member: &ListedMember| Known {
            id: member.id.clone(),
            name: member.name.clone(),
            peer_urls: member.peer_urls.clone(),
            learner: member.learner,
        };
        let wanted = self.cluster.with_role(Role::Etcd).map(wanted).collect();
        Ok((wanted, view.members.iter().map(known).collect(), speaker.clone()))
    }

    /// Hosts of etcd on which a member's data are.
    async fn with_data(&self) -> Result<BTreeSet<HostName>, Vec<HostFailure>> {
        let look = async |member: &Member| match member.probe(Probe::Files { paths: vec![DATA.to_owned()] }).await? {
            Probed::Missing { names } => Ok(names.is_empty()),
            other => Err(unexpected("look for the data of etcd", &other)),
        };
        let found = self.fleet.each(|host| host.roles.contains(Role::Etcd), look).await.all()?;
        Ok(found.into_iter().filter(|(_, there)| *there).map(|(host, _)| host).collect())
    }

    async fn take(
        &self,
        stage: &str,
        step: &MembershipStep,
        known: &[Known],
        speaker: &HostName,
    ) -> Result<(), Vec<HostFailure>> {
        match step {
            MembershipStep::Remove { id, .. } => {
                let what = "the members of etcd to let one go";
                self.patiently(stage, what, SETTLING, speaker, MemberAct::Remove { id: id.clone() }).await
            }
            MembershipStep::Add { host } => {
                // What it needs to run comes first: a learner that never starts is in the way of the next change.
                let member = self.reached(host)?;
                let prepared = self.bring_about(stage, self.parts(&[Part::Etcd], &member.host), member).await;
                prepared.map_err(|failure| vec![HostFailure::of(host, failure)])?;
                let peer_url = desired::etcd_peer_url(&member.host);
                let what = "the members of etcd to let one in";
                self.patiently(stage, what, SETTLING, speaker, MemberAct::Add { peer_url }).await
            }
            MembershipStep::Start { host } => self.start(stage, host, known).await,
            MembershipStep::Promote { id, host } => {
                let what = format!("{host} to have what the other members have");
                self.patiently(stage, &what, CATCHING_UP, speaker, MemberAct::Promote { id: id.clone() }).await
            }
        }
    }

    async fn start(&self, stage: &str, host: &HostName, known: &[Known]) -> Result<(), Vec<HostFailure>> {
        let member = self.reached(host)?;
        let failed = |failure| vec![HostFailure::of(host, failure)];
        self.bring_about(stage, self.parts(&[Part::Etcd], &member.host), member).await.map_err(failed)?;
        let own = desired::etcd_peer_url(&member.host);
        let entry = |known: &Known| {
            let name = if known.peer_urls.contains(&own) { host.as_str() } else { known.name.as_str() };
            known.peer_urls.iter().map(|url| format!("{name}={url}")).collect::<Vec<_>>().join(",")
        };
        let initial_cluster = known.iter().map(entry).collect::<Vec<_>>().join(",");
        let what = "start its member of etcd";
        match member.ask(what, ToAgent::Join(Join { initial_cluster })).await {
            Ok(Reply::Done) => Ok(()),
            Ok(other) => Err(failed(unexpected(what, &other))),
            Err(failure) => Err(failed(failure)),
        }
    }

    /// Members refuse what comes too early: a few seconds after each change, they only watch whether all are there.
    async fn patiently(
        &self,
        stage: &str,
        what: &str,
        limit: Duration,
        speaker: &HostName,
        act: MemberAct,
    ) -> Result<(), Vec<HostFailure>> {
        let hint = "on the hosts of etcd: journalctl -u etcd; then run the same command again";
        let wait = Wait { stage, what, limit, hint, fleet: self.fleet, events: self.events };
        wait.until(async || {
            let done = self.act(speaker, act.clone()).await;
            Ok(done.err().into_iter().flatten().map(|failure| failure.to_string()).collect())
        })
        .await
    }

    async fn act(&self, speaker: &HostName, act: MemberAct) -> Result<(), Vec<HostFailure>> {
        let member = self.reached(speaker)?;
        let (what, endpoint) = (act.to_string(), etcd::endpoint(&member.host));
        match member.ask(&what, ToAgent::Member { endpoint, act }).await {
            Ok(Reply::Done) => Ok(()),
            Ok(other) => Err(vec![HostFailure::of(speaker, unexpected(&what, &other))]),
            Err(failure) => Err(vec![HostFailure::of(speaker, failure)]),
        }
    }

    fn reached(&self, host: &HostName) -> Result<&Member, Vec<HostFailure>> {
        let gone = || {
            let silent = HostFailure::cluster("change the members of etcd", format!("{host} does not answer"));
            vec![silent.hint("see that the host is up and can be reached, then run the same command again")]
        };
        self.fleet.member(host).ok_or_else(gone)
    }
}

fn title(step: &MembershipStep) -> String {
    match step {
        MembershipStep::Remove { name, why, .. } => format!("{name} is taken out of etcd: {why}"),
        MembershipStep::Add { host } => format!("{host} is added to etcd, without a vote"),
        MembershipStep::Start { host } => format!("{host} gets etcd's data from the other members"),
        MembershipStep::Promote { host, .. } => format!("{host} gets its vote"),
    }
}
