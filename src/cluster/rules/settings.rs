//! Rules about settings.

use std::time::Duration;

use super::{Place, Violation};
use crate::cluster::Parts;

/// etcd's own limit.
const LONGEST_ELECTION: Duration = Duration::from_secs(50);

/// Below this etcd runs full with next to nothing in it.
const SMALLEST_QUOTA: u64 = 64 << 20;

/// A hundred years; X.509 can say no more than the year 9999.
const LONGEST_LIFETIME: Duration = Duration::from_secs(36_525 * 24 * 60 * 60);

pub(super) fn elections_are_slower_than_heartbeats(parts: &Parts) -> Vec<Violation> {
    let (heartbeat, election) = (parts.etcd.heartbeat, parts.etcd.election);
    let (beats, elections) = (Place::spec("etcd.heartbeat"), Place::spec("etcd.election"));
    if heartbeat.is_zero() {
        let hint = "write about the round trip between members, such as 100ms";
        return vec![Violation::new(beats, "the heartbeat is zero", hint)];
    }
    if election > LONGEST_ELECTION {
        let message = format!("the election timeout {election:?} is longer than etcd allows");
        return vec![Violation::new(elections, message, "write at most 50s")];
    }
    if election < heartbeat * 5 {
        let message = format!("the election timeout {election:?} is less than five heartbeats of {heartbeat:?}");
        let hint = format!("write at least {}ms; ten heartbeats are usual", (heartbeat * 5).as_millis());
        return vec![Violation::new(elections, message, hint).with(beats)];
    }
    Vec::new()
}

pub(super) fn the_database_has_room(parts: &Parts) -> Vec<Violation> {
    if parts.etcd.quota_bytes >= SMALLEST_QUOTA {
        return Vec::new();
    }
    let message = format!("a quota of {} bytes leaves etcd no room", parts.etcd.quota_bytes);
    vec![Violation::new(Place::spec("etcd.quota"), message, "write at least 64MiB; 8GiB are usual")]
}

pub(super) fn certificates_end_before_their_ca(parts: &Parts) -> Vec<Violation> {
    let (ca, leaf) = (parts.pki.ca_lifetime, parts.pki.leaf_lifetime);
    let mut violations = Vec::new();
    for (field, lifetime, usual) in [("pki.caLifetime", ca, "3650d"), ("pki.leafLifetime", leaf, "365d")] {
        if lifetime < Duration::from_secs(60 * 60) || lifetime > LONGEST_LIFETIME {
            let hint = format!("write at least 1h and at most 36525d; {usual} is usual");
            violations.push(Violation::new(Place::spec(field), "the lifetime is out of bounds", hint));
        }
    }
    if violations.is_empty() && leaf > ca {
        let hint = "write a shorter `leafLifetime` or a longer `caLifetime`";
        let violation = Violation::new(Place::spec("pki.leafLifetime"), "certificates would outlive their CA", hint);
        violations.push(violation.with(Place::spec("pki.caLifetime")));
    }
    violations
}
