//! How an upgrade goes through the nodes of a cluster.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an upgrade may take out of service, and how it empties a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upgrade {
    /// Most workers out of service at a time, and those in one rack.
    pub max_unavailable: MaxUnavailable,
    /// How a node is emptied.
    pub drain: Drain,
}

/// A number of workers, or a share of all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxUnavailable {
    /// So many; at least one.
    Count(u32),
    /// So many of a hundred, rounded down, and at least one worker; 1 to 100.
    Percent(u32),
}

impl Default for MaxUnavailable {
    /// kubespray takes a fifth, k0sctl a tenth: what is lost for the time of an upgrade should fit into the spare.
    fn default() -> Self {
        Self::Percent(10)
    }
}

impl MaxUnavailable {
    /// How many workers of `total` that is.
    pub fn of(self, total: usize) -> usize {
        let wanted = match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => total * usize::try_from(percent).unwrap_or(100) / 100,
        };
        wanted.max(1)
    }
}

/// A text that is neither a number nor a share of workers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a number of workers nor a share of them")]
pub struct MaxUnavailableError(String);

impl FromStr for MaxUnavailable {
    type Err = MaxUnavailableError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || MaxUnavailableError(text.to_owned());
        let digits = text.strip_suffix('%').unwrap_or(text);
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = digits.parse().ok().filter(|number| plain && *number > 0).ok_or_else(bad)?;
        match text.ends_with('%') {
            false => Ok(Self::Count(number)),
            true if number <= 100 => Ok(Self::Percent(number)),
            true => Err(bad()),
        }
    }
}

impl fmt::Display for MaxUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// How a node is emptied before its kubelet or its runtime changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    /// How long pods may take to go, PodDisruptionBudgets included.
    pub timeout: Duration,
    /// Pods with emptyDir volumes.
    pub empty_dirs: Evictable,
    /// Pods that no controller starts elsewhere.
    pub unmanaged: Evictable,
}

impl Default for Drain {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(300), empty_dirs: Evictable::Evict, unmanaged: Evictable::Refuse }
    }
}

/// What becomes of pods that lose something when they are evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Evictable {
    /// They are evicted all the same.
    Evict,
    /// The node is not drained, and the upgrade stops there.
    Refuse,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_shares_parse_and_print() {
        for text in ["1", "12", "1%", "100%"] {
            assert_eq!(text.parse::<MaxUnavailable>().unwrap().to_string(), text);
        }
        for bad in ["", "0", "%", "0%", "101%", "-1", "+1", "10 %", "all", "99999999999"] {
            assert!(bad.parse::<MaxUnavailable>().is_err(), "{bad}");
        }
    }

    #[test]
    fn at_least_one_worker_and_never_more_than_the_share() {
        for (text, total, expected) in [("10%", 5, 1), ("10%", 40, 4), ("10%", 49, 4), ("100%", 7, 7), ("3", 2, 3)] {
            assert_eq!(text.parse::<MaxUnavailable>().unwrap().of(total), expected, "{text} of {total}");
        }
    }
}
