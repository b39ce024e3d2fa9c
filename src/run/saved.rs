//! `etcd snapshot status`: how old the last good snapshot of each place is, and what the hosts say of their turns.
//! Changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::fleet::{Fleet, Member, unexpected};
use super::subject::Subject;
use crate::cluster::{Cluster, HostName, Role, SnapshotPlace};
use crate::host::protocol::{Reply, Saves, ToAgent};
use crate::report::Events;
use crate::snapshot::Target;

/// The snapshots of a cluster.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedStatus {
    /// Each place of the inventory.
    pub places: Vec<PlaceStatus>,
    /// What failed: hosts' last turns, hosts and places that could not be asked.
    pub failures: Vec<String>,
}

/// A place, and its last good snapshot.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceStatus {
    /// Which.
    pub place: String,
    /// When its last good snapshot was taken; none where there is none, or nobody knows.
    pub taken: Option<Timestamp>,
    /// Seconds since then.
    pub age: Option<u64>,
    /// The host that it is from.
    pub member: Option<String>,
    /// Revision in it.
    pub revision: Option<u64>,
    /// Size in bytes.
    pub bytes: Option<u64>,
    /// Whether it is older than it may be, or not there.
    pub too_old: bool,
}

impl SavedStatus {
    /// Whether every place has a good snapshot that is young enough, and no host has failed.
    pub fn is_well(&self) -> bool {
        self.failures.is_empty() && self.places.iter().all(|place| !place.too_old)
    }
}

/// Asks hosts for what they have saved, and object stores for what they have.
pub async fn saved(subject: &Subject<'_>, now: Timestamp, events: &Events) -> SavedStatus {
    let members = subject.cluster.with_role(Role::Etcd);
    let (fleet, unreachable) = Fleet::connect(members, subject.connector, subject.parallel, events).await;
    let mut status = saved_on(subject.cluster, &fleet, now).await;
    status.failures.splice(0..0, unreachable.iter().map(ToString::to_string));
    status
}

/// The same over connections that are there already.
pub(super) async fn saved_on(cluster: &Cluster, fleet: &Fleet, now: Timestamp) -> SavedStatus {
    let snapshots = &cluster.etcd.snapshots;
    let what = "look for snapshots of etcd";
    let ask = async |member: &Member| match member.ask(what, ToAgent::Saves).await? {
        Reply::Saves { saves } => Ok(saves.map(|saves| *saves).unwrap_or_default()),
        other => Err(unexpected(what, &other)),
    };
    let answers = fleet.each(|host| host.roles.contains(Role::Etcd), ask).await;
    let mut failures: Vec<String> = answers.failed.iter().map(ToString::to_string).collect();
    for (host, saves) in &answers.ok {
        failures.extend(saves.failures.iter().map(|why| format!("{host}: {why}")));
    }
    let mut places = Vec::new();
    for place in &snapshots.places {
        let mut status = match place {
            SnapshotPlace::Directory(_) => on_hosts(place, &answers.ok),
            SnapshotPlace::Bucket(_) => match in_bucket(place, cluster.name.as_str()).await {
                Ok(status) => status,
                Err(why) => {
                    failures.push(why);
                    PlaceStatus::unknown(place)
                }
            },
        };
        status.judge(now, snapshots.max_age);
        places.push(status);
    }
    SavedStatus { places, failures }
}

/// The latest of what any host has put into its own directory.
fn on_hosts(place: &SnapshotPlace, saves: &BTreeMap<HostName, Saves>) -> PlaceStatus {
    let name = place.to_string();
    let all = saves.iter().filter_map(|(host, saves)| Some((host, saves.places.get(&name)?)));
    let Some((host, latest)) = all.max_by_key(|(_, latest)| latest.taken) else { return PlaceStatus::unknown(place) };
    PlaceStatus {
        taken: Some(latest.taken),
        member: Some(host.to_string()),
        revision: Some(latest.revision),
        bytes: Some(latest.bytes),
        ..PlaceStatus::unknown(place)
    }
}

async fn in_bucket(place: &SnapshotPlace, cluster: &str) -> Result<PlaceStatus, String> {
    let target = Target::open(place).map_err(|error| error.to_string())?;
    let latest = target.latest(cluster, None).await.map_err(|error| error.to_string())?;
    let Some(manifest) = latest.map(|kept| kept.manifest) else { return Ok(PlaceStatus::unknown(place)) };
    Ok(PlaceStatus {
        taken: Some(manifest.origin.taken),
        member: Some(manifest.origin.member),
        revision: Some(manifest.revision),
        bytes: Some(manifest.bytes),
        ..PlaceStatus::unknown(place)
    })
}

impl PlaceStatus {
    fn unknown(place: &SnapshotPlace) -> Self {
        let place = place.to_string();
        Self { place, taken: None, age: None, member: None, revision: None, bytes: None, too_old: true }
    }

    fn judge(&mut self, now: Timestamp, max_age: Option<Duration>) {
        let age = self.taken.map(|taken| u64::try_from(now.as_second() - taken.as_second()).unwrap_or(0));
        self.too_old = age.is_none_or(|age| max_age.is_some_and(|most| age > most.as_secs()));
        self.age = age;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::protocol::PlaceSaves;

    #[test]
    fn the_latest_of_all_hosts_counts_and_ages() {
        let place = SnapshotPlace::Directory("/backup".into());
        let saves = |taken: &str| Saves {
            places: [(
                "/backup".to_owned(),
                PlaceSaves { taken: taken.parse().unwrap(), location: "x".into(), revision: 4, bytes: 5 },
            )]
            .into(),
            ..Saves::default()
        };
        let host = |name: &str| HostName::parse(name).unwrap();
        let all = [
            (host("m1"), saves("2026-11-29T06:00:00Z")),
            (host("m2"), saves("2026-11-29T06:10:00Z")),
            (host("m3"), Saves::default()),
        ];
        let mut status = on_hosts(&place, &all.into());
        assert_eq!(status.member.as_deref(), Some("m2"));
        let judged = |status: &mut PlaceStatus, now: &str, hours: u64| {
            status.judge(now.parse().unwrap(), Some(Duration::from_secs(hours * 3600)));
            status.too_old
        };
        assert!(!judged(&mut status, "2026-11-29T07:00:00Z", 1));
        assert!(judged(&mut status, "2026-11-29T07:11:00Z", 1));
        assert!(judged(&mut on_hosts(&place, &BTreeMap::new()), "2026-11-29T07:00:00Z", 1), "none is too old");
    }
}
