//! What the resources of one request share: the host, one look at its units, images and accounts, and what is owed
//! to systemd.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;

use super::super::command::{Command, Output};
use super::super::containerd;
use super::super::machine::Machine;
use super::super::owner::Accounts;
use super::super::pending;
use super::super::protocol::Failure;
use super::super::systemd::{UnitState, unit_of};
use crate::desired::state::{Owner, PartState, Resource};

/// One request's view of the host.
pub(in crate::host) struct Context {
    pub(in crate::host) machine: Machine,
    /// Units that the request mentions: systemd is asked about all of them at once.
    pub(in crate::host) mentioned: BTreeSet<String>,
    pub(in crate::host) units: RefCell<Option<Rc<BTreeMap<String, UnitState>>>>,
    pub(in crate::host) images: RefCell<Option<Rc<containerd::Images>>>,
    /// The request has told of a `daemon-reload`.
    pub(in crate::host) reload_told: Cell<bool>,
    /// This request has written files of units.
    pub(in crate::host) wrote_unit_files: Cell<bool>,
    /// And systemd has not been asked since whether it must read them again.
    pub(in crate::host) unit_files_changed: Cell<bool>,
    accounts: RefCell<Option<Rc<Accounts>>>,
    builtin: OnceCell<String>,
    /// Cause by unit: notes on disk, and what files of this request will ask for.
    owed: RefCell<BTreeMap<String, String>>,
}

impl Context {
    pub(in crate::host) fn new(machine: &Machine, parts: &[PartState]) -> Result<Self, Failure> {
        let read_from = |path: &str| unit_of(path).map(str::to_owned);
        let mentioned = |resource: &Resource| match resource {
            Resource::Unit(unit) => vec![unit.name.clone()],
            Resource::Stopped(unit) | Resource::GivenBack(unit) => vec![unit.name.clone()],
            Resource::File(file) => {
                file.restarts.iter().chain(&file.reloads).cloned().chain(read_from(&file.path)).collect()
            }
            Resource::Symlink(symlink) => read_from(&symlink.path).into_iter().collect(),
            Resource::Absent(absent) => read_from(&absent.path).into_iter().collect(),
            Resource::Attribute(attribute) => attribute.restarts.clone(),
            _ => Vec::new(),
        };
        Ok(Self {
            machine: machine.clone(),
            mentioned: parts.iter().flat_map(|state| &state.resources).flat_map(mentioned).collect(),
            units: RefCell::default(),
            images: RefCell::default(),
            reload_told: Cell::new(false),
            wrote_unit_files: Cell::new(false),
            unit_files_changed: Cell::new(false),
            accounts: RefCell::default(),
            builtin: OnceCell::new(),
            owed: RefCell::new(pending::owed(machine)?),
        })
    }

    /// Users and groups, read once.
    pub(super) fn accounts(&self) -> Result<Rc<Accounts>, Failure> {
        if let Some(accounts) = &*self.accounts.borrow() {
            return Ok(Rc::clone(accounts));
        }
        let accounts = Rc::new(Accounts::read(&self.machine)?);
        *self.accounts.borrow_mut() = Some(Rc::clone(&accounts));
        Ok(accounts)
    }

    /// A user was made.
    pub(super) fn forget_accounts(&self) {
        *self.accounts.borrow_mut() = None;
    }

    /// The ids of an owner that must exist by now.
    pub(super) fn ids(&self, what: &str, owner: &Owner) -> Result<(u32, u32), Failure> {
        self.accounts()?.ids(owner).ok_or_else(|| {
            let why = format!("there is no user {} or no group {} on this host", owner.user, owner.group);
            Failure::new(what, why).hint("run the same command again: the part that makes the user comes first")
        })
    }

    /// Modules that are part of the running kernel, as paths.
    pub(super) fn builtin_modules(&self) -> Result<&str, Failure> {
        if let Some(text) = self.builtin.get() {
            return Ok(text);
        }
        let release = self.machine.text("/proc/sys/kernel/osrelease")?.unwrap_or_default();
        let text = self.machine.text(&format!("/lib/modules/{}/modules.builtin", release.trim()))?;
        Ok(self.builtin.get_or_init(|| text.unwrap_or_default()))
    }

    /// Runs a command that `what` needs.
    pub(in crate::host) fn run(&self, what: &str, command: &Command) -> Result<Output, Failure> {
        self.machine.system.run(command).map_err(|error| Failure::command(what, &error))
    }

    /// Why `name` is owed, where it is.
    pub(in crate::host) fn owes(&self, name: &str) -> Option<String> {
        self.owed.borrow().get(name).cloned()
    }

    /// A file that is about to change will make `name` owed.
    pub(in crate::host) fn will_owe(&self, name: &str, cause: &str) {
        self.owed.borrow_mut().entry(name.to_owned()).or_insert_with(|| cause.to_owned());
    }

    /// A file changes now: the note comes first.
    pub(in crate::host) fn note(&self, name: &str, cause: &str) -> Result<(), Failure> {
        self.will_owe(name, cause);
        pending::note(&self.machine, name, cause)
    }

    /// What was owed is done.
    pub(in crate::host) fn settle(&self, name: &str) -> Result<(), Failure> {
        self.owed.borrow_mut().remove(name);
        pending::settle(&self.machine, name)
    }

    /// Told, not done: a diff shows each debt once.
    pub(in crate::host) fn told(&self, name: &str) {
        self.owed.borrow_mut().remove(name);
    }

    /// Makes the missing parents of `path`, with mode 0755 whatever the session's umask is.
    pub(super) fn make_parents(&self, what: &str, path: &Path) -> Result<(), Failure> {
        let Some(parent) = path.parent() else { return Ok(()) };
        make_directories(parent).map_err(|error| Failure::new(format!("{what}: making {}", parent.display()), error))
    }
}

fn make_directories(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_directories(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other.and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755))),
    }
}
