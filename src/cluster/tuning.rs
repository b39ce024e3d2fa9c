//! What the kernel forgets at every boot: interrupts, and files of sysfs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CpuSet;

/// What becomes of the interrupts of a host's network cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Affinity {
    /// Each queue gets a CPU of its own on the card's NUMA node, as far as there are enough.
    Spread,
    /// They stay where the kernel, irqbalance or somebody else has put them.
    Leave,
}

/// How interrupts are spread.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spread {
    /// CPUs that get none.
    pub leave_cpus: CpuSet,
    /// What becomes of irqbalance, where it runs: it would undo everything ten seconds later.
    pub irqbalance: Irqbalance,
    /// Queues of each card; as the driver has chosen when left out. Changing it may take the link down for a moment.
    pub queues: Option<Queues>,
    /// Entries of each ring; as the driver has chosen when left out. Changing it may take the link down for a moment.
    pub rings: Option<Rings>,
}

/// What becomes of irqbalance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Irqbalance {
    /// It is told to leave the network cards' interrupts alone and goes on with the others.
    #[default]
    Ban,
    /// It is stopped.
    Stop,
}

/// How many queues a card has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Queues {
    /// One for each core of the card's NUMA node.
    Cores,
    /// So many.
    Number(u32),
}

/// How many entries the rings of a card have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rings {
    /// As many as the card can, at most 4096: longer ones only add latency.
    Max,
    /// So many.
    Number(u32),
}

/// When anonymous memory is given in huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransparentHugepage {
    /// Always.
    Always,
    /// To programs that ask for it.
    Madvise,
    /// Never.
    Never,
    /// As the host has it.
    Leave,
}

/// Settings of a host that the kernel forgets at a reboot. What is left out is as the profile has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tuning {
    /// Whether interrupts are spread.
    pub affinity: Option<Affinity>,
    /// And how.
    pub spread: Spread,
    /// When anonymous memory is given in huge pages.
    pub transparent_hugepage: Option<TransparentHugepage>,
    /// The governor of the CPUs' frequency; `leave` for the host's own.
    pub cpu_governor: Option<String>,
    /// Pages set aside, by their size in bytes.
    pub hugepages: BTreeMap<u64, u64>,
}
