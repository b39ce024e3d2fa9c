//! Snapshots of etcd: the last good one of each place, and its age beside what it may be.

use std::time::Duration;

use serde::Serialize;

use super::super::words;
use super::judge::State;
use crate::run::{Overview, PlaceStatus};

/// The last good snapshot of a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// The place.
    pub place: String,
    /// When it was taken; `none` where there is none.
    pub taken: String,
    /// Its age.
    pub age: String,
    /// What its age may be; empty where any may.
    pub most: String,
    /// Percent of what its age may be.
    pub share: u64,
    /// Whether it is young enough.
    pub state: State,
    /// The host that it is from.
    pub member: String,
    /// Revision in it.
    pub revision: String,
    /// Its size.
    pub size: String,
}

/// One line for each place of the inventory.
pub(super) fn backups(overview: &Overview, max_age: Option<Duration>) -> Vec<Backup> {
    let places = overview.saved.iter().flat_map(|saved| &saved.places);
    places.map(|place| backup(place, max_age)).collect()
}

fn backup(place: &PlaceStatus, max_age: Option<Duration>) -> Backup {
    let age = |seconds: u64| words::age(i64::try_from(seconds).unwrap_or(i64::MAX));
    let most = max_age.map(|most| most.as_secs());
    let share = |old: u64| old.saturating_mul(100).checked_div(most?).map(|share| share.min(100));
    Backup {
        place: place.place.clone(),
        taken: place.taken.map_or("none".to_owned(), |taken| taken.strftime("%Y-%m-%d %H:%M UTC").to_string()),
        age: place.age.map(age).unwrap_or_default(),
        most: most.map(age).unwrap_or_default(),
        share: place.age.and_then(share).unwrap_or(0),
        state: if place.too_old { State::Bad } else { State::Good },
        member: place.member.clone().unwrap_or_default(),
        revision: place.revision.map(|revision| revision.to_string()).unwrap_or_default(),
        size: place.bytes.map(words::mebibytes).unwrap_or_default(),
    }
}
