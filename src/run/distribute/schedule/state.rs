//! What a schedule knows of hosts and blobs. Hosts are named by their index.

use std::collections::BTreeSet;

use super::{Participant, STRIKES};
use crate::cluster::HostName;
use crate::image::Blob;

/// A host that takes part.
pub(super) struct Host {
    pub(super) name: HostName,
    pub(super) rack: usize,
    /// Whether others could take from it at all.
    pub(super) gives: bool,
    /// Most blobs that it takes at once.
    pub(super) takes: usize,
    /// Blobs that it takes right now.
    pub(super) taking: usize,
    /// Blobs that it gives right now.
    pub(super) giving: usize,
    /// Blobs that came to it from outside of its rack.
    pub(super) from_afar: usize,
    /// How often others failed to take from it.
    pub(super) given_badly: usize,
    /// How often it failed to take from others.
    pub(super) taken_badly: usize,
    /// From whom it failed to take.
    pub(super) barred: BTreeSet<usize>,
}

impl Host {
    pub(super) fn new(participant: &Participant, rack: usize) -> Self {
        Self {
            name: participant.name.clone(),
            rack,
            gives: participant.gives,
            takes: participant.takes.max(1),
            taking: 0,
            giving: 0,
            from_afar: 0,
            given_badly: 0,
            taken_badly: 0,
            barred: BTreeSet::new(),
        }
    }

    /// Whether others may take from it.
    pub(super) fn may_give(&self) -> bool {
        self.gives && self.given_badly < STRIKES
    }
}

/// A blob that somebody lacks.
pub(super) struct Item {
    pub(super) blob: Blob,
    /// Who has it and who waits for it, by rack.
    pub(super) racks: Vec<Rack>,
    /// Who did not get it from the registry.
    pub(super) from_here: BTreeSet<usize>,
}

/// One blob in one rack.
#[derive(Default, Clone)]
pub(super) struct Rack {
    pub(super) waiting: Vec<usize>,
    pub(super) taking: Vec<usize>,
    pub(super) holders: Vec<usize>,
}

impl Rack {
    /// Whether somebody has it, or is about to.
    pub(super) fn has_begun(&self) -> bool {
        !self.holders.is_empty() || !self.taking.is_empty()
    }
}

impl Item {
    pub(super) fn new(blob: &Blob, racks: usize) -> Self {
        Self { blob: blob.clone(), racks: vec![Rack::default(); racks], from_here: BTreeSet::new() }
    }
}
