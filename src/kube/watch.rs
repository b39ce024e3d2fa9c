//! Remembers what earlier looks saw, so that a gate can tell whether something moves, or stands still, without trusting
//! anybody's clock but our own.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The memory of one wait: make one when it begins, and hand it to every look. What was seen to move in an earlier
/// wait proves nothing in this one.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    value: String,
    since: Instant,
    moved: bool,
}

/// What a look finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether the value has changed since the wait began.
    pub(super) moved: bool,
    /// For how long it has been as it is, as far as we saw.
    pub(super) unchanged: Duration,
}

impl Watch {
    /// Notes that `key` has `value` at `now`.
    pub(super) fn look(&self, key: &str, value: &str, now: Instant) -> Seen {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(key) {
            Some(entry) if entry.value == value => {
                Seen { moved: entry.moved, unchanged: now.saturating_duration_since(entry.since) }
            }
            before => {
                let moved = before.is_some();
                seen.insert(key.to_owned(), Entry { value: value.to_owned(), since: now, moved });
                Seen { moved, unchanged: Duration::ZERO }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_is_told_from_what_stands_still() {
        let (watch, start) = (Watch::default(), Instant::now());
        let look = |key: &str, value: &str, seconds: u64| {
            let seen = watch.look(key, value, start + Duration::from_secs(seconds));
            (seen.moved, seen.unchanged.as_secs())
        };
        assert_eq!(look("a", "1", 0), (false, 0));
        assert_eq!(look("a", "1", 5), (false, 5));
        assert_eq!(look("a", "2", 6), (true, 0));
        assert_eq!(look("a", "2", 9), (true, 3));
        assert_eq!(look("b", "2", 9), (false, 0));
    }
}
