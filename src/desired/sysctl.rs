//! What a sysctl should be, and which values are as good.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cluster::swap_separators;

/// Sysctls, in one file and in the running kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sysctls {
    /// The file under /etc/sysctl.d.
    pub path: String,
    /// By key (`net.ipv4.ip_forward`).
    pub values: BTreeMap<String, Sysctl>,
}

/// What one key should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sysctl {
    /// The value; several numbers are separated by one space each.
    pub value: String,
    /// Which values are as good.
    pub direction: Direction,
    /// Whether a kernel without the key is an error.
    pub required: bool,
}

/// Which values are as good as the one wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// No other.
    Exactly,
    /// Larger ones: a value is only ever raised.
    AtLeast,
    /// Smaller ones: a value is only ever lowered.
    AtMost,
}

impl Sysctl {
    /// What the key becomes where it is `live` now: the same, if that is good enough. Of several numbers each is judged
    /// on its own.
    pub fn target(&self, live: Option<&str>) -> String {
        let better: fn(u64, u64) -> u64 = match self.direction {
            Direction::Exactly => return self.value.clone(),
            Direction::AtLeast => u64::max,
            Direction::AtMost => u64::min,
        };
        let wanted = numbers(&self.value);
        match (wanted, live.and_then(numbers)) {
            (Some(wanted), Some(live)) if wanted.len() == live.len() => {
                let each = wanted.into_iter().zip(live).map(|(wanted, live)| better(wanted, live).to_string());
                each.collect::<Vec<_>>().join(" ")
            }
            _ => self.value.clone(),
        }
    }

    /// Whether `live` is good enough.
    pub fn accepts(&self, live: &str) -> bool {
        self.target(Some(live)) == live
    }
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    text.split(' ').map(|number| number.parse().ok()).collect()
}

/// Where the kernel shows a key: a dot within a part (an interface's name) is written as a slash.
pub fn path(key: &str) -> String {
    format!("/proc/sys/{}", swap_separators(key))
}

/// The module that brings a key, where it is one.
pub fn module(key: &str) -> Option<&'static str> {
    match key {
        _ if key.starts_with("net.bridge.") => Some("br_netfilter"),
        _ if key.starts_with("net.netfilter.") || key == "net.nf_conntrack_max" => Some("nf_conntrack"),
        _ if key.starts_with("net.ipv4.vs.") => Some("ip_vs"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{AtLeast, AtMost, Exactly};
    use super::*;

    #[test]
    fn values_are_only_raised_or_only_lowered() {
        for (direction, wanted, live, target) in [
            (Exactly, "1", Some("2"), "1"),
            (Exactly, "1", None, "1"),
            (AtLeast, "100", Some("99"), "100"),
            (AtLeast, "100", Some("101"), "101"),
            (AtLeast, "100", Some("18446744073709551615"), "18446744073709551615"),
            (AtLeast, "4096 131072 16777216", Some("4096 87380 33554432"), "4096 131072 33554432"),
            (AtLeast, "100", Some("-1"), "100"),
            (AtLeast, "100", Some("1 2"), "100"),
            (AtLeast, "100", None, "100"),
            (AtMost, "600", Some("7200"), "600"),
            (AtMost, "600", Some("300"), "300"),
        ] {
            let sysctl = Sysctl { value: wanted.into(), direction, required: false };
            assert_eq!(sysctl.target(live), target, "{direction:?} {wanted} {live:?}");
            assert!(sysctl.accepts(target));
        }
    }
}
