//! Kubernetes' own skew policy: API servers go one minor at a time, and everything else keeps near to them.

use thiserror::Error;

use super::{arrows, minor};
use crate::cluster::{KubeVersion, Version};
use crate::versions::supported::{self, Unsupported};

/// An upgrade that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Impossible {
    /// The tables do not know one of the versions.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It goes back.
    #[error(
        "Kubernetes {from} → {to} is a downgrade, which no Kubernetes supports; use an image of {from} or later, \
         or --rollback if an upgrade from {to} has just failed"
    )]
    Downgrade {
        /// What runs.
        from: KubeVersion,
        /// What the image has.
        to: KubeVersion,
    },
    /// It leaves minors out.
    #[error(
        "Kubernetes {from} → {to} skips a minor, which API servers must not: {}: upgrade to an image of {} first",
        arrows((from.minor..=to.minor).map(|number| minor(Version::new(1, number, 0)))),
        minor(Version::new(1, from.minor + 1, 0))
    )]
    Skips {
        /// What runs.
        from: KubeVersion,
        /// What the image has.
        to: KubeVersion,
    },
}

/// Whether a cluster of `from` may become one of `to` in one upgrade. The same version is allowed: it may be another
/// build of it, which the numbers do not tell.
pub fn path(from: KubeVersion, to: KubeVersion) -> Result<(), Impossible> {
    supported::check(from)?;
    supported::check(to)?;
    if to < from {
        return Err(Impossible::Downgrade { from, to });
    }
    if to.minor > from.minor + 1 {
        return Err(Impossible::Skips { from, to });
    }
    Ok(())
}

/// A component that is too far from the API servers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{component} {version} does not go with API servers of {apiserver}: {component} may be {} to {}; {hint}",
    minor(*oldest), minor(*apiserver)
)]
pub struct OutsideWindow {
    /// Which one: `kubelet`.
    pub component: &'static str,
    /// Its version.
    pub version: KubeVersion,
    /// The API servers' version; the oldest one, where they differ.
    pub apiserver: KubeVersion,
    oldest: KubeVersion,
    hint: &'static str,
}

/// Whether a kubelet, or the kube-proxy beside it, may talk to API servers of `apiserver`: it is never newer, and at
/// most three minors older; two, while it is older than 1.25.
pub fn kubelet_window(kubelet: KubeVersion, apiserver: KubeVersion) -> Result<(), OutsideWindow> {
    let behind = if (kubelet.major, kubelet.minor) >= (1, 25) { 3 } else { 2 };
    window("kubelet", kubelet, apiserver, behind, "upgrade the nodes that were left behind first")
}

/// Whether a controller-manager or scheduler may talk to API servers of `apiserver`: never newer, one minor older.
pub fn controller_window(controller: KubeVersion, apiserver: KubeVersion) -> Result<(), OutsideWindow> {
    window("kube-controller-manager", controller, apiserver, 1, "upgrade all API servers first, then the others")
}

fn window(
    component: &'static str,
    version: KubeVersion,
    apiserver: KubeVersion,
    behind: u32,
    hint: &'static str,
) -> Result<(), OutsideWindow> {
    let oldest = KubeVersion::new(apiserver.major, apiserver.minor.saturating_sub(behind), 0);
    let near = version.major == apiserver.major && (oldest.minor..=apiserver.minor).contains(&version.minor);
    if near { Ok(()) } else { Err(OutsideWindow { component, version, apiserver, oldest, hint }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every minor of the tables with a low and a high patch.
    fn versions() -> impl Iterator<Item = KubeVersion> {
        (supported::FIRST..=supported::LAST).flat_map(|minor| [2, 7].map(|patch| KubeVersion::new(1, minor, patch)))
    }

    #[test]
    fn every_pair_follows_the_policy() {
        let mut pairs = 0;
        for (from, to) in versions().flat_map(|from| versions().map(move |to| (from, to))) {
            let told = path(from, to);
            match (i64::from(to.minor) - i64::from(from.minor), i64::from(to.patch) - i64::from(from.patch)) {
                (0, 0..) | (1, _) => assert_eq!(told, Ok(())),
                (0, _) | (..0, _) => assert_eq!(told, Err(Impossible::Downgrade { from, to })),
                (2.., _) => {
                    assert_eq!(told, Err(Impossible::Skips { from, to }));
                    // What the message proposes is possible, step by step.
                    let message = told.unwrap_err().to_string();
                    let stops: Vec<KubeVersion> = message
                        .split(": ")
                        .nth(1)
                        .unwrap()
                        .split(" → ")
                        .map(|stop| format!("{stop}.0").parse().unwrap())
                        .collect();
                    assert_eq!((stops[0].minor, stops[stops.len() - 1].minor), (from.minor, to.minor));
                    assert!(stops.windows(2).all(|step| path(step[0], step[1]).is_ok()), "{message}");
                }
            }
            pairs += 1;
        }
        assert_eq!(pairs, 36 * 36);
    }

    #[test]
    fn an_impossible_step_names_the_possible_path() {
        for (from, to, expected) in [
            (
                "v1.20.2",
                "v1.22.17",
                "Kubernetes v1.20.2 → v1.22.17 skips a minor, which API servers must not: v1.20 → v1.21 → v1.22: \
                 upgrade to an image of v1.21 first",
            ),
            ("1.36.4", "1.35.8", "a downgrade, which no Kubernetes supports; use an image of v1.36.4 or later"),
            ("1.36.4", "1.36.3", "--rollback if an upgrade from v1.36.3 has just failed"),
            ("1.19.16", "1.20.15", "v1.19.16 is not supported"),
            ("1.37.1", "1.38.0", "v1.38.0 is not supported"),
        ] {
            let message = path(from.parse().unwrap(), to.parse().unwrap()).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        for (from, to) in [("v1.20.2", "v1.20.2+deb12u1"), ("1.20.2", "1.20.15"), ("1.35.9", "1.36.0")] {
            assert_eq!(path(from.parse().unwrap(), to.parse().unwrap()), Ok(()), "{from} → {to}");
        }
    }

    #[test]
    fn every_pair_of_kubelet_and_api_server_follows_the_policy() {
        for (kubelet, apiserver) in versions().flat_map(|from| versions().map(move |to| (from, to))) {
            let behind = i64::from(apiserver.minor) - i64::from(kubelet.minor);
            let most = if kubelet.minor < 25 { 2 } else { 3 };
            assert_eq!(
                kubelet_window(kubelet, apiserver).is_ok(),
                (0..=most).contains(&behind),
                "{kubelet} {apiserver}"
            );
            assert_eq!(controller_window(kubelet, apiserver).is_ok(), (0..=1).contains(&behind));
        }
    }

    #[test]
    fn the_window_by_example() {
        for (kubelet, apiserver, good) in [
            ("1.22.17", "1.24.17", true),
            ("1.22.17", "1.25.16", false),
            ("1.24.17", "1.27.16", false),
            ("1.25.0", "1.28.15", true),
            ("1.25.16", "1.29.15", false),
            ("1.34.5", "1.34.2", true),
            ("1.35.0", "1.34.11", false),
        ] {
            let told = kubelet_window(kubelet.parse().unwrap(), apiserver.parse().unwrap());
            assert_eq!(told.is_ok(), good, "{kubelet} with {apiserver}");
        }
        let message = kubelet_window(KubeVersion::new(1, 24, 3), KubeVersion::new(1, 27, 0)).unwrap_err().to_string();
        assert_eq!(
            message,
            "kubelet v1.24.3 does not go with API servers of v1.27.0: kubelet may be v1.25 to v1.27; \
             upgrade the nodes that were left behind first"
        );
    }
}
