//! etcd: the settings that not every minor knows.

use thiserror::Error;

use crate::cluster::Version;

/// An etcd outside of the tables.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("etcd {0} is not supported: the tables know 3.4 to 3.7; use a cluster image with one of these")]
pub struct Unsupported(pub Version);

/// Refuses versions that the tables know nothing about.
pub fn check(version: Version) -> Result<(), Unsupported> {
    if version.major == 3 && (4..=7).contains(&version.minor) { Ok(()) } else { Err(Unsupported(version)) }
}

/// A setting that only some versions know, with its value.
struct Setting {
    flag: &'static str,
    value: &'static str,
    /// First version that knows it.
    since: Version,
    /// First version that does not any more, or has a better way.
    until: Version,
}

const NEVER: Version = Version::new(u32::MAX, 0, 0);

#[rustfmt::skip]
const SETTINGS: &[Setting] = &[
    // 3.5 does all of this by default or has it under another name.
    Setting { flag: "logger", value: "zap", since: Version::new(3, 4, 0), until: Version::new(3, 5, 0) },
    Setting { flag: "pre-vote", value: "true", since: Version::new(3, 4, 0), until: Version::new(3, 5, 0) },
    Setting { flag: "tls-min-version", value: "TLS1.2", since: Version::new(3, 5, 8), until: NEVER },
    Setting { flag: "experimental-initial-corrupt-check", value: "true", since: Version::new(3, 4, 0), until: Version::new(3, 6, 0) },
    Setting { flag: "experimental-compact-hash-check-enabled", value: "true", since: Version::new(3, 5, 5), until: Version::new(3, 6, 0) },
    Setting { flag: "experimental-watch-progress-notify-interval", value: "5s", since: Version::new(3, 5, 0), until: Version::new(3, 6, 0) },
    Setting { flag: "feature-gates", value: "InitialCorruptCheck=true,CompactHashCheck=true", since: Version::new(3, 6, 0), until: NEVER },
    Setting { flag: "watch-progress-notify-interval", value: "5s", since: Version::new(3, 6, 0), until: NEVER },
];

/// Flags, with their values, that a member of `version` gets beside those that all versions know.
pub fn settings(version: Version) -> impl Iterator<Item = (&'static str, &'static str)> {
    SETTINGS.iter().filter(move |row| (row.since..row.until).contains(&version)).map(|row| (row.flag, row.value))
}

/// Whether the release has `etcdutl`, which took the offline work over from `etcdctl`.
pub fn has_etcdutl(version: Version) -> bool {
    version >= Version::new(3, 5, 0)
}

/// Whether a restored snapshot can go on at a higher revision, so that clients see that time has gone back: `--bump-revision`
/// and `--mark-compacted` of the restore.
pub fn can_bump_revision(version: Version) -> bool {
    match version.minor {
        ..4 => false,
        4 => version >= Version::new(3, 4, 27),
        5 => version >= Version::new(3, 5, 10),
        6.. => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(version: &str) -> Vec<&'static str> {
        settings(version.parse().unwrap()).map(|(flag, _)| flag).collect()
    }

    #[test]
    fn each_minor_gets_only_what_it_knows() {
        assert_eq!(flags("3.4.23"), ["logger", "pre-vote", "experimental-initial-corrupt-check"]);
        assert_eq!(
            flags("3.5.4"),
            ["experimental-initial-corrupt-check", "experimental-watch-progress-notify-interval"]
        );
        assert!(flags("3.5.16").contains(&"tls-min-version"));
        assert!(flags("3.5.16").contains(&"experimental-compact-hash-check-enabled"));
        for version in ["3.6.0", "3.7.1"] {
            assert!(flags(version).iter().all(|flag| !flag.starts_with("experimental-")), "{version}");
            assert!(flags(version).contains(&"feature-gates"), "{version}");
        }
    }

    #[test]
    fn the_range_is_3_4_to_3_7() {
        assert!(!has_etcdutl(Version::new(3, 4, 45)) && has_etcdutl(Version::new(3, 5, 0)));
        for (version, good) in [("3.3.27", false), ("3.4.0", true), ("3.7.9", true), ("3.8.0", false)] {
            assert_eq!(check(version.parse().unwrap()).is_ok(), good, "{version}");
        }
    }
}
