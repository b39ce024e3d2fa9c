//! The network cards of a host: queues and interrupts. Bonds, bridges and VLANs have none of their own, so that their
//! members are found where they are: among the cards.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::names;

pub(super) const INTERFACES: &str = "/sys/class/net";
/// Flag of an interface that is up, and types of those that have queues worth spreading: Ethernet and InfiniBand.
const UP: u32 = 1;
const KINDS: [&str; 2] = ["1", "32"];

/// A network card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Nic {
    /// Its interface.
    pub(in crate::host) name: String,
    /// The bond or bridge that it is a member of.
    pub(in crate::host) master: Option<String>,
    /// The NUMA node that it is plugged into.
    pub(in crate::host) node: u32,
    /// Receive queues.
    pub(in crate::host) receive: usize,
    /// Transmit queues.
    pub(in crate::host) transmit: usize,
    /// Interrupts of its queues, by number. Of a pair for both directions, both are here.
    pub(in crate::host) interrupts: BTreeMap<u32, Vector>,
}

/// An interrupt of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Vector {
    /// Which queue, from 0.
    pub(in crate::host) queue: usize,
    /// What the driver calls it.
    pub(in crate::host) name: String,
    /// How often it came, on all CPUs.
    pub(in crate::host) count: u64,
}

impl Nic {
    /// How many queues have interrupts.
    pub(in crate::host) fn queues(&self) -> usize {
        self.interrupts.values().map(|vector| vector.queue + 1).max().unwrap_or(0)
    }
}

/// The cards that are up, in order of their names.
pub(super) fn read(machine: &Machine) -> Result<Vec<Nic>, Failure> {
    let interrupts = interrupts(&machine.text("/proc/interrupts")?.unwrap_or_default());
    let mut nics = Vec::new();
    for name in machine.names(INTERFACES)? {
        let directory = format!("{INTERFACES}/{name}");
        if machine.exists(&format!("{directory}/device"))? && is_up(machine, &directory)? {
            let devices = devices(machine, &directory)?;
            let vectors = vectors(machine, &devices)?;
            let mine = vectors.into_iter().filter_map(|number| Some((number, interrupts.get(&number)?.clone())));
            let receive = queues(machine, &directory, "rx-")?;
            let transmit = queues(machine, &directory, "tx-")?;
            let mut interrupts = of_queues(mine.collect());
            // A driver may keep interrupts for queues that it does not use.
            interrupts.retain(|_, vector| vector.queue < receive.max(transmit));
            let (master, node) = (master(machine, &directory), node(machine, &devices)?);
            nics.push(Nic { name, master, node, receive, transmit, interrupts });
        }
    }
    Ok(nics)
}

fn is_up(machine: &Machine, directory: &str) -> Result<bool, Failure> {
    let attribute =
        |name: &str| Ok(machine.text(&format!("{directory}/{name}"))?.unwrap_or_default().trim().to_owned());
    let flags = attribute("flags")?;
    let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0);
    Ok(flags & UP == UP && KINDS.contains(&attribute("type")?.as_str()))
}

/// The bond, bridge or team above, and what the VLANs on it are called does not matter.
fn master(machine: &Machine, directory: &str) -> Option<String> {
    let link = fs::read_link(machine.root.at(format!("{directory}/master"))).ok()?;
    link.file_name().map(|name| name.to_string_lossy().into_owned())
}

/// Directories of the card's device: its own, and the one above. A virtio card is a device on a PCI device, which has
/// what the bus knows: the node and the interrupts.
fn devices(machine: &Machine, directory: &str) -> Result<Vec<String>, Failure> {
    let link = format!("{directory}/device");
    let own = fs::canonicalize(machine.root.at(&link));
    let own = own.map_err(|error| Failure::new(format!("following {link}"), error))?;
    let below = |path: &Path| Some(format!("/{}", path.strip_prefix(machine.root.directory()).ok()?.display()));
    Ok(own.ancestors().take(2).filter_map(below).collect())
}

fn node(machine: &Machine, devices: &[String]) -> Result<u32, Failure> {
    for device in devices {
        if let Some(text) = machine.text(&format!("{device}/numa_node"))? {
            // -1 where the firmware does not say.
            return Ok(text.trim().parse().unwrap_or(0));
        }
    }
    Ok(0)
}

fn vectors(machine: &Machine, devices: &[String]) -> Result<Vec<u32>, Failure> {
    for device in devices {
        let names = machine.names(&format!("{device}/msi_irqs"))?;
        if !names.is_empty() {
            return Ok(names.iter().filter_map(|name| name.parse().ok()).collect());
        }
    }
    // A card on an older bus has a single one, which the bus' device names.
    for device in devices {
        let line = machine.text(&format!("{device}/irq"))?.unwrap_or_default();
        if let Some(number) = line.trim().parse().ok().filter(|number| *number != 0) {
            return Ok(vec![number]);
        }
    }
    Ok(Vec::new())
}

fn queues(machine: &Machine, directory: &str, prefix: &str) -> Result<usize, Failure> {
    let names = machine.names(&format!("{directory}/queues"))?;
    Ok(names.iter().filter(|name| name.starts_with(prefix)).count())
}

/// Which of a card's interrupts belong to queues. Drivers number them from where they like, so it is their order that
/// counts; a card with a single interrupt has a single queue, whatever its name is.
fn of_queues(vectors: BTreeMap<u32, (String, u64)>) -> BTreeMap<u32, Vector> {
    let only = vectors.len() == 1;
    let numbered = |(number, (name, count)): (u32, (String, u64))| {
        let queue = if only { Some(0) } else { names::queue(&name) };
        Some((number, Vector { queue: queue?, name, count }))
    };
    let mut vectors: BTreeMap<u32, Vector> = vectors.into_iter().filter_map(numbered).collect();
    let mut known: Vec<usize> = vectors.values().map(|vector| vector.queue).collect();
    known.sort_unstable();
    known.dedup();
    for vector in vectors.values_mut() {
        vector.queue = known.binary_search(&vector.queue).unwrap_or(0);
    }
    vectors
}

/// Name and count of each interrupt in /proc/interrupts.
fn interrupts(text: &str) -> BTreeMap<u32, (String, u64)> {
    let cpus = text.lines().next().unwrap_or_default().split_whitespace().count();
    let line = |line: &str| {
        let (number, rest) = line.split_once(':')?;
        let counts = rest.split_whitespace().take(cpus).filter_map(|count| count.parse::<u64>().ok()).sum();
        let words: Vec<&str> = rest.split_whitespace().skip(cpus).collect();
        // Controller and hardware number come first; a name may have spaces: `eth0 (queue 3)`.
        let name = match words.as_slice() {
            [.., queue, number] if number.ends_with(')') => format!("{queue} {number}"),
            [.., name] => (*name).to_owned(),
            [] => String::new(),
        };
        Some((number.trim().parse().ok()?, (name, counts)))
    };
    text.lines().skip(1).filter_map(line).collect()
}
