//! A set of CPUs, and the two ways in which the kernel writes one.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// CPUs are numbered up to here; the kernel's own limit is 8192.
const LIMIT: u32 = 8192;

/// Numbers of CPUs. As text it is the kernel's list: `0-3,8`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CpuSet(BTreeSet<u32>);

impl CpuSet {
    /// Reads the kernel's list; an empty one has no CPUs. Fails with what is wrong.
    pub fn parse_list(text: &str) -> Result<Self, String> {
        let mut cpus = BTreeSet::new();
        for part in text.trim().split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.parse::<u32>().ok().filter(|cpu| *cpu < LIMIT);
            match (number(first), number(last)) {
                (Some(first), Some(last)) if first <= last => cpus.extend(first..=last),
                _ => return Err(format!("{part:?} is neither a CPU nor a range of CPUs")),
            }
        }
        Ok(Self(cpus))
    }

    /// Reads the kernel's mask: words of 32 bits in hexadecimal, the highest first.
    pub fn parse_mask(text: &str) -> Result<Self, String> {
        let mut cpus = BTreeSet::new();
        for (index, word) in (0..).zip(text.trim().rsplit(',')) {
            let bits = u32::from_str_radix(word, 16).map_err(|_| format!("{word:?} is not a word of a mask"))?;
            cpus.extend((0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| index * 32 + bit));
        }
        Ok(Self(cpus))
    }

    /// The kernel's mask.
    pub fn mask(&self) -> String {
        let words = self.0.last().map_or(1, |last| last / 32 + 1);
        let word =
            |index: u32| self.0.range(index * 32..(index + 1) * 32).fold(0_u32, |word, cpu| word | 1 << (cpu % 32));
        (0..words).rev().map(|index| format!("{:08x}", word(index))).collect::<Vec<_>>().join(",")
    }

    /// Whether `cpu` is one of them.
    pub fn contains(&self, cpu: u32) -> bool {
        self.0.contains(&cpu)
    }

    /// In ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        Self(cpus.into_iter().collect())
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for cpu in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == cpu => *last = cpu,
                _ => ranges.push((cpu, cpu)),
            }
        }
        let range =
            |(first, last): (u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
        f.pad(&ranges.into_iter().map(range).collect::<Vec<_>>().join(","))
    }
}

impl From<CpuSet> for String {
    fn from(cpus: CpuSet) -> Self {
        cpus.to_string()
    }
}

impl TryFrom<String> for CpuSet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse_list(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_masks_name_the_same_cpus() {
        for (list, mask) in [
            ("", "00000000"),
            ("0", "00000001"),
            ("0-3,8", "0000010f"),
            ("31", "80000000"),
            ("32", "00000001,00000000"),
            ("0-11,24-35", "0000000f,ff000fff"),
        ] {
            let cpus = CpuSet::parse_list(list).unwrap();
            assert_eq!((cpus.to_string().as_str(), cpus.mask().as_str()), (list, mask));
            assert_eq!(CpuSet::parse_mask(mask).unwrap(), cpus);
        }
        // As a kernel of few CPUs writes it.
        assert_eq!(CpuSet::parse_mask("f\n").unwrap().to_string(), "0-3");
        assert_eq!(CpuSet::parse_list("3, 1-2\n").unwrap().to_string(), "1-3");
    }

    #[test]
    fn rubbish_is_refused() {
        for text in ["a", "3-1", "1-", "-1", "0-99999", "1;2"] {
            assert!(CpuSet::parse_list(text).is_err(), "{text}");
        }
        assert!(CpuSet::parse_mask("xyz").is_err());
        assert!(serde_json::from_str::<CpuSet>("\"0-x\"").is_err());
    }
}
