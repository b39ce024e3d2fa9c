//! What a lab looks like now.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::Serialize;

use super::network::Links;
use super::{Lab, LabError};

/// What a lab looks like now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its network namespace.
    pub namespace: String,
    /// Its inventory.
    pub inventory: PathBuf,
    /// Where commands inside it look for a kubeconfig.
    pub kubeconfig: PathBuf,
    /// Its hosts.
    pub hosts: Vec<HostStatus>,
}

/// What a host looks like now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostStatus {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its roles, separated by commas.
    pub role: String,
    /// What it does.
    pub state: HostState,
    /// The process that its kernel is on this machine; none while it is off or restarting.
    pub pid: Option<i32>,
}

/// What a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// It runs.
    Running,
    /// It is off.
    Stopped,
    /// It runs, but its cable is pulled.
    Cut,
}

impl HostState {
    /// The state as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Cut => "cut",
        }
    }
}

impl Lab {
    /// What the lab looks like now.
    pub fn status(&self) -> Result<Status, LabError> {
        // After a restart of this machine the files are there, but neither namespace nor hosts.
        let links = if self.namespace.exists() { Links::read(&self.namespace)? } else { Links::default() };
        let hosts = self.hosts().iter().map(|host| {
            let machine = self.machine(&host.name);
            let pid = machine.kernel().map(|kernel| kernel.pid());
            let state = match (pid.is_some() || machine.is_supervised(), links.is_connected(host)) {
                (false, _) => HostState::Stopped,
                (true, true) => HostState::Running,
                (true, false) => HostState::Cut,
            };
            HostStatus { name: host.name.clone(), address: host.address, role: host.role(), state, pid }
        });
        Ok(Status {
            name: self.name().to_string(),
            namespace: self.namespace().to_owned(),
            inventory: self.inventory(),
            kubeconfig: self.kubeconfig(),
            hosts: hosts.collect(),
        })
    }
}
