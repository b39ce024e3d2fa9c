//! Brings hosts the blobs that their state needs and that they lack, each from where an earlier run stopped: from here,
//! from each other, or from a registry. What does not come one way comes another.

mod carry;
mod peers;
mod registry;
pub mod schedule;
mod tally;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::checkpoint;
use super::failure::HostFailure;
use super::fleet::{Fleet, Member, Outcomes, unexpected};
use crate::cluster::{Distribution, DistributionMode, HostName};
use crate::desired::state::{HostState, Resource};
use crate::host::protocol::{Failure, PartChanges, Reply, ToAgent};
use crate::image::Blob;
use crate::report::{Event, Events};
use carry::Taker;
use peers::Peers;
pub use registry::Registry;
use schedule::{Limits, Origin, Participant, Schedule, Transfer, Verdict, Way};
use tally::Tally;
use way::Need;

/// Blobs that leave this machine at once when each has to leave only once: enough to fill the line whatever one host does,
/// and few enough that the first one soon is where others can take it.
const SEEDS: usize = 4;
/// Hosts that take a blob from one host at once.
const PEERS: usize = 3;

/// What a distribution needs to know.
pub struct Job<'a> {
    /// The hosts.
    pub fleet: &'a Fleet,
    /// Where a blob is on this machine.
    pub blob_path: &'a (dyn Fn(&Blob) -> PathBuf + Sync),
    /// How blobs travel.
    pub settings: &'a Distribution,
    /// Where hosts could take them by themselves.
    pub registry: Option<&'a Registry<'a>>,
    /// Name of the stage, for events.
    pub stage: &'a str,
    /// Where events go.
    pub events: &'a Events,
}

/// The blobs behind pending components and images of a host.
pub(super) fn needed(state: &HostState, changes: &[PartChanges]) -> BTreeSet<Blob> {
    let pending: BTreeSet<&str> =
        changes.iter().flat_map(|part| &part.changes).map(|change| change.resource.as_str()).collect();
    let resources = state.parts.iter().flat_map(|part| &part.resources);
    let carried = resources.filter_map(|resource| match resource {
        Resource::Component(component) => Some((component.title(), &component.blob)),
        Resource::Images(images) => Some((images.title(), &images.blob)),
        _ => None,
    });
    carried.filter(|(title, _)| pending.contains(title.as_str())).map(|(_, blob)| blob.clone()).collect()
}

/// Bytes of each blob that are on a host, by SHA-256.
type Have = BTreeMap<String, u64>;

impl Job<'_> {
    /// Brings every host what it `needs`; those that have all of it cost nothing. Returns how many blobs came to each.
    pub async fn run(&self, needs: &BTreeMap<HostName, BTreeSet<Blob>>) -> Outcomes<usize> {
        let all: BTreeSet<Blob> = needs.values().flatten().cloned().collect();
        if all.is_empty() {
            let ok = needs.keys().map(|name| (name.clone(), 0)).collect();
            return Outcomes { ok, failed: Vec::new() };
        }
        let among_peers = matches!(self.settings.mode, DistributionMode::Auto | DistributionMode::Peers);
        let have = self.look(&all, |name| among_peers || needs.contains_key(name)).await;
        let have_been_asked = needs.keys().filter(|name| have.ok.contains_key(*name));
        let mut outcomes =
            Outcomes { ok: have_been_asked.map(|name| (name.clone(), 0)).collect(), failed: have.failed };
        // A host that needs nothing and does not answer is not missed here.
        outcomes.failed.retain(|failed| failed.host.as_ref().is_some_and(|name| needs.contains_key(name)));
        let lacks: BTreeMap<HostName, BTreeSet<Blob>> = needs
            .iter()
            .filter_map(|(name, blobs)| Some((name.clone(), missing(blobs, have.ok.get(name)?))))
            .filter(|(_, blobs)| !blobs.is_empty())
            .collect();
        if lacks.is_empty() {
            return outcomes;
        }
        let need = Need { hosts: lacks.len(), bytes: lacks.values().flatten().map(|blob| blob.size).sum() };
        let way = way::choose(self.settings.mode, need, self.registry.is_some());
        if self.settings.mode == DistributionMode::Registry && way != Way::Registry {
            self.events.note("no registry is at hand, so the blobs are sent from here");
        }
        match self.spread(way, need, &lacks, &have.ok).await {
            Ok(tally) => {
                self.events.note(tally.summary());
                outcomes.ok.extend(tally.counts);
                for (host, failure) in tally.failures {
                    outcomes.ok.remove(&host);
                    outcomes.failed.push(HostFailure::of(&host, failure));
                }
            }
            Err(failure) => outcomes.failed.push(failure),
        }
        outcomes.failed.sort_by(|a, b| a.host.cmp(&b.host));
        outcomes
    }

    /// How much of `blobs` is on the hosts that `select` picks.
    async fn look(&self, blobs: &BTreeSet<Blob>, select: impl Fn(&HostName) -> bool) -> Outcomes<Have> {
        let what = "ask for blobs";
        self.fleet
            .each(
                |host| select(&host.name),
                async |member| match member.ask(what, ToAgent::Blobs { blobs: blobs.iter().cloned().collect() }).await?
                {
                    Reply::Blobs { have } => Ok(have),
                    other => Err(unexpected(what, &other)),
                },
            )
            .await
    }

    /// Brings the hosts what they lack.
    async fn spread(
        &self,
        way: Way,
        need: Need,
        lacks: &BTreeMap<HostName, BTreeSet<Blob>>,
        have: &BTreeMap<HostName, Have>,
    ) -> Result<Tally, HostFailure> {
        let wanted: BTreeSet<Blob> = lacks.values().flatten().cloned().collect();
        let complete = |name: &HostName| -> BTreeSet<Blob> {
            let Some(have) = have.get(name) else { return BTreeSet::new() };
            wanted.iter().filter(|blob| have.get(&blob.sha256) == Some(&blob.size)).cloned().collect()
        };
        let takes_part =
            |name: &HostName| lacks.contains_key(name) || (way == Way::Peers && !complete(name).is_empty());
        let members: Vec<&Member> = self.fleet.members().filter(|member| takes_part(&member.host.name)).collect();
        let peers = match way {
            Way::Peers => Peers::start(self, &members, &wanted).await?,
            Way::Push | Way::Registry => Peers::default(),
        };
        let sessions = if way == Way::Push { way::sessions(need) } else { 1 };
        let (mut takers, mut participants) = (BTreeMap::new(), Vec::new());
        for member in members {
            let name = &member.host.name;
            let lacks = lacks.get(name).cloned().unwrap_or_default();
            let mut takes = 1;
            if !lacks.is_empty() {
                let taker = Taker::new(self, member, &lacks, have.get(name).cloned().unwrap_or_default());
                takes = taker.open(sessions.min(lacks.len())).await;
                takers.insert(name.clone(), taker);
            }
            participants.push(Participant {
                name: name.clone(),
                place: (member.host.idc.clone(), member.host.rack.clone()),
                gives: peers.gives(name),
                takes,
                has: complete(name),
                lacks,
            });
        }
        let origin = if way == Way::Peers { SEEDS } else { self.fleet.width() * sessions };
        let schedule = Schedule::new(way, Limits { origin, peer: PEERS }, participants);
        let tally = self.play(schedule, &takers, &peers, Tally::new(lacks)).await;
        peers.stop(self).await;
        Ok(tally)
    }

    /// Carries what the schedule says, until it says nothing more.
    async fn play(
        &self,
        mut schedule: Schedule,
        takers: &BTreeMap<HostName, Taker<'_>>,
        peers: &Peers,
        mut tally: Tally,
    ) -> Tally {
        let (stage, mut running) = (self.stage, FuturesUnordered::new());
        loop {
            running.extend(schedule.begin().into_iter().map(|transfer| self.carry(takers, peers, transfer)));
            let Some((transfer, result)) = running.next().await else { return tally };
            let (stage, host) = (stage.to_owned(), transfer.to.to_string());
            match result {
                Ok(()) => {
                    schedule.done(&transfer);
                    if tally.arrived(&transfer) {
                        self.events.send(Event::HostDone { stage, host });
                    }
                    checkpoint::pass("distribute:blob");
                }
                Err(failure) if takers.get(&transfer.to).is_some_and(Taker::is_lost) => {
                    schedule.lost(&transfer);
                    tally.gave_up(&transfer, failure);
                }
                Err(failure) if schedule.failed(&transfer) == Verdict::Elsewhere => {
                    tally.fell_back(&transfer, &failure);
                    self.events.send(Event::FellBack { stage, host, failure });
                }
                Err(failure) => tally.gave_up(&transfer, failure),
            }
        }
    }

    async fn carry(
        &self,
        takers: &BTreeMap<HostName, Taker<'_>>,
        peers: &Peers,
        transfer: Transfer,
    ) -> (Transfer, Result<(), Failure>) {
        let Transfer { blob, to, from } = &transfer;
        let source = match (from, self.registry) {
            (Origin::Registry, Some(registry)) => registry.source(blob).await.map(Some),
            (Origin::Peer(from), _) => Ok(peers.source(from, to)),
            (Origin::Here | Origin::Registry, _) => Ok(None),
        };
        let result = match (takers.get(to), source) {
            (Some(taker), Ok(None)) => taker.push(blob).await,
            (Some(taker), Ok(Some(source))) => taker.fetch(blob, source).await,
            (Some(_), Err(failure)) => Err(failure),
            (None, _) => Err(Failure::new(format!("bring blobs to {to}"), "it lacks none")),
        };
        (transfer, result)
    }
}

fn missing(blobs: &BTreeSet<Blob>, have: &Have) -> BTreeSet<Blob> {
    blobs.iter().filter(|blob| have.get(&blob.sha256).copied().unwrap_or(0) < blob.size).cloned().collect()
}
