//! A lab that is there.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::layout::{Layout, Record};
use super::machine::Machine;
use super::namespace::Namespace;
use super::network::{self, Links};
use super::{LabError, LabHost, LabName, Places, Progress, files, requirements, wait};

/// A lab that is there. Dropping it changes nothing: hosts run until [`Lab::down`].
#[derive(Debug, Clone)]
pub struct Lab {
    pub(super) places: Places,
    pub(super) layout: Layout,
    pub(super) namespace: Namespace,
    pub(super) record: Record,
}

impl Lab {
    /// The lab called `name`.
    pub fn open(places: &Places, name: &LabName) -> Result<Self, LabError> {
        requirements::root()?;
        let layout = Layout { directory: places.lab(name) };
        let record = Record::read(&layout)?.ok_or_else(|| LabError::NoLab { name: name.to_string() })?;
        Ok(Self { places: places.clone(), layout, namespace: Namespace::new(name.namespace()), record })
    }

    /// Its name.
    pub fn name(&self) -> &LabName {
        &self.record.options.name
    }

    /// Its hosts, control plane first.
    pub fn hosts(&self) -> &[LabHost] {
        &self.record.hosts
    }

    /// The host called `name`.
    pub fn host(&self, name: &str) -> Result<&LabHost, LabError> {
        self.hosts().iter().find(|host| host.name == name).ok_or_else(|| LabError::NoHost {
            host: name.to_owned(),
            hosts: self.hosts().iter().map(|host| host.name.clone()).collect(),
        })
    }

    /// Its network namespace.
    pub fn namespace(&self) -> &str {
        self.namespace.name()
    }

    /// Everything that it keeps is in here.
    pub fn directory(&self) -> &Path {
        &self.layout.directory
    }

    /// The inventory of its hosts.
    pub fn inventory(&self) -> PathBuf {
        self.layout.inventory()
    }

    /// Where commands inside the lab look for a kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig()
    }

    /// The private key that logs in as `root`, `ops` and `opspw`.
    pub fn identity_file(&self) -> PathBuf {
        self.layout.keys().login()
    }

    /// The host keys of all hosts.
    pub fn known_hosts(&self) -> PathBuf {
        self.layout.known_hosts()
    }

    /// The file with the password that sudo asks the user `opspw` for.
    pub fn password_file(&self) -> PathBuf {
        self.layout.keys().password()
    }

    /// Cuts the power of a host. It stays off until [`Lab::start`].
    pub fn kill(&self, host: &str) -> Result<(), LabError> {
        self.machine(&self.host(host)?.name).stop()
    }

    /// Switches a host on and waits until it answers; one whose cable is cut is not waited for. Returns whether it was
    /// off.
    pub fn start(&self, host: &str, progress: Progress<'_>) -> Result<bool, LabError> {
        let host = self.host(host)?;
        let machine = self.machine(&host.name);
        let was_off = machine.start(&self.places.program)?;
        if Links::read(&self.namespace)?.is_connected(host) {
            wait::until_ssh(&self.namespace, &[(host.clone(), machine)], progress)?;
        }
        Ok(was_off)
    }

    /// Waits until a host answers SSH.
    pub fn wait(&self, host: &str, progress: Progress<'_>) -> Result<(), LabError> {
        let host = self.host(host)?;
        wait::until_ssh(&self.namespace, &[(host.clone(), self.machine(&host.name))], progress)
    }

    /// Pulls a host's network cable.
    pub fn cut(&self, host: &str) -> Result<(), LabError> {
        network::cut(&self.namespace, self.host(host)?)
    }

    /// Plugs it in again.
    pub fn heal(&self, host: &str) -> Result<(), LabError> {
        network::heal(&self.namespace, self.host(host)?)
    }

    pub(super) fn machine(&self, name: &str) -> Machine {
        Machine::new(&self.layout, &self.namespace, name)
    }
}

/// Keeps other commands from changing the lab for as long as the result lives.
pub(super) fn lock(layout: &Layout, name: &LabName) -> Result<File, LabError> {
    files::try_lock(&layout.directory)?.ok_or_else(|| LabError::Busy { name: name.to_string() })
}
