//! Services of a distribution that get into the way of a cluster, and what is done about them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A service of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Firewall of Red Hat's family.
    Firewalld,
    /// Firewall of Ubuntu.
    Ufw,
    /// Lets only programs of packages run.
    Fapolicyd,
    /// Sets sysctls, governors and disks by profile.
    Tuned,
    /// Ends the processes of whole control groups under memory pressure.
    SystemdOomd,
}

impl Service {
    /// Every service that kubewright knows to stop.
    pub const ALL: [Self; 5] = [Self::Firewalld, Self::Ufw, Self::Fapolicyd, Self::Tuned, Self::SystemdOomd];

    /// The service as written in the inventory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firewalld => "firewalld",
            Self::Ufw => "ufw",
            Self::Fapolicyd => "fapolicyd",
            Self::Tuned => "tuned",
            Self::SystemdOomd => "systemd-oomd",
        }
    }

    /// Its units, in the order in which they are stopped: a socket would start its service again.
    pub fn units(self) -> &'static [&'static str] {
        match self {
            Self::Firewalld => &["firewalld.service"],
            Self::Ufw => &["ufw.service"],
            Self::Fapolicyd => &["fapolicyd.service"],
            Self::Tuned => &["tuned-ppd.service", "tuned.service"],
            Self::SystemdOomd => &["systemd-oomd.socket", "systemd-oomd.service"],
        }
    }

    /// Whether it drops packets.
    pub fn is_firewall(self) -> bool {
        matches!(self, Self::Firewalld | Self::Ufw)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is done about a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Handling {
    /// Nothing; preflight tells what it means that it runs. What an earlier run stopped is given back.
    #[default]
    Leave,
    /// It is stopped and kept from starting; `reset` gives it back.
    Stop,
}

/// The services of a host that are stopped; the others are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Services(BTreeSet<Service>);

impl Services {
    /// What is done about `service`.
    pub fn handling(&self, service: Service) -> Handling {
        if self.0.contains(&service) { Handling::Stop } else { Handling::Leave }
    }

    /// Decides about `service`.
    pub fn set(&mut self, service: Service, handling: Handling) {
        match handling {
            Handling::Stop => self.0.insert(service),
            Handling::Leave => self.0.remove(&service),
        };
    }

    /// The services that are stopped.
    pub fn stopped(&self) -> impl Iterator<Item = Service> + '_ {
        self.0.iter().copied()
    }
}
