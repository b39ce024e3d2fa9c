//! The versions of Kubernetes that the tables cover.

use thiserror::Error;

use crate::cluster::KubeVersion;

/// Oldest minor.
pub const FIRST: u32 = 20;
/// Newest minor.
pub const LAST: u32 = 37;

/// A version outside of the tables.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "Kubernetes {0} is not supported: this kubewright installs v1.{FIRST} to v1.{LAST}; \
     use a cluster image of one of these, or another release of kubewright"
)]
pub struct Unsupported(pub KubeVersion);

/// Refuses versions that the tables know nothing about.
pub fn check(version: KubeVersion) -> Result<(), Unsupported> {
    if version.major == 1 && (FIRST..=LAST).contains(&version.minor) { Ok(()) } else { Err(Unsupported(version)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_closed_on_both_ends() {
        for (major, minor, good) in [(1, 19, false), (1, 20, true), (1, 37, true), (1, 38, false), (2, 20, false)] {
            assert_eq!(check(KubeVersion::new(major, minor, 0)).is_ok(), good, "{major}.{minor}");
        }
        let message = Unsupported(KubeVersion::new(1, 38, 1)).to_string();
        assert!(message.contains("v1.38.1") && message.contains("v1.20 to v1.37"), "{message}");
    }
}
