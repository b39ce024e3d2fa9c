//! Undoes the preparation of the kernel: the files of the next boot, the names in /etc/hosts, and swap.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::super::atomic::{self, Attributes};
use super::super::irq;
use super::super::protocol::{Action, Failure};
use super::super::resource::{attribute, originals, swap, sysctls, without_blocks};
use super::{Work, files};
use crate::desired::state::Part;

/// Directories of fragments; ours have kubewright in their names.
const FRAGMENTS: [&str; 10] = [
    "/etc/sysctl.d",
    "/etc/modules-load.d",
    "/etc/modprobe.d",
    "/etc/sysusers.d",
    "/etc/tmpfiles.d",
    "/etc/udev/rules.d",
    "/etc/logrotate.d",
    "/etc/NetworkManager/conf.d",
    "/etc/systemd/network",
    "/etc/systemd/system.conf.d",
];
const HOSTS: &str = "/etc/hosts";

pub(super) fn restore(work: &mut Work) {
    for directory in FRAGMENTS {
        let names = work.look(work.machine.names(directory));
        for name in names.iter().filter(|name| name.contains("kubewright")) {
            files::remove_path(work, Part::Kernel, &format!("{directory}/{name}"));
        }
    }
    hosts(work);
    bring_back_sysctls(work);
    bring_back_attributes(work);
    irqbalance(work);
    bring_back_swap(work);
}

/// Live values as they were before the first run. A key that is gone with its module needs nothing.
fn bring_back_sysctls(work: &mut Work) {
    let machine = work.machine;
    let text = work.look(machine.text(&sysctls::before())).unwrap_or_default();
    let values = originals::parse(&text);
    if values.is_empty() {
        return;
    }
    work.step(Part::Kernel, "sysctls", Action::Update, format!("{} brought back", values.len()), |machine| {
        let failed = |(key, value): (&&str, &&str)| sysctls::bring_back(machine, key, value).err();
        match Failure::all(values.iter().filter_map(failed).collect()) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    });
}

/// What files of sysfs held before the first run.
fn bring_back_attributes(work: &mut Work) {
    let text = work.look(work.machine.text(&attribute::before())).unwrap_or_default();
    for (path, value) in originals::parse(&text) {
        let title = format!("attribute {path}");
        work.step(Part::Kernel, title, Action::Update, format!("brought back to {value}"), |machine| {
            attribute::bring_back(machine, path, value)
        });
    }
}

/// It works on all interrupts again. Those of network cards stay where they are until it moves them, or the next boot.
fn irqbalance(work: &mut Work) {
    let told = work.look(irq::is_irqbalance_told(work.machine));
    if told {
        work.step(Part::Kernel, "irqbalance", Action::Update, "works on all interrupts again", irq::release_irqbalance);
    }
}

fn hosts(work: &mut Work) {
    let text = work.look(work.machine.text(HOSTS)).unwrap_or_default();
    let edited = without_blocks(&text).map_err(|why| {
        Failure::new(format!("taking our blocks out of {HOSTS}"), why).hint("mend the markers by hand and reset again")
    });
    let Some(rest) = work.look(edited) else { return };
    work.step(Part::Kernel, format!("blocks in {HOSTS}"), Action::Remove, "taken away", |machine| {
        let path = machine.root.at(HOSTS);
        let path = fs::canonicalize(&path).unwrap_or(path);
        let written = fs::metadata(&path).and_then(|meta| {
            let attributes = Attributes { mode: meta.mode() & 0o7777, owner: Some((meta.uid(), meta.gid())) };
            atomic::write(&path, rest.as_bytes(), attributes)
        });
        written.map_err(|error| Failure::new(format!("writing {HOSTS}"), error))
    });
}

fn bring_back_swap(work: &mut Work) {
    let machine = work.machine;
    let units = work.look(machine.text(&swap::masked())).unwrap_or_default();
    if !units.is_empty() {
        work.step(Part::Kernel, "swap units", Action::Update, "unmasked", swap::unmask);
    }
    let fstab = work.look(machine.text("/etc/fstab")).unwrap_or_default();
    let restored = swap::restore(&fstab);
    if restored != fstab {
        work.step(Part::Kernel, "swap in /etc/fstab", Action::Update, "brought back", |machine| {
            swap::rewrite(machine, &restored)
        });
    }
    if work.look(machine.exists(&swap::before())) {
        work.step(Part::Kernel, "swap", Action::Start, "on again", swap::turn_on);
    }
}
