//! Returns a host to bare: what kubewright brought is stopped, taken apart and removed, in the order in which it
//! stops depending on each other. A failure is noted and the rest goes on; doing it again does what is left.
//!
//! What stays: the etcd user (a later user must not inherit its id), and live sysctls and modules until a reboot.

mod disks;
mod files;
mod firewall;
mod kernel;
mod links;
mod mounts;
mod processes;
mod services;
mod thin_pool;
mod units;

use std::path::Path;

use super::command::Command;
use super::machine::Machine;
use super::protocol::{Action, Change, Event, Failure, PartChanges};
use crate::desired::state::Part;

/// Does all of it. `binary` is the running agent, which goes last.
pub(super) fn reset(
    machine: &Machine,
    binary: &Path,
    events: &mut dyn FnMut(Event),
) -> Result<Vec<PartChanges>, Failure> {
    let mut work = Work { machine, events, parts: Vec::new(), failures: Vec::new() };
    units::stop(&mut work);
    processes::kill(&mut work);
    mounts::unmount(&mut work);
    links::delete(&mut work);
    firewall::flush(&mut work);
    kernel::restore(&mut work);
    units::remove(&mut work);
    services::give_back(&mut work);
    thin_pool::remove(&mut work);
    files::remove(&mut work);
    disks::release(&mut work);
    // Its own memory is the last to go, and only after everything that it remembers is undone.
    if work.failures.is_empty() {
        // Otherwise a power cut could bring back what it remembers, and not the memory.
        files::sync(&mut work);
        files::remove_state(&mut work, binary);
        files::sync(&mut work);
    }
    match Failure::all(work.failures) {
        Some(failure) => Err(failure),
        None => Ok(work.parts),
    }
}

/// What was done so far, and what could not be.
struct Work<'a> {
    machine: &'a Machine,
    events: &'a mut dyn FnMut(Event),
    parts: Vec<PartChanges>,
    failures: Vec<Failure>,
}

impl Work<'_> {
    /// Runs one step and notes what came of it.
    fn step(
        &mut self,
        part: Part,
        resource: impl Into<String>,
        action: Action,
        summary: impl Into<String>,
        step: impl FnOnce(&Machine) -> Result<(), Failure>,
    ) {
        let change = Change { resource: resource.into(), action, summary: summary.into(), diff: None };
        (self.events)(Event::Changing { part, resource: change.resource.clone() });
        match step(self.machine) {
            Err(failure) => self.failures.push(failure),
            Ok(()) => {
                (self.events)(Event::Changed { part, change: change.clone() });
                match self.parts.iter_mut().find(|changes| changes.part == part) {
                    Some(changes) => changes.changes.push(change),
                    None => self.parts.push(PartChanges { part, changes: vec![change] }),
                }
            }
        }
    }

    /// What a look returned, or nothing, with the failure noted.
    fn look<T: Default>(&mut self, look: Result<T, Failure>) -> T {
        look.unwrap_or_else(|failure| {
            self.failures.push(failure);
            T::default()
        })
    }

    /// Runs a command for `what`.
    fn run(machine: &Machine, what: &str, command: &Command) -> Result<(), Failure> {
        machine.system.run(command).map(drop).map_err(|error| Failure::command(what, &error))
    }
}

#[cfg(test)]
mod tests;
