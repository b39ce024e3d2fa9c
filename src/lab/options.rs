//! What a lab is to look like.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{LabError, LabName};

/// User-mode Linux has sixteen disks, and two of them are the host's own.
const MOST_DISKS: usize = 14;

/// What a lab is to look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Its name.
    pub name: LabName,
    /// Hosts of the control plane, m1 and on; members of etcd, too, unless there are dedicated ones.
    pub masters: u8,
    /// Workers, n1 and on.
    pub workers: u8,
    /// Hosts that run a member of etcd and nothing else, e1 and on.
    pub dedicated_etcd: u8,
    /// Debian release of the hosts.
    pub release: String,
    /// Memory of each host of the control plane.
    pub memory_master: Memory,
    /// Memory of every other host.
    pub memory_worker: Memory,
    /// Sizes of the blank disks that every host has beside its own: /dev/ubdc and on.
    #[serde(default)]
    pub disks: Vec<Memory>,
    /// Mode of the endpoint, for the inventory.
    pub endpoint: EndpointChoice,
    /// Cluster image, for the inventory; none stands for the one in the cache.
    pub image: Option<String>,
}

impl Options {
    /// Three masters, two workers, as the command line has it.
    pub fn new(name: LabName) -> Self {
        Self {
            name,
            masters: 3,
            workers: 2,
            dedicated_etcd: 0,
            release: "bookworm".into(),
            memory_master: Memory::mebibytes(3072),
            memory_worker: Memory::mebibytes(2048),
            disks: Vec::new(),
            endpoint: EndpointChoice::Local,
            image: None,
        }
    }

    /// The same, as arguments of `lab up`.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = String> {
        let mut arguments = vec![
            ("--name", self.name.to_string()),
            ("--masters", self.masters.to_string()),
            ("--workers", self.workers.to_string()),
            ("--dedicated-etcd", self.dedicated_etcd.to_string()),
            ("--release", self.release.clone()),
            ("--memory-master", self.memory_master.to_string()),
            ("--memory-worker", self.memory_worker.to_string()),
            ("--endpoint", self.endpoint.to_string()),
        ];
        arguments.extend(self.disks.iter().map(|size| ("--disk", size.to_string())));
        arguments.extend(self.image.iter().map(|image| ("--image", image.clone())));
        arguments.into_iter().map(|(flag, value)| format!("{flag}={value}"))
    }

    /// Refuses what cannot be built.
    pub(super) fn check(&self) -> Result<(), LabError> {
        let refuse = |text: String| Err(LabError::Option(text));
        if !(1..=9).contains(&self.masters) {
            return refuse(format!("--masters {} is not between 1 and 9", self.masters));
        }
        if self.dedicated_etcd > 9 {
            return refuse(format!("--dedicated-etcd {} is more than 9", self.dedicated_etcd));
        }
        if self.workers > 99 {
            return refuse(format!("--workers {} is more than 99", self.workers));
        }
        if self.release.is_empty() || !self.release.chars().all(|c| c.is_ascii_lowercase()) {
            return refuse(format!("--release {:?} is not the code name of a Debian release", self.release));
        }
        if self.disks.len() > MOST_DISKS {
            return refuse(format!("{} disks are more than {MOST_DISKS}; give fewer --disk", self.disks.len()));
        }
        if self.disks.contains(&Memory::mebibytes(0)) {
            return refuse("a disk of no size is none; give --disk a size such as 3G".to_owned());
        }
        for memory in [self.memory_master, self.memory_worker] {
            if memory < Memory::mebibytes(256) {
                return refuse(format!("{memory} of memory is too little for a host; give it 256M or more"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} masters with {}, {} workers and {} etcd hosts with {}, {}, endpoint {}",
            self.masters,
            self.memory_master,
            self.workers,
            self.dedicated_etcd,
            self.memory_worker,
            self.release,
            self.endpoint
        )?;
        for size in &self.disks {
            write!(f, ", a disk of {size}")?;
        }
        self.image.as_ref().map_or(Ok(()), |image| write!(f, ", image {image}"))
    }
}

/// An amount of memory, or the size of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Memory {
    mebibytes: u32,
}

impl Memory {
    /// So many MiB.
    pub const fn mebibytes(mebibytes: u32) -> Self {
        Self { mebibytes }
    }

    /// As bytes.
    pub fn bytes(self) -> u64 {
        u64::from(self.mebibytes) << 20
    }
}

impl FromStr for Memory {
    type Err = LabError;

    /// `3G`, `3Gi`, `3GiB`, `2048M`, ….
    fn from_str(text: &str) -> Result<Self, LabError> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let factor = match &text[digits.len()..] {
            "G" | "Gi" | "GiB" => Some(1024),
            "M" | "Mi" | "MiB" => Some(1),
            _ => None,
        };
        let number = digits.parse::<u32>().ok();
        number
            .zip(factor)
            .and_then(|(number, factor)| number.checked_mul(factor))
            .map(Self::mebibytes)
            .ok_or_else(|| LabError::Option(format!("{text:?} is no size such as 3G or 2048M")))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mebibytes % 1024 {
            0 => write!(f, "{}G", self.mebibytes / 1024),
            _ => write!(f, "{}M", self.mebibytes),
        }
    }
}

/// Who answers at the endpoint of the lab's cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointChoice {
    /// A proxy on every host.
    Local,
    /// A virtual address on the masters.
    Vip,
    /// Somebody else's load balancer; the lab has none, so it is the first master.
    External,
}

impl fmt::Display for EndpointChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "local",
            Self::Vip => "vip",
            Self::External => "external",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_written_as_people_do() {
        for (text, bytes) in [("3G", 3 << 30), ("512M", 512 << 20), ("1GiB", 1 << 30), ("1536Mi", 1536 << 20)] {
            assert_eq!(text.parse::<Memory>().unwrap().bytes(), bytes, "{text}");
        }
        for bad in ["", "3", "G", "-1G", "3T", "99999999G", "1.5G"] {
            assert!(bad.parse::<Memory>().is_err(), "{bad}");
        }
        assert_eq!(Memory::mebibytes(3072).to_string(), "3G");
        assert_eq!(Memory::mebibytes(1536).to_string(), "1536M");
    }

    #[test]
    fn impossible_labs_are_refused() {
        let options = Options::new("lab".parse().unwrap());
        assert!(options.check().is_ok());
        for bad in [
            Options { masters: 0, ..options.clone() },
            Options { masters: 10, ..options.clone() },
            Options { workers: 100, ..options.clone() },
            Options { dedicated_etcd: 10, ..options.clone() },
            Options { release: "../x".into(), ..options.clone() },
            Options { memory_worker: Memory::mebibytes(100), ..options.clone() },
            Options { disks: vec![Memory::mebibytes(64); 15], ..options.clone() },
            Options { disks: vec![Memory::mebibytes(0)], ..options.clone() },
        ] {
            assert!(bad.check().is_err(), "{bad}");
        }
    }
}
