//! Where the queues of network cards are worked on: a pure function of CPUs and cards.
//!
//! Each queue gets one CPU on its card's NUMA node, one thread of each core before any sibling; cards on one node go on
//! where the one before them ended. Where a card has fewer queues than its node has cores, the other CPUs take their
//! share of received packets (RPS), each flow where its program runs (RFS). Senders use the queue that completes on
//! their own CPU (XPS). The kernel's Documentation/networking/scaling.rst has the reasons.

use std::collections::BTreeMap;

use super::cpus::Cpus;
use super::nics::Nic;
use crate::cluster::CpuSet;

/// Flows that are followed to their programs, over all queues: what the kernel's documentation suggests for a server.
const FLOWS: u32 = 32768;

/// Where the queues of one card are worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Layout {
    /// The card's interface.
    pub(in crate::host) nic: String,
    /// CPU by number of an interrupt.
    pub(in crate::host) interrupts: BTreeMap<u32, u32>,
    /// CPUs that share the work of each receive queue; empty where its own does all of it.
    pub(in crate::host) receive: Vec<CpuSet>,
    /// Flows that each receive queue follows.
    pub(in crate::host) flows: u32,
    /// CPUs whose senders use each transmit queue; no entries where there is nothing to choose.
    pub(in crate::host) transmit: Vec<CpuSet>,
}

/// Lays out the queues of all cards.
pub(super) fn layout(cpus: &Cpus, nics: &[Nic]) -> Vec<Layout> {
    let mut taken: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    let of = |nic: &Nic| {
        let (node, near) = cpus.near(nic.node);
        let offset = taken.entry(node).or_default();
        let cpu = |queue: usize| near.cpus[(*offset + queue) % near.cpus.len()];
        let interrupts: BTreeMap<u32, u32> =
            nic.interrupts.iter().map(|(number, vector)| (*number, cpu(vector.queue))).collect();
        let busy: CpuSet = interrupts.values().copied().collect();
        let free: CpuSet = near.cpus.iter().copied().filter(|cpu| !busy.contains(*cpu)).collect();
        let shared = nic.receive < near.cores && !free.is_empty() && !interrupts.is_empty();
        let layout = Layout {
            nic: nic.name.clone(),
            receive: vec![if shared { free } else { CpuSet::default() }; nic.receive],
            flows: if shared { per_queue(nic.receive) } else { 0 },
            transmit: senders(nic.transmit, near.cpus.len())
                .into_iter()
                .map(|set| set.into_iter().map(cpu).collect())
                .collect(),
            interrupts,
        };
        *offset += nic.queues();
        layout
    };
    nics.iter().map(of).collect()
}

/// The kernel rounds up to a power of two, so that one is asked for.
fn per_queue(queues: usize) -> u32 {
    let share = FLOWS / u32::try_from(queues.max(1)).unwrap_or(FLOWS);
    1 << share.max(1).ilog2()
}

/// Which of the node's CPUs, by their place in its order, use each transmit queue: all of them, evenly.
fn senders(queues: usize, cpus: usize) -> Vec<Vec<usize>> {
    match queues {
        0 | 1 => Vec::new(),
        _ => (0..queues)
            .map(|queue| if queue < cpus { (queue..cpus).step_by(queues).collect() } else { vec![queue] })
            .collect(),
    }
}

/// Flows that are followed on the whole host: none where no card has any to follow.
pub(super) fn flows(layouts: &[Layout]) -> u32 {
    if layouts.iter().any(|layout| layout.flows > 0) { FLOWS } else { 0 }
}
