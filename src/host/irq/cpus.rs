//! The CPUs that may take interrupts, by NUMA node, in the order in which interrupts are laid on them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::machine::Machine;
use super::super::protocol::Failure;
use crate::cluster::CpuSet;

const CPUS: &str = "/sys/devices/system/cpu";
const NODES: &str = "/sys/devices/system/node";

/// One CPU as the kernel shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cpu {
    pub(super) number: u32,
    pub(super) node: u32,
    /// The lowest of the CPUs that share its core.
    pub(super) core: u32,
}

/// What of a NUMA node may take interrupts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Node {
    /// One thread of each core first, then their siblings. Never empty.
    pub(super) cpus: Vec<u32>,
    /// How many cores these are.
    pub(super) cores: usize,
}

/// The CPUs of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cpus {
    nodes: BTreeMap<u32, Node>,
    /// For cards on a node none of whose CPUs may take interrupts.
    any: Node,
}

impl Cpus {
    /// From CPUs that are online, without those of `spared`, unless that leaves none at all.
    pub(super) fn new(online: &[Cpu], spared: &CpuSet) -> Self {
        let usable: Vec<Cpu> = online.iter().copied().filter(|cpu| !spared.contains(cpu.number)).collect();
        let usable = if usable.is_empty() { online.to_vec() } else { usable };
        let numbers: BTreeSet<u32> = usable.iter().map(|cpu| cpu.node).collect();
        let of = |node: u32| usable.iter().copied().filter(|cpu| cpu.node == node).collect::<Vec<_>>();
        Self { nodes: numbers.into_iter().map(|node| (node, in_order(&of(node)))).collect(), any: in_order(&usable) }
    }

    /// Where the interrupts of a card on `node` go, with the node's name for counting: none when it is any node.
    pub(super) fn near(&self, node: u32) -> (Option<u32>, &Node) {
        self.nodes.get(&node).map_or((None, &self.any), |found| (Some(node), found))
    }

    /// Reads them. Isolated CPUs are left alone as `leave` are.
    pub(super) fn read(machine: &Machine, leave: &CpuSet) -> Result<Self, Failure> {
        let online = list(machine, &format!("{CPUS}/online"))?;
        let isolated = list(machine, &format!("{CPUS}/isolated"))?;
        let mut nodes = BTreeMap::new();
        for name in machine.names(NODES)? {
            let Some(node) = name.strip_prefix("node").and_then(|number| number.parse::<u32>().ok()) else { continue };
            let cpus = list(machine, &format!("{NODES}/{name}/cpulist"))?;
            nodes.extend(cpus.iter().map(|cpu| (cpu, node)));
        }
        let mut cpus = Vec::new();
        for number in online.iter() {
            let siblings = list(machine, &format!("{CPUS}/cpu{number}/topology/thread_siblings_list"))?;
            let core = siblings.iter().next().unwrap_or(number);
            cpus.push(Cpu { number, node: nodes.get(&number).copied().unwrap_or(0), core });
        }
        Ok(Self::new(&cpus, &isolated.iter().chain(leave.iter()).collect()))
    }
}

fn in_order(cpus: &[Cpu]) -> Node {
    let mut threads: BTreeMap<u32, u32> = BTreeMap::new();
    let mut ordered: Vec<(u32, u32)> = Vec::new();
    for cpu in cpus {
        let thread = threads.entry(cpu.core).or_default();
        ordered.push((*thread, cpu.number));
        *thread += 1;
    }
    ordered.sort_unstable();
    Node { cpus: ordered.into_iter().map(|(_, number)| number).collect(), cores: threads.len() }
}

/// A list of CPUs; an absent file names none.
fn list(machine: &Machine, path: &str) -> Result<CpuSet, Failure> {
    let text = machine.text(path)?.unwrap_or_default();
    CpuSet::parse_list(&text).map_err(|why| Failure::new(format!("reading {path}"), why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(threads: &[(u32, u32, u32)]) -> Vec<Cpu> {
        threads.iter().map(|(number, node, core)| Cpu { number: *number, node: *node, core: *core }).collect()
    }

    #[test]
    fn one_thread_of_each_core_comes_first() {
        // Siblings next to each other, as some firmware numbers them.
        let online = cpus(&[(0, 0, 0), (1, 0, 0), (2, 0, 2), (3, 0, 2)]);
        let cpus = Cpus::new(&online, &CpuSet::default());
        assert_eq!(cpus.near(0), (Some(0), &Node { cpus: vec![0, 2, 1, 3], cores: 2 }));
    }

    #[test]
    fn spared_cpus_get_none_unless_there_are_no_others() {
        let online = cpus(&[(0, 0, 0), (1, 0, 1), (2, 1, 2)]);
        let spared = |list: &str| Cpus::new(&online, &CpuSet::parse_list(list).unwrap());
        assert_eq!(spared("0").near(0).1.cpus, [1]);
        assert_eq!(spared("2").near(1), (None, &Node { cpus: vec![0, 1], cores: 2 }), "the node has no other");
        assert_eq!(spared("0-2").near(0).1.cpus, [0, 1]);
    }
}
