//! Whether a step can be taken back by putting the old version in its place.

use std::fmt;

use thiserror::Error;

use super::minor;
use crate::cluster::Version;

/// What writes data that an older version of it may not be able to read. Everything else can always go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stateful {
    /// Members of etcd.
    Etcd,
    /// API servers.
    ApiServer,
}

impl fmt::Display for Stateful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Etcd => "etcd members",
            Self::ApiServer => "API servers",
        })
    }
}

/// A step that cannot be taken back any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{what} cannot go back from {new} to {old}: all {total} of them have run {}, and data that {} does not know may \
     be written; only restoring the etcd snapshot that was taken before the upgrade leads back",
    minor(*new), minor(*old)
)]
pub struct OneWay {
    /// Which ones.
    pub what: Stateful,
    /// What they run.
    pub new: Version,
    /// What they ran before.
    pub old: Version,
    /// How many there are.
    pub total: usize,
}

/// Whether `what` may return from `new` to `old`, when `moved` of `total` have come to serve as `new`. One that never
/// got healthy has served nobody and does not count. A patch can always be taken back; a minor, as long as one of them
/// has not moved: until then the others keep it from writing anything new.
pub fn rollback(what: Stateful, new: Version, old: Version, moved: usize, total: usize) -> Result<(), OneWay> {
    let same_minor = (new.major, new.minor) == (old.major, old.minor);
    if same_minor || moved < total { Ok(()) } else { Err(OneWay { what, new, old, total }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_is_one_way_once_all_have_moved() {
        for (new, old, moved, total, good) in [
            ("3.5.16", "3.4.23", 0, 3, true),
            ("3.5.16", "3.4.23", 2, 3, true),
            ("3.5.16", "3.4.23", 3, 3, false),
            ("3.5.16", "3.5.6", 3, 3, true),
            ("3.5.16", "3.4.23", 0, 1, true),
            ("3.5.16", "3.4.23", 1, 1, false),
            ("1.21.0", "1.20.2", 2, 3, true),
            ("1.21.0", "1.20.2", 3, 3, false),
            ("1.20.15", "1.20.2", 3, 3, true),
        ] {
            for what in [Stateful::Etcd, Stateful::ApiServer] {
                let told = rollback(what, new.parse().unwrap(), old.parse().unwrap(), moved, total);
                assert_eq!(told.is_ok(), good, "{what}: {new} → {old} with {moved} of {total}");
            }
        }
    }

    #[test]
    fn what_leads_back_is_named() {
        let (new, old) = (Version::new(3, 5, 16), Version::new(3, 4, 23));
        let message = rollback(Stateful::Etcd, new, old, 3, 3).unwrap_err().to_string();
        assert_eq!(
            message,
            "etcd members cannot go back from v3.5.16 to v3.4.23: all 3 of them have run v3.5, and data that v3.4 does \
             not know may be written; only restoring the etcd snapshot that was taken before the upgrade leads back"
        );
    }
}
