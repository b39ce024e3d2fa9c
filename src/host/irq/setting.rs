//! One file of the kernel that says where something is worked on: what it should hold, and what it holds.

use std::fs;
use std::io;

use super::super::machine::{Machine, found};
use super::super::protocol::Failure;
use super::layout::{self, Layout};
use super::nics::INTERFACES;
use crate::cluster::CpuSet;

/// What a file holds. The kernel writes the same set in several ways, so that sets are compared and not texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) enum Value {
    /// CPUs as a list.
    List(CpuSet),
    /// CPUs as a mask.
    Mask(CpuSet),
    /// A number.
    Number(u32),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::List(cpus) => cpus.to_string(),
            Self::Mask(cpus) => cpus.mask(),
            Self::Number(number) => number.to_string(),
        }
    }

    /// `text` as a value of the same kind.
    fn like(&self, text: &str) -> Result<Self, String> {
        match self {
            Self::List(_) => CpuSet::parse_list(text).map(Self::List),
            Self::Mask(_) => CpuSet::parse_mask(text).map(Self::Mask),
            Self::Number(_) => text.trim().parse().map(Self::Number).map_err(|_| format!("{text:?} is no number")),
        }
    }

    /// For people: sets as lists, `-` for none.
    pub(in crate::host) fn show(&self) -> String {
        match self {
            Self::List(cpus) | Self::Mask(cpus) if cpus.is_empty() => "-".to_owned(),
            Self::List(cpus) | Self::Mask(cpus) => cpus.to_string(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// What a file should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Setting {
    pub(in crate::host) path: String,
    /// The interrupt that it is about, where it is about one.
    pub(in crate::host) interrupt: Option<u32>,
    pub(in crate::host) wanted: Value,
}

/// Where the affinity of an interrupt stands.
pub(in crate::host) fn affinity(interrupt: u32) -> String {
    format!("/proc/irq/{interrupt}/smp_affinity_list")
}

/// The files of one card.
pub(in crate::host) fn of_card(layout: &Layout) -> Vec<Setting> {
    let setting = |path, wanted| Setting { path, interrupt: None, wanted };
    let queues = format!("{INTERFACES}/{}/queues", layout.nic);
    let mut settings = Vec::new();
    for (number, cpu) in &layout.interrupts {
        let wanted = Value::List([*cpu].into_iter().collect());
        settings.push(Setting { path: affinity(*number), interrupt: Some(*number), wanted });
    }
    for (index, cpus) in layout.receive.iter().enumerate() {
        settings.push(setting(format!("{queues}/rx-{index}/rps_cpus"), Value::Mask(cpus.clone())));
        settings.push(setting(format!("{queues}/rx-{index}/rps_flow_cnt"), Value::Number(layout.flows)));
    }
    for (index, cpus) in layout.transmit.iter().enumerate() {
        settings.push(setting(format!("{queues}/tx-{index}/xps_cpus"), Value::Mask(cpus.clone())));
    }
    settings
}

/// The table of flows that all cards share; where none needs it, it stays as it is.
pub(in crate::host) fn shared(layouts: &[Layout]) -> Option<Setting> {
    let flows = layout::flows(layouts);
    let path = "/proc/sys/net/core/rps_sock_flow_entries".to_owned();
    (flows > 0).then_some(Setting { path, interrupt: None, wanted: Value::Number(flows) })
}

/// What writing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Written {
    /// It holds what it should.
    Done,
    /// The kernel keeps this interrupt where its driver wants it.
    Managed(u32),
}

impl Setting {
    /// What the file holds now; none when this kernel or this card has no such file.
    pub(in crate::host) fn now(&self, machine: &Machine) -> Result<Option<Value>, Failure> {
        let failed = |why: String| Failure::new(format!("reading {}", self.path), why);
        match found(fs::read_to_string(machine.root.at(&self.path))) {
            Ok(text) => text.map(|text| self.wanted.like(&text)).transpose().map_err(failed),
            // A card with one queue has the file, and reading it is an error.
            Err(error) if unsupported(&error) => Ok(None),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Writes it and reads it back.
    pub(in crate::host) fn write(&self, machine: &Machine) -> Result<Written, Failure> {
        let text = self.wanted.text();
        let name = format!("writing {text} to {}", self.path);
        match fs::write(machine.root.at(&self.path), format!("{text}\n")) {
            Ok(()) => {}
            Err(error) => match self.interrupt {
                Some(number) if error.raw_os_error() == Some(nix::libc::EIO) => return Ok(Written::Managed(number)),
                _ => {
                    let hint = "the kernel or the card's driver refuses it (see dmesg on the host); `irq: {affinity: leave}` \
                                under `kernel` in the inventory keeps kubewright away from interrupts";
                    return Err(Failure::new(name, error).hint(hint));
                }
            },
        }
        match self.now(machine)? {
            Some(now) if now == self.wanted => Ok(Written::Done),
            now => {
                let now = now.map_or_else(|| "nothing".to_owned(), |now| now.text());
                let why = format!("the kernel took it without an error but says {now} afterwards");
                Err(Failure::new(name, why)
                    .hint("another program sets it too: irqbalance, tuned, or a vendor's script"))
            }
        }
    }
}

fn unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::ENOENT | nix::libc::EOPNOTSUPP | nix::libc::EINVAL | nix::libc::EIO))
}
