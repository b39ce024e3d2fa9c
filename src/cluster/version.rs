//! Versions of components, and of Kubernetes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a version such as v1.36.4")]
pub struct VersionError(String);

/// `major.minor.patch`, with or without a leading `v`; what follows (`-rc.1`, `+deb12`) is kept out of comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
    /// Patch.
    pub patch: u32,
}

/// The version of Kubernetes.
pub type KubeVersion = Version;

impl Version {
    /// A version from its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let bad = || VersionError(text.to_owned());
        let plain = text.strip_prefix('v').unwrap_or(text);
        let plain = plain.split(['-', '+', '~']).next().unwrap_or(plain);
        let mut numbers = plain.split('.').map(|part| part.parse::<u32>());
        let mut next = || numbers.next().and_then(Result::ok);
        match (next(), next(), next(), plain.split('.').count()) {
            (Some(major), Some(minor), Some(patch), 3) => Ok(Self { major, minor, patch }),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("v{}.{}.{}", self.major, self.minor, self.patch))
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_parse_and_compare() {
        assert_eq!("v1.36.4".parse(), Ok(Version::new(1, 36, 4)));
        assert_eq!("1.20.2-rc.1+deb12u1".parse(), Ok(Version::new(1, 20, 2)));
        assert!(Version::new(1, 9, 0) < Version::new(1, 10, 0));
        for bad in ["", "1.2", "1.2.3.4", "v1.x.3", "latest"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
