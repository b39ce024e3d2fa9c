//! Who takes which blob from whom, and when. Pure: it is told what ended, and says what begins.
//!
//! Among peers each blob goes from here to one host of each data centre, from there to one host of each other rack, and
//! within a rack from host to host: the number of those that have it multiplies with each round. Nobody waits for a round
//! to end: whatever can begin, begins. What fails comes from another host, and after a second failure from here.

mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::HostName;
use crate::image::Blob;
use state::{Host, Item, Rack};

/// How often a host may fail to take from others, or to give to them, before it no longer takes part in that.
const STRIKES: usize = 2;

/// The way that blobs go when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From here to every host.
    Push,
    /// From host to host.
    Peers,
    /// From a registry to every host.
    Registry,
}

/// From where a host takes a blob.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// From this machine.
    Here,
    /// From the registry.
    Registry,
    /// From another host.
    Peer(HostName),
}

/// A blob on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The blob.
    pub blob: Blob,
    /// Who takes it.
    pub to: HostName,
    /// From where.
    pub from: Origin,
}

/// Data centre and rack, as far as the inventory has them: hosts without one are in one.
pub type Place = (Option<String>, Option<String>);

/// A host that takes part.
#[derive(Debug, Clone)]
pub struct Participant {
    /// Its name.
    pub name: HostName,
    /// Where it is.
    pub place: Place,
    /// Whether others can take blobs from it.
    pub gives: bool,
    /// How many blobs it takes at once.
    pub takes: usize,
    /// Blobs that it has.
    pub has: BTreeSet<Blob>,
    /// Blobs that it needs and does not have.
    pub lacks: BTreeSet<Blob>,
}

/// What happens at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Blobs that leave this machine, or the registry.
    pub origin: usize,
    /// Blobs that leave a host.
    pub peer: usize,
}

/// What becomes of a blob that did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It comes from somewhere else.
    Elsewhere,
    /// There is no other way; the host takes no further blob.
    GivenUp,
}

/// What is on its way and what is still to go.
pub struct Schedule {
    way: Way,
    limits: Limits,
    hosts: Vec<Host>,
    /// Data centre of each rack.
    idcs: Vec<usize>,
    /// Largest first: the last ones to leave are quick to spread.
    items: Vec<Item>,
    /// Blobs that leave this machine or the registry right now.
    leaving: usize,
}

impl Schedule {
    /// Nothing is on its way yet.
    pub fn new(way: Way, limits: Limits, participants: Vec<Participant>) -> Self {
        let mut racks: BTreeMap<&Place, usize> = BTreeMap::new();
        let mut idc_names: BTreeMap<&Option<String>, usize> = BTreeMap::new();
        let mut idcs = Vec::new();
        for participant in &participants {
            let idc_count = idc_names.len();
            let idc = *idc_names.entry(&participant.place.0).or_insert(idc_count);
            racks.entry(&participant.place).or_insert_with(|| {
                idcs.push(idc);
                idcs.len() - 1
            });
        }
        let wanted: BTreeSet<&Blob> = participants.iter().flat_map(|participant| &participant.lacks).collect();
        let mut items: Vec<Item> = wanted.into_iter().map(|blob| Item::new(blob, idcs.len())).collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.blob.size));
        for item in &mut items {
            for (index, participant) in participants.iter().enumerate() {
                let rack = &mut item.racks[racks[&participant.place]];
                if participant.lacks.contains(&item.blob) {
                    rack.waiting.push(index);
                } else if participant.has.contains(&item.blob) {
                    rack.holders.push(index);
                }
            }
        }
        let host = |participant: &Participant| Host::new(participant, racks[&participant.place]);
        let hosts = participants.iter().map(host).collect();
        Self { way, limits, hosts, idcs, items, leaving: 0 }
    }

    /// What begins now. Each must be answered by [`Schedule::done`] or [`Schedule::failed`] when it ends.
    pub fn begin(&mut self) -> Vec<Transfer> {
        let mut begun = Vec::new();
        let racks = self.idcs.len();
        for item in 0..self.items.len() {
            // Each blob begins in another rack, so that all of them have something to give to the others.
            let mut order: Vec<usize> = (0..racks).map(|rack| (item + rack) % racks).collect();
            // Racks where nobody has it come first: each of them multiplies it by itself from then on.
            order.sort_by_key(|rack| self.items[item].racks[*rack].has_begun());
            for rack in order {
                if !self.must_wait(item, rack) {
                    self.begin_in(item, rack, &mut begun);
                }
            }
        }
        begun
    }

    /// It arrived.
    pub fn done(&mut self, transfer: &Transfer) {
        if let Some((item, to)) = self.end(transfer) {
            let rack = &mut self.items[item].racks[self.hosts[to].rack];
            rack.holders.push(to);
        }
    }

    /// It did not arrive.
    pub fn failed(&mut self, transfer: &Transfer) -> Verdict {
        let Some((item, to)) = self.end(transfer) else { return Verdict::GivenUp };
        match &transfer.from {
            Origin::Here => {
                self.forget(to);
                return Verdict::GivenUp;
            }
            Origin::Registry => {}
            Origin::Peer(name) => {
                if let Some(from) = self.index(name) {
                    self.hosts[to].barred.insert(from);
                    self.hosts[from].given_badly += 1;
                }
            }
        }
        let host = &mut self.hosts[to];
        host.taken_badly += 1;
        let rack = host.rack;
        if transfer.from == Origin::Registry {
            self.items[item].from_here.insert(to);
        }
        self.items[item].racks[rack].waiting.push(to);
        Verdict::Elsewhere
    }

    /// It did not arrive, because its host is gone: nobody else is to blame.
    pub fn lost(&mut self, transfer: &Transfer) {
        if let Some((_, to)) = self.end(transfer) {
            self.hosts[to].gives = false;
            self.forget(to);
        }
    }

    /// A host takes nothing any more.
    fn forget(&mut self, host: usize) {
        for item in &mut self.items {
            item.racks[self.hosts[host].rack].waiting.retain(|waiting| *waiting != host);
        }
    }

    fn index(&self, name: &HostName) -> Option<usize> {
        self.hosts.iter().position(|host| host.name == *name)
    }

    /// Takes a transfer off the books: the indices of its blob and of who takes it.
    fn end(&mut self, transfer: &Transfer) -> Option<(usize, usize)> {
        let to = self.index(&transfer.to)?;
        let item = self.items.iter().position(|item| item.blob == transfer.blob)?;
        match &transfer.from {
            Origin::Here | Origin::Registry => self.leaving -= 1,
            Origin::Peer(name) => {
                let from = self.index(name)?;
                self.hosts[from].giving -= 1;
            }
        }
        let rack = &mut self.items[item].racks[self.hosts[to].rack];
        rack.taking.retain(|taking| *taking != to);
        self.hosts[to].taking -= 1;
        Some((item, to))
    }

    /// Whether it is plain that nothing can begin with one blob in one rack: asked for all of them each time that anything
    /// ends, so it looks at no host that waits.
    fn must_wait(&self, item: usize, rack: usize) -> bool {
        let rack = &self.items[item].racks[rack];
        let room = self.leaving < self.limits.origin;
        if rack.waiting.is_empty() || self.way != Way::Peers {
            return rack.waiting.is_empty() || !room;
        }
        // Those who failed to take from somebody have needs of their own.
        if self.hosts.iter().any(|host| host.taken_badly > 0) {
            return false;
        }
        let mut givers = rack.holders.iter().map(|host| &self.hosts[*host]).filter(|host| host.may_give()).peekable();
        let any = givers.peek().is_some() || rack.taking.iter().any(|host| self.hosts[*host].may_give());
        any && givers.all(|host| host.giving >= self.limits.peer)
    }

    /// Begins what can begin with one blob in one rack.
    fn begin_in(&mut self, item: usize, rack: usize, begun: &mut Vec<Transfer>) {
        let mut candidates = self.items[item].racks[rack].waiting.clone();
        // Who has had the fewest from afar is the next to get one; it is another host for each blob.
        candidates.sort_by_key(|host| (!self.hosts[*host].may_give(), self.hosts[*host].from_afar));
        for to in candidates {
            if self.hosts[to].taking >= self.hosts[to].takes {
                continue;
            }
            let Some(from) = self.source(item, rack, to) else { continue };
            self.items[item].racks[rack].waiting.retain(|waiting| *waiting != to);
            self.items[item].racks[rack].taking.push(to);
            self.hosts[to].taking += 1;
            let origin = match from {
                Supplier::Origin(origin) => {
                    self.leaving += 1;
                    self.hosts[to].from_afar += 1;
                    origin
                }
                Supplier::Host(from) => {
                    self.hosts[from].giving += 1;
                    self.hosts[to].from_afar += usize::from(self.hosts[from].rack != rack);
                    Origin::Peer(self.hosts[from].name.clone())
                }
            };
            let (blob, to) = (self.items[item].blob.clone(), self.hosts[to].name.clone());
            begun.push(Transfer { blob, to, from: origin });
        }
    }

    /// From where `to` takes a blob now; `None`: it waits for something that is on its way.
    fn source(&self, item: usize, rack: usize, to: usize) -> Option<Supplier> {
        let room = self.leaving < self.limits.origin;
        let host = &self.hosts[to];
        match self.way {
            Way::Push => return room.then_some(Supplier::Origin(Origin::Here)),
            Way::Registry if host.taken_badly >= STRIKES || self.items[item].from_here.contains(&to) => {
                return room.then_some(Supplier::Origin(Origin::Here));
            }
            Way::Registry => return room.then_some(Supplier::Origin(Origin::Registry)),
            Way::Peers if host.taken_badly >= STRIKES => return room.then_some(Supplier::Origin(Origin::Here)),
            Way::Peers => {}
        }
        let racks = &self.items[item].racks;
        let here = self.nearest(to, [&racks[rack]]);
        if here != Nearest::None {
            return here.free();
        }
        // Somebody else of the rack goes first, and the way is short from there.
        let seed = |waiting: &usize| self.hosts[*waiting].may_give() && !host.barred.contains(waiting);
        if self.is_coming(&racks[rack], to) || (!host.may_give() && racks[rack].waiting.iter().any(seed)) {
            return None;
        }
        let near = || racks.iter().zip(&self.idcs).filter(|(_, idc)| **idc == self.idcs[rack]).map(|(rack, _)| rack);
        let across = self.nearest(to, near());
        if across != Nearest::None {
            return across.free();
        }
        if near().any(|rack| self.is_coming(rack, to)) {
            return None;
        }
        room.then_some(Supplier::Origin(Origin::Here))
    }

    /// Who of these racks gives a blob to `to`: the one with the least to do.
    fn nearest<'a>(&self, to: usize, racks: impl IntoIterator<Item = &'a Rack>) -> Nearest {
        let holders = racks.into_iter().flat_map(|rack| &rack.holders).copied();
        let usable = holders.filter(|from| self.hosts[*from].may_give() && !self.hosts[to].barred.contains(from));
        match usable.min_by_key(|from| self.hosts[*from].giving) {
            None => Nearest::None,
            Some(from) if self.hosts[from].giving < self.limits.peer => Nearest::Free(from),
            Some(_) => Nearest::Busy,
        }
    }

    /// Whether the blob is on its way to somebody in `rack` who can give it to `to`.
    fn is_coming(&self, rack: &Rack, to: usize) -> bool {
        rack.taking.iter().any(|taking| self.hosts[*taking].may_give() && !self.hosts[to].barred.contains(taking))
    }
}

enum Supplier {
    Origin(Origin),
    Host(usize),
}

#[derive(PartialEq, Eq)]
enum Nearest {
    Free(usize),
    /// There is one, with its hands full.
    Busy,
    None,
}

impl Nearest {
    fn free(self) -> Option<Supplier> {
        match self {
            Self::Free(from) => Some(Supplier::Host(from)),
            Self::Busy | Self::None => None,
        }
    }
}
