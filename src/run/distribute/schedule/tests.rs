//! Schedules played to their end: in any order, with any failures.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn name(index: usize) -> HostName {
    HostName::parse(&format!("n{index}")).unwrap()
}

fn blob(index: usize) -> Blob {
    Blob { sha256: format!("{index:064}"), size: 1000 - index as u64 }
}

/// Host number `index` in a data centre and a rack, with and without some of the blobs.
fn participant(index: usize, idc: usize, rack: usize, has: &[usize], lacks: &[usize]) -> Participant {
    Participant {
        name: name(index),
        place: (Some(format!("idc{idc}")), Some(format!("r{rack}"))),
        gives: true,
        takes: 1,
        has: has.iter().copied().map(blob).collect(),
        lacks: lacks.iter().copied().map(blob).collect(),
    }
}

/// Plays a schedule and checks at each step what must hold at any time.
struct Play {
    schedule: Schedule,
    limits: Limits,
    hosts: BTreeMap<HostName, Participant>,
    has: BTreeMap<HostName, BTreeSet<Blob>>,
    on_the_way: Vec<Transfer>,
    /// All that arrived.
    arrived: Vec<Transfer>,
    given_up: BTreeSet<HostName>,
    /// Hosts whose session has ended.
    lost: BTreeSet<HostName>,
}

impl Play {
    fn new(way: Way, limits: Limits, participants: Vec<Participant>) -> Self {
        Self {
            schedule: Schedule::new(way, limits, participants.clone()),
            limits,
            has: participants.iter().map(|host| (host.name.clone(), host.has.clone())).collect(),
            hosts: participants.into_iter().map(|host| (host.name.clone(), host)).collect(),
            on_the_way: Vec::new(),
            arrived: Vec::new(),
            given_up: BTreeSet::new(),
            lost: BTreeSet::new(),
        }
    }

    fn begin(&mut self) {
        for transfer in self.schedule.begin() {
            assert!(self.hosts[&transfer.to].lacks.contains(&transfer.blob), "{transfer:?} is not needed");
            assert!(!self.has[&transfer.to].contains(&transfer.blob), "{transfer:?} a second time");
            if let Origin::Peer(from) = &transfer.from {
                assert!(self.has[from].contains(&transfer.blob), "{transfer:?} from who does not have it");
                assert!(self.hosts[from].gives && *from != transfer.to, "{transfer:?}");
            }
            self.on_the_way.push(transfer);
        }
        let mut giving: BTreeMap<&Origin, usize> = BTreeMap::new();
        let mut taking: BTreeMap<&HostName, usize> = BTreeMap::new();
        for transfer in &self.on_the_way {
            *giving.entry(&transfer.from).or_default() += 1;
            *taking.entry(&transfer.to).or_default() += 1;
        }
        for (from, count) in giving {
            let limit = if matches!(from, Origin::Peer(_)) { self.limits.peer } else { self.limits.origin };
            assert!(count <= limit, "{from:?} gives {count} at once");
        }
        for (to, count) in taking {
            assert!(count <= self.hosts[to].takes, "{to} takes {count} at once");
        }
    }

    /// One ends, well or badly.
    fn end(&mut self, index: usize, well: bool) {
        let transfer = self.on_the_way.remove(index);
        if self.lost.contains(&transfer.to) {
            self.schedule.lost(&transfer);
            self.given_up.insert(transfer.to);
        } else if well {
            self.schedule.done(&transfer);
            assert!(self.has.get_mut(&transfer.to).unwrap().insert(transfer.blob.clone()));
            self.arrived.push(transfer);
        } else if self.schedule.failed(&transfer) == Verdict::GivenUp {
            assert_eq!(transfer.from, Origin::Here, "there was another way");
            self.given_up.insert(transfer.to);
        }
    }

    /// Until nothing is on its way any more.
    fn play(&mut self, mut choose: impl FnMut(usize) -> usize, mut well: impl FnMut(&Transfer) -> bool) {
        loop {
            self.begin();
            if self.on_the_way.is_empty() {
                return;
            }
            let index = choose(self.on_the_way.len());
            let well = well(&self.on_the_way[index]);
            self.end(index, well);
        }
    }

    #[track_caller]
    fn everybody_has_everything(&self) {
        for host in self.hosts.values().filter(|host| !self.given_up.contains(&host.name)) {
            let missing: Vec<_> = host.lacks.difference(&self.has[&host.name]).collect();
            assert!(missing.is_empty(), "{} still lacks {missing:?}", host.name);
        }
    }

    fn rack(&self, host: &HostName) -> &Place {
        &self.hosts[host].place
    }

    /// Transfers of a blob into a rack from outside of it, with the data centre's boundary crossed or not.
    fn entering(&self) -> BTreeMap<(Blob, Place), Vec<&Transfer>> {
        let mut outside: BTreeMap<_, Vec<&Transfer>> = BTreeMap::new();
        for transfer in &self.arrived {
            let place = self.rack(&transfer.to);
            let inside = matches!(&transfer.from, Origin::Peer(from) if self.rack(from) == place);
            if !inside {
                outside.entry((transfer.blob.clone(), place.clone())).or_default().push(transfer);
            }
        }
        outside
    }
}

const LIMITS: Limits = Limits { origin: 4, peer: 2 };

/// Rounds in which all that is on its way ends together.
fn rounds(way: Way, limits: Limits, hosts: usize, racks: usize, blobs: usize) -> (usize, Play) {
    let all: Vec<usize> = (0..blobs).collect();
    let participants = (0..hosts).map(|index| participant(index, 0, index % racks, &[], &all)).collect();
    let mut play = Play::new(way, limits, participants);
    let mut rounds = 0;
    loop {
        play.begin();
        if play.on_the_way.is_empty() {
            play.everybody_has_everything();
            return (rounds, play);
        }
        rounds += 1;
        for _ in 0..play.on_the_way.len() {
            play.end(0, true);
        }
    }
}

#[test]
fn each_round_multiplies_those_who_have_a_blob() {
    let one = Limits { origin: 1, peer: 1 };
    // From here, to the other racks, and within each rack of eight: 1 + 2 + 3.
    assert_eq!(rounds(Way::Peers, one, 32, 4, 1).0, 6);
    assert_eq!(rounds(Way::Peers, one, 32, 1, 1).0, 6);
    assert_eq!(rounds(Way::Push, one, 32, 4, 1).0, 32);
    // Blobs follow each other: the last one leaves in round 20, and is everywhere soon after.
    let (many, play) = rounds(Way::Peers, Limits { origin: 1, peer: 2 }, 32, 4, 20);
    assert!(many < 45, "{many}");
    let from_here = play.arrived.iter().filter(|transfer| transfer.from == Origin::Here).count();
    assert_eq!(from_here, 20, "each blob leaves once");
}

#[test]
fn the_first_copies_go_to_many_racks_and_hosts() {
    let (_, play) = rounds(Way::Peers, LIMITS, 32, 4, 8);
    let seeds: Vec<&HostName> =
        play.arrived.iter().filter(|transfer| transfer.from == Origin::Here).map(|transfer| &transfer.to).collect();
    let distinct: BTreeSet<_> = seeds.iter().collect();
    let racks: BTreeSet<_> = seeds.iter().map(|host| play.rack(host)).collect();
    assert_eq!((seeds.len(), distinct.len(), racks.len()), (8, 8, 4));
}

#[test]
fn who_has_a_blob_already_gives_it() {
    let participants = vec![participant(0, 0, 0, &[0, 1], &[]), participant(1, 0, 1, &[], &[0, 1])];
    let mut play = Play::new(Way::Peers, LIMITS, participants);
    play.play(|_| 0, |_| true);
    play.everybody_has_everything();
    assert!(play.arrived.iter().all(|transfer| transfer.from == Origin::Peer(name(0))), "{:?}", play.arrived);
}

#[test]
fn another_data_centre_is_served_from_here() {
    let participants = (0..6).map(|index| participant(index, index / 3, 0, &[], &[0])).collect();
    let mut play = Play::new(Way::Peers, LIMITS, participants);
    play.play(|_| 0, |_| true);
    play.everybody_has_everything();
    assert_eq!(play.arrived.iter().filter(|transfer| transfer.from == Origin::Here).count(), 2);
}

#[test]
fn a_host_whose_way_to_the_others_is_closed_is_served_from_here() {
    let participants = (0..4).map(|index| participant(index, 0, 0, &[], &[0, 1, 2, 3])).collect();
    let mut play = Play::new(Way::Peers, LIMITS, participants);
    let closed = |transfer: &Transfer| transfer.to == name(3) && transfer.from != Origin::Here;
    let mut tried = 0;
    play.play(
        |count| count - 1,
        |transfer| {
            tried += usize::from(closed(transfer));
            !closed(transfer)
        },
    );
    play.everybody_has_everything();
    assert!(play.given_up.is_empty() && tried <= 2, "{tried}");
}

#[test]
fn a_host_that_gives_rubbish_is_soon_asked_by_nobody() {
    let mut participants: Vec<Participant> = (1..8).map(|index| participant(index, 0, 0, &[], &[0, 1, 2])).collect();
    participants.push(participant(0, 0, 0, &[0, 1, 2], &[]));
    let mut play = Play::new(Way::Peers, LIMITS, participants);
    let mut asked = 0;
    play.play(
        |_| 0,
        |transfer| {
            let bad = transfer.from == Origin::Peer(name(0));
            asked += usize::from(bad);
            !bad
        },
    );
    play.everybody_has_everything();
    // Two may have been under way when it was found out.
    assert!((2..=3).contains(&asked), "{asked}");
}

#[test]
fn what_the_registry_does_not_give_comes_from_here() {
    let participants = (0..3).map(|index| participant(index, 0, 0, &[], &[0, 1, 2])).collect();
    let mut play = Play::new(Way::Registry, LIMITS, participants);
    play.play(|_| 0, |transfer| transfer.from != Origin::Registry || transfer.blob != blob(1));
    play.everybody_has_everything();
    let here: Vec<_> = play.arrived.iter().filter(|transfer| transfer.from == Origin::Here).collect();
    assert!(here.len() == 3 && here.iter().all(|transfer| transfer.blob == blob(1)), "{here:?}");
}

fn hosts() -> impl Strategy<Value = Vec<Participant>> {
    let blobs = || proptest::collection::btree_set(0_usize..6, 0..6);
    let host = (0_usize..2, 0_usize..3, blobs(), blobs(), proptest::bool::weighted(0.9), 1_usize..3);
    proptest::collection::vec(host, 1..24).prop_map(|hosts| {
        let of = |(index, (idc, rack, lacks, has, gives, takes))| {
            let (lacks, has): (BTreeSet<usize>, BTreeSet<usize>) = (lacks, has);
            let has: Vec<usize> = has.difference(&lacks).copied().collect();
            let lacks: Vec<usize> = lacks.into_iter().collect();
            Participant { gives, takes, ..participant(index, idc, rack, &has, &lacks) }
        };
        hosts.into_iter().enumerate().map(of).collect()
    })
}

fn ways() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Push), Just(Way::Peers), Just(Way::Registry)]
}

proptest! {
    /// Everybody who lacks a blob gets it exactly once, and no limit is ever passed: `Play` checks that at each step.
    #[test]
    fn everybody_gets_what_he_lacks_once(hosts in hosts(), way in ways(), choices in proptest::collection::vec(0_usize..1000, 1..50)) {
        let wanted: usize = hosts.iter().map(|host| host.lacks.len()).sum();
        let mut play = Play::new(way, LIMITS, hosts);
        let mut choices = choices.into_iter().cycle();
        play.play(|count| choices.next().unwrap() % count, |_| true);
        play.everybody_has_everything();
        prop_assert_eq!(play.arrived.len(), wanted);
    }

    /// A rack gets each blob from outside once, and a data centre from here once; not at all where somebody has it.
    #[test]
    fn racks_are_seeded_first(mut hosts in hosts(), choices in proptest::collection::vec(0_usize..1000, 1..50)) {
        for host in &mut hosts {
            host.gives = true;
        }
        let holders = |blob: &Blob, near: &dyn Fn(&Participant) -> bool| {
            hosts.iter().filter(|host| near(host) && host.has.contains(blob)).count()
        };
        let mut play = Play::new(Way::Peers, LIMITS, hosts.clone());
        let mut choices = choices.into_iter().cycle();
        play.play(|count| choices.next().unwrap() % count, |_| true);
        let mut from_here: BTreeMap<(Blob, Option<String>), usize> = BTreeMap::new();
        for ((blob, place), transfers) in play.entering() {
            let in_rack = holders(&blob, &|host| host.place == place);
            prop_assert_eq!(transfers.len() + in_rack.min(1), 1, "{:?} into {:?}", blob, place);
            let here = transfers.iter().filter(|transfer| transfer.from == Origin::Here).count();
            *from_here.entry((blob, place.0)).or_default() += here;
        }
        for ((blob, idc), count) in from_here {
            let in_idc = holders(&blob, &|host| host.place.0 == idc);
            prop_assert_eq!(count + in_idc.min(1), 1, "{:?} from here into {:?}", blob, idc);
        }
    }

    /// Whatever fails between hosts, or at the registry, everybody is served in the end; who cannot be served from here is
    /// given up, and nobody else.
    #[test]
    fn failures_never_leave_anybody_behind(
        hosts in hosts(),
        way in ways(),
        choices in proptest::collection::vec(0_usize..1000, 1..50),
        failures in proptest::collection::vec(proptest::bool::weighted(0.4), 1..50),
        dead in proptest::option::of(0_usize..24),
        lost in proptest::option::of(0_usize..24),
    ) {
        let mut play = Play::new(way, LIMITS, hosts);
        let (mut choices, mut failures) = (choices.into_iter().cycle(), failures.into_iter().cycle());
        let dead = dead.map(name);
        play.lost.extend(lost.map(name));
        play.play(
            |count| choices.next().unwrap() % count,
            |transfer| {
                let fails = failures.next().unwrap();
                dead.as_ref() != Some(&transfer.to) && (transfer.from == Origin::Here || !fails)
            },
        );
        play.everybody_has_everything();
        let gone = |host: &HostName| Some(host) == dead.as_ref() || play.lost.contains(host);
        prop_assert!(play.given_up.iter().all(gone), "{:?}", play.given_up);
    }
}
