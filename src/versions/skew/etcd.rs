//! etcd: one minor at a time, never back, and only from and to patches that keep the data whole.

use thiserror::Error;

use super::arrows;
use crate::cluster::{KubeVersion, Version};
use crate::versions::etcd::{self, Unsupported};

/// The last step into a minor, and the first patch that may be left for the next.
struct Minor {
    minor: u32,
    /// First patch that an upgrade may go to.
    enter: u32,
    why_enter: &'static str,
    /// First patch from which the next minor may be gone to.
    leave: u32,
    why_leave: &'static str,
}

#[rustfmt::skip]
const MINORS: &[Minor] = &[
    Minor { minor: 4, enter: 0, why_enter: "", leave: 0, why_leave: "" },
    Minor {
        minor: 5,
        enter: 6, why_enter: "3.5.0 to 3.5.2 can lose data without a word, and before 3.5.6 a crash during a defragmentation can, too",
        leave: 32, why_leave: "older ones bring members that were removed long ago back to life in 3.6",
    },
    Minor { minor: 6, enter: 0, why_enter: "", leave: 11, why_leave: "3.7 is only tried from there" },
    Minor { minor: 7, enter: 0, why_enter: "", leave: 0, why_leave: "" },
];

/// Since which minor of Kubernetes at least which etcd is asked for, per minor of etcd; later rows win.
const MINIMUMS: &[(u32, &[Version])] =
    &[(31, &[Version::new(3, 4, 29), Version::new(3, 5, 11)]), (36, &[Version::new(3, 5, 24)])];

/// A step of etcd that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EtcdImpossible {
    /// The tables do not know one of the versions.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It goes back.
    #[error("etcd {from} → {to} is a downgrade, which etcd does not support; use an image with etcd {from} or later")]
    Downgrade {
        /// What runs.
        from: Version,
        /// What the image has.
        to: Version,
    },
    /// It leaves minors out, or begins or ends at a patch that it must not.
    #[error("etcd {from} → {to} is not possible: {why}; go {}: upgrade to an image with etcd {} or a later patch first", arrows(path), path[1])]
    Detour {
        /// What runs.
        from: Version,
        /// What the image has.
        to: Version,
        /// Why not.
        why: String,
        /// Stops of the possible path, both ends included.
        path: Vec<Version>,
    },
    /// The version itself is not to be used.
    #[error("etcd {to} is not to be used: {why}; use an image with etcd {instead} or later")]
    Bad {
        /// What the image has.
        to: Version,
        /// Why not.
        why: &'static str,
        /// First good patch.
        instead: Version,
    },
    /// Kubernetes asks for a later one.
    #[error("Kubernetes {kubernetes} asks for etcd {least} or later, and the image has {to}; use an image with it")]
    TooOld {
        /// What the image has.
        to: Version,
        /// The version of Kubernetes after the upgrade.
        kubernetes: KubeVersion,
        /// What is asked for.
        least: Version,
    },
}

/// Whether members of `from` may become members of `to`, one by one, beneath a Kubernetes that will be `kubernetes`.
pub fn etcd_step(from: Version, to: Version, kubernetes: KubeVersion) -> Result<(), EtcdImpossible> {
    etcd::check(from)?;
    etcd::check(to)?;
    if to < from {
        return Err(EtcdImpossible::Downgrade { from, to });
    }
    if let Some(row) = minor(to).filter(|row| from != to && to.patch < row.enter) {
        let instead = Version::new(3, row.minor, row.enter);
        return Err(EtcdImpossible::Bad { to, why: row.why_enter, instead });
    }
    if let Some(least) = least(to, kubernetes) {
        return Err(EtcdImpossible::TooOld { to, kubernetes, least });
    }
    let path = path(from, to);
    if path.len() <= 2 {
        return Ok(());
    }
    let leaves_too_early = minor(from).filter(|row| to.minor > row.minor && from.patch < row.leave);
    let why = match leaves_too_early {
        Some(row) => format!("members must be v3.{}.{} before that: {}", row.minor, row.leave, row.why_leave),
        None => "it skips a minor".to_owned(),
    };
    Err(EtcdImpossible::Detour { from, to, why, path })
}

/// What Kubernetes asks for, when `etcd` is less.
fn least(etcd: Version, kubernetes: KubeVersion) -> Option<Version> {
    let (_, least) = MINIMUMS.iter().rev().find(|(since, _)| kubernetes.minor >= *since)?;
    let same = least.iter().find(|version| version.minor == etcd.minor);
    let first = least.first()?;
    match same {
        Some(version) => (etcd < *version).then_some(*version),
        None => (etcd < *first).then_some(*first),
    }
}

/// The stops from one version to the other.
fn path(from: Version, to: Version) -> Vec<Version> {
    let mut stops = vec![from];
    for row in MINORS.iter().filter(|row| (from.minor..to.minor).contains(&row.minor)) {
        let stop = Version::new(3, row.minor, row.leave);
        if row.minor > from.minor || from < stop {
            stops.push(stop);
        }
    }
    if from != to {
        stops.push(to);
    }
    stops
}

fn minor(version: Version) -> Option<&'static Minor> {
    MINORS.iter().find(|row| row.minor == version.minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: &str, to: &str, kubernetes: u32) -> Result<(), EtcdImpossible> {
        etcd_step(from.parse().unwrap(), to.parse().unwrap(), KubeVersion::new(1, kubernetes, 0))
    }

    #[test]
    fn steps_by_example() {
        for (from, to, kubernetes, expected) in [
            ("3.4.23", "3.4.23", 20, ""),
            ("3.4.23", "3.4.45", 30, ""),
            ("3.4.23", "3.5.16", 20, ""),
            ("3.5.32", "3.6.14", 36, ""),
            ("3.6.11", "3.7.0", 37, ""),
            ("3.5.4", "3.5.16", 24, ""),
            ("3.5.1", "3.5.1", 23, ""),
            ("3.5.16", "3.4.23", 20, "etcd v3.5.16 → v3.4.23 is a downgrade"),
            ("3.5.16", "3.5.15", 20, "is a downgrade"),
            ("3.4.23", "3.5.0", 22, "etcd v3.5.0 is not to be used: 3.5.0 to 3.5.2 can lose data"),
            ("3.5.0", "3.5.5", 22, "use an image with etcd v3.5.6 or later"),
            (
                "3.4.23",
                "3.6.14",
                34,
                "it skips a minor; go v3.4.23 → v3.5.32 → v3.6.14: upgrade to an image with etcd v3.5.32 or a later",
            ),
            (
                "3.5.31",
                "3.6.14",
                34,
                "members must be v3.5.32 before that: older ones bring members that were removed long ago back to \
                 life in 3.6; go v3.5.31 → v3.5.32 → v3.6.14: upgrade to an image with etcd v3.5.32",
            ),
            ("3.5.32", "3.7.1", 37, "it skips a minor; go v3.5.32 → v3.6.11 → v3.7.1"),
            ("3.4.1", "3.7.1", 37, "go v3.4.1 → v3.5.32 → v3.6.11 → v3.7.1: upgrade to an image with etcd v3.5.32"),
            ("3.6.10", "3.7.0", 37, "go v3.6.10 → v3.6.11 → v3.7.0"),
            ("3.3.27", "3.4.23", 20, "etcd v3.3.27 is not supported"),
            ("3.7.1", "3.8.0", 37, "etcd v3.8.0 is not supported"),
        ] {
            let told = step(from, to, kubernetes).err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(told.is_empty(), expected.is_empty(), "{from} → {to}: {told}");
            assert!(told.contains(expected), "{from} → {to}: {told}");
        }
    }

    #[test]
    fn kubernetes_asks_for_what_its_probes_need() {
        for (etcd, kubernetes, least) in [
            ("3.4.0", 30, None),
            ("3.4.28", 31, Some("v3.4.29")),
            ("3.4.29", 31, None),
            ("3.5.10", 31, Some("v3.5.11")),
            ("3.5.10", 30, None),
            ("3.5.11", 35, None),
            ("3.6.0", 31, None),
            ("3.4.45", 36, Some("v3.5.24")),
            ("3.5.23", 36, Some("v3.5.24")),
            ("3.5.24", 37, None),
            ("3.6.0", 37, None),
        ] {
            let told = step(etcd, etcd, kubernetes);
            match least {
                None => assert_eq!(told, Ok(()), "{etcd} with 1.{kubernetes}"),
                Some(least) => {
                    let message = told.unwrap_err().to_string();
                    let expected = format!("asks for etcd {least} or later, and the image has v{etcd}");
                    assert!(message.contains(&expected), "{message}");
                }
            }
        }
    }

    #[test]
    fn every_pair_has_a_path_whose_steps_are_possible() {
        let all: Vec<Version> =
            (4..=7).flat_map(|minor| (0..=45).map(move |patch| Version::new(3, minor, patch))).collect();
        let first = KubeVersion::new(1, 20, 0);
        for (from, to) in all.iter().flat_map(|from| all.iter().map(move |to| (*from, *to))) {
            let good_patch = to.minor != 5 || to.patch >= 6 || from == to;
            let one_minor = from.minor == to.minor
                || (from.minor + 1 == to.minor
                    && match from.minor {
                        5 => from.patch >= 32,
                        6 => from.patch >= 11,
                        _ => true,
                    });
            let told = etcd_step(from, to, first);
            assert_eq!(told.is_ok(), from <= to && good_patch && one_minor, "{from} → {to}");
            if let Err(EtcdImpossible::Detour { path, .. }) = told {
                assert_eq!((path[0], path[path.len() - 1]), (from, to));
                assert!(path.windows(2).all(|step| etcd_step(step[0], step[1], first).is_ok()), "{path:?}");
            }
        }
    }
}
