//! Which versions of Kubernetes a cluster may have for an image to take it further.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cluster::KubeVersion;

/// A text that is no range of versions.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a range of versions such as \">=v1.35.0, <v1.37.0\": the lowest one, and the first that is too new"
)]
pub struct UpgradesFromError(String);

/// The versions of Kubernetes from which an image may be reached, written `>=v1.35.0, <v1.37.0`. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UpgradesFrom {
    lowest: KubeVersion,
    before: KubeVersion,
}

impl UpgradesFrom {
    /// Whether a cluster of `version` may be upgraded to the image in one step.
    pub fn contains(&self, version: KubeVersion) -> bool {
        (self.lowest..self.before).contains(&version)
    }
}

impl FromStr for UpgradesFrom {
    type Err = UpgradesFromError;

    fn from_str(text: &str) -> Result<Self, UpgradesFromError> {
        let parse = || {
            let (lowest, before) = text.split_once(',')?;
            let version = |part: &str, sign| part.trim().strip_prefix(sign)?.trim().parse::<KubeVersion>().ok();
            let range = Self { lowest: version(lowest, ">=")?, before: version(before, "<")? };
            (range.lowest < range.before).then_some(range)
        };
        parse().ok_or_else(|| UpgradesFromError(text.to_owned()))
    }
}

impl fmt::Display for UpgradesFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ">={}, <{}", self.lowest, self.before)
    }
}

impl TryFrom<String> for UpgradesFrom {
    type Error = UpgradesFromError;

    fn try_from(text: String) -> Result<Self, UpgradesFromError> {
        text.parse()
    }
}

impl From<UpgradesFrom> for String {
    fn from(range: UpgradesFrom) -> String {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_first_version_and_not_its_last() {
        let range: UpgradesFrom = ">=1.35.0,<v1.37.0".parse().unwrap();
        assert_eq!(range.to_string(), ">=v1.35.0, <v1.37.0");
        assert_eq!(range.to_string().parse(), Ok(range));
        for (version, inside) in [("1.34.11", false), ("1.35.0", true), ("1.36.9", true), ("1.37.0", false)] {
            assert_eq!(range.contains(version.parse().unwrap()), inside, "{version}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for bad in ["", "v1.35.0", ">=v1.35.0", "<v1.36.0, >=v1.35.0", ">=v1.36.0, <v1.36.0", ">=1.35, <1.36"] {
            let error = bad.parse::<UpgradesFrom>().unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains(">=v1.35.0, <v1.37.0"), "{error}");
        }
    }
}
