//! What the host was before an upgrade, literally: the files, links and units of each part as resources again, so that
//! going back is converging them like any other desired parts.
//!
//! One file per part, for root alone, because private keys are among what is kept. All of them belong to one upgrade.
//! A part is kept once: a run that comes again would find the half-upgraded host.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};

use super::atomic::{self, Attributes};
use super::machine::{Machine, STATE, found};
use super::owner::Accounts;
use super::protocol::{Failure, Upgrade};
use super::resource::Context;
use super::systemd;
use crate::desired::state::{Absent, File, PartState, ProxyConfiguration, Resource, Symlink, Unit};

/// What is kept of one part.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    upgrade: Upgrade,
    state: PartState,
}

/// Keeps what `parts` are now, for `upgrade`. Parts that are kept for it already stay as they are; what was kept for
/// another upgrade goes. What cannot be read is an error, and then nothing is written.
pub(super) fn keep(machine: &Machine, upgrade: &Upgrade, parts: &[PartState]) -> Result<(), Failure> {
    let known = records(machine)?;
    let (known, others): (Vec<_>, Vec<_>) = known.into_iter().partition(|record| record.upgrade == *upgrade);
    let is_kept = |state: &&PartState| known.iter().any(|record| record.state.part == state.part);
    let new: Vec<PartState> = parts.iter().filter(|state| !is_kept(state)).cloned().collect();
    let (mut kept, mut failures) = (Vec::new(), Vec::new());
    let look = Look { cx: Context::new(machine, &new)?, accounts: Accounts::read(machine)? };
    for state in new {
        match look.at(&state) {
            Ok(state) => kept.push(Record { upgrade: upgrade.clone(), state }),
            Err(mut why) => failures.append(&mut why),
        }
    }
    if let Some(failure) = Failure::all(failures) {
        let unchanged = "nothing was changed: an upgrade begins only when it could be taken back";
        let hint = failure.hint.as_ref().map_or_else(|| unchanged.to_owned(), |hint| format!("{hint}; {unchanged}"));
        return Err(failure.hint(hint));
    }
    if !others.is_empty() {
        // First, so that a run that is killed in between never leaves records of two upgrades.
        forget(machine)?;
    }
    kept.iter().try_for_each(|record| write(machine, record))
}

/// What is kept, and for which upgrade; parts in the order in which they are brought about.
pub(super) fn kept(machine: &Machine) -> Result<(Option<Upgrade>, Vec<PartState>), Failure> {
    let mut records = records(machine)?;
    records.sort_by_key(|record| record.state.part);
    let upgrade = records.first().map(|record| record.upgrade.clone());
    Ok((upgrade, records.into_iter().map(|record| record.state).collect()))
}

/// Removes what is kept.
pub(super) fn forget(machine: &Machine) -> Result<(), Failure> {
    let directory = machine.root.at(directory());
    let removed = found(fs::remove_dir_all(&directory)).and_then(|there| match there {
        Some(()) => atomic::sync_directory(&machine.root.at(STATE)),
        None => Ok(()),
    });
    removed.map_err(|error| Failure::new(format!("removing {}", directory.display()), error))
}

fn directory() -> String {
    format!("{STATE}/previous")
}

fn records(machine: &Machine) -> Result<Vec<Record>, Failure> {
    let names = machine.names(&directory())?;
    let read = |name: &String| {
        let path = format!("{}/{name}", directory());
        let text = machine.text(&path)?.unwrap_or_default();
        // The error's own words could hold a piece of what is kept.
        let broken = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            let hint = format!("without it the upgrade that was begun cannot be taken back; remove {path} to go on");
            Failure::new(format!("reading {path}"), format!("damaged at line {line}, column {column}")).hint(hint)
        };
        serde_json::from_str(&text).map_err(broken)
    };
    names.iter().filter(|name| !atomic::is_ours(name)).map(read).collect()
}

fn write(machine: &Machine, record: &Record) -> Result<(), Failure> {
    let directory = machine.own_directory(&directory())?;
    let path = directory.join(format!("{}.json", record.state.part));
    let text = serde_json::to_vec(record).map_err(std::io::Error::other);
    let written = text.and_then(|text| {
        atomic::write(&path, &text, Attributes { mode: 0o600, owner: None })?;
        atomic::sync_directory(&machine.root.at(STATE))
    });
    written.map_err(|error| Failure::writing(format!("writing {}", path.display()), &error, &directory))
}

/// One look at a host.
struct Look {
    cx: Context,
    accounts: Accounts,
}

impl Look {
    /// The part as it is on the host now; all that cannot be looked at is told at once.
    fn at(&self, state: &PartState) -> Result<PartState, Vec<Failure>> {
        let (mut gone, mut resources, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for resource in &state.resources {
            match self.resource(resource) {
                // A unit is stopped while systemd still has its file.
                Ok(Some(Resource::Unit(unit))) if !unit.enabled && !unit.running => gone.push(Resource::Unit(unit)),
                Ok(found) => resources.extend(found),
                Err(failure) => failures.push(failure),
            }
        }
        gone.append(&mut resources);
        if failures.is_empty() { Ok(PartState { part: state.part, resources: gone }) } else { Err(failures) }
    }

    /// What stands in the place of `resource`; nothing for kinds that an upgrade does not take anything away from.
    fn resource(&self, resource: &Resource) -> Result<Option<Resource>, Failure> {
        match resource {
            Resource::File(file) => self.path(&file.path, Some(file)).map(Some),
            Resource::Symlink(symlink) => self.path(&symlink.path, None).map(Some),
            Resource::Absent(absent) => self.path(&absent.path, None).map(Some),
            Resource::Unit(unit) => self.unit(unit).map(|unit| Some(Resource::Unit(unit))),
            Resource::Proxy(proxy) => self.path(&proxy.file.path, Some(&proxy.file)).map(|found| Some(as_proxy(found))),
            _ => Ok(None),
        }
    }

    /// What is at `path`, where `desired` is to be.
    fn path(&self, path: &str, desired: Option<&File>) -> Result<Resource, Failure> {
        let what = format!("keeping {path}");
        let place = self.cx.machine.root.at(path);
        let failed = |error| Failure::new(&what, error);
        match found(fs::symlink_metadata(&place)).map_err(failed)? {
            None => Ok(Resource::Absent(Absent { path: path.to_owned() })),
            Some(meta) if meta.is_symlink() => {
                let target = fs::read_link(&place).map_err(failed)?.to_string_lossy().into_owned();
                Ok(Resource::Symlink(Symlink { path: path.to_owned(), target }))
            }
            Some(meta) if meta.is_file() => self.file(path, &meta, desired).map(Resource::File),
            Some(_) => Err(Failure::new(what, "neither a file nor a link").hint(format!("move {path} away"))),
        }
    }

    fn file(&self, path: &str, meta: &Metadata, desired: Option<&File>) -> Result<File, Failure> {
        let content = self.cx.machine.text(path)?;
        let content = content.ok_or_else(|| Failure::new(format!("keeping {path}"), "it went away meanwhile"))?;
        let mode = meta.mode() & 0o7777;
        // Of a file that is to go nobody has said whether it is secret; its own mode does.
        let secret = desired.map_or(mode & 0o077 == 0, |file| file.secret);
        Ok(File {
            path: path.to_owned(),
            mode,
            owner: self.accounts.owner((meta.uid(), meta.gid())),
            content,
            secret,
            restarts: desired.map(|file| file.restarts.clone()).unwrap_or_default(),
            reloads: desired.map(|file| file.reloads.clone()).unwrap_or_default(),
        })
    }

    fn unit(&self, unit: &Unit) -> Result<Unit, Failure> {
        let Unit { name, running, .. } = unit;
        if !systemd::is_there(&self.cx.machine)? {
            return Err(Failure::new(format!("keeping unit {name}"), "systemd does not run here"));
        }
        let enabled = self.cx.is_wanted(name)?;
        let running = match self.cx.units()?.get(name).map(|state| state.active.as_str()) {
            None | Some("" | "inactive" | "deactivating") => false,
            // It was meant to run, if it is now.
            Some("failed") => *running,
            Some(_) => true,
        };
        Ok(Unit { name: name.clone(), enabled, running })
    }
}

/// kube-proxy's configuration with the mode that stands in it.
fn as_proxy(found: Resource) -> Resource {
    match found {
        Resource::File(file) => {
            let mode = ProxyConfiguration::mode_of(&file.content).unwrap_or_default();
            Resource::Proxy(ProxyConfiguration { mode, file })
        }
        other => other,
    }
}

#[cfg(test)]
#[path = "previous_tests.rs"]
mod tests;
