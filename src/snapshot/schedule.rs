//! Who of several hosts saves when: they take turns, and each waits for those before it. Decisions over times and names
//! alone, so that hosts agree without a word.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::{Keep, SnapshotPlace};

/// How long the next one waits for the one whose turn it is, at most; a shorter schedule waits shorter.
const LONGEST_GRACE: Duration = Duration::from_secs(300);

/// What a host that saves by itself knows: written by an install, read at each turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Name of the cluster.
    pub cluster: String,
    /// This host.
    pub host: String,
    /// Hosts that take turns, in order, with the client URL of each one's member.
    pub members: Vec<(String, String)>,
    /// Seconds from one snapshot to the next.
    pub every: u64,
    /// Seconds after which a snapshot is restored into a directory of its own and read through a real etcd.
    #[serde(default)]
    pub prove_every: Option<u64>,
    /// How many stay.
    pub keep: Option<Keep>,
    /// Who can read them.
    pub recipients: Vec<String>,
    /// The cluster's keys, encrypted, where they are saved with each snapshot.
    pub pki: Option<PathBuf>,
    /// Where to.
    pub places: Vec<SnapshotPlace>,
    /// Who is told.
    pub webhook: Option<String>,
    /// What is started.
    pub command: Vec<String>,
    /// Version of Kubernetes.
    pub kubernetes: String,
    /// Digest of the cluster image.
    pub image: String,
}

/// One turn: a stretch of time with one snapshot in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Which one, counted from 1970 on.
    pub slot: i64,
    /// How many hosts have their turn before this one.
    pub rank: usize,
    /// When this host's turn comes.
    pub begins: Timestamp,
}

/// What hosts tell each other by way of etcd itself: the latest turn that ended with a good snapshot at every place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Which one.
    pub slot: i64,
    /// The host that saved.
    pub host: String,
}

impl Schedule {
    /// Key of the [`Record`] in etcd, beside everything that is Kubernetes'.
    pub const RECORD: &'static str = "/kubewright/snapshots";

    /// The turn that `now` is in; `None` for a host that is none of those that take turns.
    pub fn turn(&self, now: Timestamp) -> Option<Turn> {
        let every = i64::try_from(self.every.max(1)).unwrap_or(i64::MAX);
        let slot = now.as_second().div_euclid(every);
        let many = self.members.len();
        let own = self.members.iter().position(|(name, _)| *name == self.host)?;
        let first = usize::try_from(slot.rem_euclid(i64::try_from(many).ok()?)).ok()?;
        let rank = (own + many - first) % many;
        let wait = self.grace().checked_mul(u32::try_from(rank).ok()?)?;
        let begins = Timestamp::from_second(slot.checked_mul(every)?).ok()? + wait;
        Some(Turn { slot, rank, begins })
    }

    /// How long each host is waited for: all of them have their turn before the next slot.
    fn grace(&self) -> Duration {
        let hosts = u32::try_from(self.members.len()).unwrap_or(u32::MAX).saturating_add(1);
        (Duration::from_secs(self.every) / hosts).min(LONGEST_GRACE)
    }

    /// When systemd is to start it: every slot, in its calendar's words.
    pub fn calendar(every: Duration) -> Vec<String> {
        let minutes = every.as_secs() / 60;
        match minutes {
            1..60 if 60 % minutes == 0 => vec![format!("*-*-* *:00/{minutes}:00 UTC")],
            _ if minutes.is_multiple_of(60) && minutes < 1440 => vec![format!("*-*-* 00/{}:00:00 UTC", minutes / 60)],
            1440 => vec!["*-*-* 00:00:00 UTC".to_owned()],
            // Neither a part of an hour nor whole hours: each time of the day.
            _ => (0..1440 / minutes.max(1))
                .map(|turn| turn * minutes)
                .map(|at| format!("*-*-* {:02}:{:02}:00 UTC", at / 60, at % 60))
                .collect(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;

    pub(crate) fn schedule(host: &str, every: u64) -> Schedule {
        let member = |name: &str| (name.to_owned(), format!("https://{name}:2379"));
        Schedule {
            cluster: "prod".into(),
            host: host.into(),
            members: ["m1", "m2", "m3"].map(member).to_vec(),
            every,
            prove_every: None,
            keep: None,
            recipients: Vec::new(),
            pki: None,
            places: Vec::new(),
            webhook: None,
            command: Vec::new(),
            kubernetes: "v1.20.2".into(),
            image: "sha256:a".into(),
        }
    }

    #[test]
    fn hosts_take_turns_and_all_have_theirs_before_the_next_slot() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for slot in 28_000_000..28_000_006_i64 {
            let turns = ["m1", "m2", "m3"].map(|host| schedule(host, 60).turn(at(slot * 60 + 7)).unwrap());
            assert!(turns.iter().all(|turn| turn.slot == slot));
            assert_eq!(turns.iter().map(|turn| turn.rank).collect::<BTreeSet<_>>().len(), 3);
            let first = usize::try_from(slot % 3).unwrap();
            assert_eq!(turns[first].rank, 0);
            for turn in turns {
                assert_eq!(turn.begins.as_second() - slot * 60, 15 * i64::try_from(turn.rank).unwrap());
            }
        }
        // A day's snapshot is not waited for until evening.
        let last = (0..3).map(|day| schedule("m3", 86_400).turn(at(day * 86_400)).unwrap());
        assert!(last.into_iter().all(|turn| turn.begins.as_second() % 86_400 <= 600));
        assert_eq!(schedule("n1", 60).turn(at(0)), None);
    }

    #[test]
    fn a_calendar_has_every_slot() {
        let calendar = |minutes: u64| Schedule::calendar(Duration::from_secs(minutes * 60));
        assert_eq!(calendar(1), ["*-*-* *:00/1:00 UTC"]);
        assert_eq!(calendar(15), ["*-*-* *:00/15:00 UTC"]);
        assert_eq!(calendar(60), ["*-*-* 00/1:00:00 UTC"]);
        assert_eq!(calendar(360), ["*-*-* 00/6:00:00 UTC"]);
        assert_eq!(calendar(1440), ["*-*-* 00:00:00 UTC"]);
        assert_eq!(calendar(90).len(), 16);
        assert_eq!(calendar(90)[1], "*-*-* 01:30:00 UTC");
    }
}
