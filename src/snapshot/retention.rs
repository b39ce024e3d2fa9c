//! Which snapshots stay. A decision over times alone: what is one of ours, and who removes the rest, is decided elsewhere.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cluster::Keep;

/// One snapshot, as far as its age and worth go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// When it was taken.
    pub at: Timestamp,
    /// Whether it is known to be whole.
    pub verified: bool,
}

impl Keep {
    /// The indices of `snapshots` that may go. What nobody has verified counts for no rule, since a good one must not
    /// go for it; it goes once it is older than every verified one that stays. The latest verified one never goes.
    pub fn surplus(&self, snapshots: &[Taken]) -> BTreeSet<usize> {
        let mut order: Vec<usize> = (0..snapshots.len()).filter(|index| snapshots[*index].verified).collect();
        order.sort_by_key(|index| std::cmp::Reverse((snapshots[*index].at, *index)));
        let mut stay: BTreeSet<usize> = order.iter().copied().take(self.last.max(1)).collect();
        let classes: [(usize, Class); 3] = [(self.hourly, hour), (self.daily, day), (self.weekly, week)];
        for (many, class) in classes {
            let mut seen = BTreeSet::new();
            for index in &order {
                if seen.len() == many {
                    break;
                }
                if seen.insert(class(&snapshots[*index])) {
                    stay.insert(*index);
                }
            }
        }
        let oldest = stay.iter().map(|index| snapshots[*index].at).min();
        let goes = |index: &usize| {
            let one = &snapshots[*index];
            !stay.contains(index) && (one.verified || oldest.is_some_and(|oldest| one.at < oldest))
        };
        (0..snapshots.len()).filter(goes).collect()
    }
}

/// What a snapshot falls into: two with the same number are of the same hour, day or week.
type Class = fn(&Taken) -> i64;

fn hour(taken: &Taken) -> i64 {
    taken.at.as_second().div_euclid(3600)
}

fn day(taken: &Taken) -> i64 {
    taken.at.as_second().div_euclid(86_400)
}

/// The Monday of its week, as a day.
fn week(taken: &Taken) -> i64 {
    let weekday = taken.at.to_zoned(TimeZone::UTC).weekday().to_monday_zero_offset();
    day(taken) - i64::from(weekday)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(text: &str) -> Taken {
        let (verified, time) = text.strip_prefix('?').map_or((true, text), |time| (false, time));
        Taken { at: format!("2026-{time}:00Z").parse().unwrap(), verified }
    }

    fn staying(keep: [usize; 4], snapshots: &[&str]) -> Vec<String> {
        let [last, hourly, daily, weekly] = keep;
        let taken: Vec<Taken> = snapshots.iter().map(|text| taken(text)).collect();
        let surplus = Keep { last, hourly, daily, weekly }.surplus(&taken);
        let stay = snapshots.iter().enumerate().filter(|(index, _)| !surplus.contains(index));
        stay.map(|(_, text)| (*text).to_owned()).collect()
    }

    #[test]
    fn each_rule_keeps_the_latest_of_its_class() {
        // 2026-11-30 is a Monday.
        let all = [
            "11-22T23:00",
            "11-23T00:00",
            "11-29T10:00",
            "11-29T23:30",
            "11-30T00:00",
            "11-30T00:30",
            "11-30T01:10",
            "11-30T01:20",
        ];
        assert_eq!(staying([2, 0, 0, 0], &all), ["11-30T01:10", "11-30T01:20"]);
        assert_eq!(staying([0, 3, 0, 0], &all), ["11-29T23:30", "11-30T00:30", "11-30T01:20"]);
        assert_eq!(staying([0, 0, 2, 0], &all), ["11-29T23:30", "11-30T01:20"]);
        assert_eq!(staying([0, 0, 0, 3], &all), ["11-22T23:00", "11-29T23:30", "11-30T01:20"]);
        assert_eq!(
            staying([1, 2, 3, 9], &all),
            ["11-22T23:00", "11-23T00:00", "11-29T23:30", "11-30T00:30", "11-30T01:20"]
        );
        // Whatever the rules, and in whatever order they come.
        assert_eq!(staying([0, 0, 0, 0], &["11-30T00:00", "11-30T01:20", "11-22T23:00"]), ["11-30T01:20"]);
    }

    #[test]
    fn what_nobody_verified_takes_no_place() {
        assert_eq!(
            staying([1, 0, 0, 0], &["?11-28T00:00", "11-29T00:00", "?11-29T01:00", "?11-30T00:00"]),
            ["11-29T00:00", "?11-29T01:00", "?11-30T00:00"]
        );
        assert_eq!(staying([1, 0, 0, 0], &["?11-28T00:00"]), ["?11-28T00:00"]);
    }

    proptest! {
        #[test]
        fn the_latest_verified_one_never_goes(
            snapshots in prop::collection::vec((0_i64..4_000_000, any::<bool>()), 1..40),
            keep in any::<[u8; 4]>(),
        ) {
            let [last, hourly, daily, weekly] = keep.map(|many| usize::from(many % 5));
            let taken: Vec<Taken> = snapshots
                .iter()
                .map(|(second, verified)| Taken { at: Timestamp::from_second(*second).unwrap(), verified: *verified })
                .collect();
            let surplus = Keep { last, hourly, daily, weekly }.surplus(&taken);
            let latest = taken.iter().filter(|one| one.verified).map(|one| one.at).max();
            let stays = |at| taken.iter().enumerate().any(|(index, one)| one.at == at && one.verified && !surplus.contains(&index));
            prop_assert!(latest.is_none_or(stays));
        }
    }
}
