//! Interrupts of network cards: which CPUs work on which queue. What there is is read from /proc and /sys each time,
//! because the kernel gives out the numbers of interrupts anew at every boot; where it goes is a pure function.
//!
//! Disks are left alone: NVMe spreads its queues itself, and the kernel lets nobody change that.

mod card;
mod cpus;
mod irqbalance;
mod layout;
mod names;
mod nics;
mod packets;
mod rows;
mod setting;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::machine::Machine;
use super::protocol::Failure;
use crate::cluster::Spread;

pub(super) use card::{changes as card_changes, is_asked as asks_for_cards, is_known as knows_cards};
pub(super) use irqbalance::{
    difference as irqbalance_difference, is_told as is_irqbalance_told, release as release_irqbalance,
    tell as tell_irqbalance,
};
pub(super) use layout::Layout;
pub(super) use nics::Nic;
pub(super) use setting::{Setting, Value, Written};

/// Numbers of the interrupts that the kernel keeps where they are, one a line. Below /run, because they are others after
/// the next boot.
const MANAGED: &str = "/run/kubewright/managed-interrupts";

/// Name of what all cards share.
pub(super) const SHARED: &str = "all cards";

/// The cards of a host, where their queues should be worked on, and which interrupts cannot be moved.
pub(super) struct Survey {
    pub(super) nics: Vec<Nic>,
    pub(super) layouts: Vec<Layout>,
    managed: BTreeSet<u32>,
    /// CPUs by NUMA node, to count the cores of.
    cpus: cpus::Cpus,
}

/// Files that hold something else than they should, with what they hold.
pub(super) struct Differences {
    /// The card's interface.
    pub(super) of: String,
    pub(super) settings: Vec<(Setting, Value)>,
}

impl Survey {
    /// Looks at everything.
    pub(super) fn new(machine: &Machine, spread: &Spread) -> Result<Self, Failure> {
        let cpus = cpus::Cpus::read(machine, &spread.leave_cpus)?;
        let nics = nics::read(machine)?;
        let text = machine.text(MANAGED)?.unwrap_or_default();
        let managed = text.lines().filter_map(|line| line.parse().ok()).collect();
        Ok(Self { layouts: layout::layout(&cpus, &nics), nics, managed, cpus })
    }

    /// Cores of the node that a card is plugged into.
    pub(super) fn cores(&self, nic: &Nic) -> usize {
        self.cpus.near(nic.node).1.cores
    }

    /// What differs, by card; what all cards share comes last.
    pub(super) fn differences(&self, machine: &Machine) -> Result<Vec<Differences>, Failure> {
        let differs = |setting: Setting| {
            if setting.interrupt.is_some_and(|number| self.managed.contains(&number)) {
                return Ok(None);
            }
            let now = setting.now(machine)?;
            Ok(now.filter(|now| *now != setting.wanted).map(|now| (setting, now)))
        };
        let mut differences = Vec::new();
        for layout in &self.layouts {
            let settings: Result<Vec<_>, Failure> =
                setting::of_card(layout).into_iter().map(differs).filter_map(Result::transpose).collect();
            differences.push(Differences { of: layout.nic.clone(), settings: settings? });
        }
        if let Some((setting, now)) = setting::shared(&self.layouts).map(differs).transpose()?.flatten()
            && !matches!((&setting.wanted, &now), (Value::Number(wanted), Value::Number(now)) if now > wanted)
        {
            differences.push(Differences { of: SHARED.to_owned(), settings: vec![(setting, now)] });
        }
        differences.retain(|found| !found.settings.is_empty());
        Ok(differences)
    }

    /// Every interrupt of a queue: those that irqbalance must leave alone.
    pub(super) fn interrupts(&self) -> BTreeSet<u32> {
        self.layouts.iter().flat_map(|layout| layout.interrupts.keys().copied()).collect()
    }
}

/// Remembers, until the next boot, that the kernel does not let an interrupt be moved.
pub(super) fn note_managed(machine: &Machine, number: u32) -> Result<(), Failure> {
    use std::io::Write as _;
    let path = machine.root.at(MANAGED);
    let noted = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path)?;
        writeln!(file, "{number}")
    });
    noted.map_err(|error| Failure::new(format!("writing {MANAGED}"), error))
}
