//! Services of a distribution as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::cluster::{Handling, Service};

/// Services that get into the way of a cluster, and what is done about each.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::inventory) struct SpecServices {
    /// Drops the traffic of pods and services, and between hosts.
    #[schemars(extend("default" = "leave"))]
    pub(in crate::inventory) firewalld: Option<Handling>,
    /// Drops the traffic of pods and services, and between hosts.
    #[schemars(extend("default" = "leave"))]
    pub(in crate::inventory) ufw: Option<Handling>,
    /// Lets only programs of packages run, and those under /opt/kubewright are not.
    #[schemars(extend("default" = "leave"))]
    pub(in crate::inventory) fapolicyd: Option<Handling>,
    /// Sets sysctls after everybody else.
    #[schemars(extend("default" = "leave"))]
    pub(in crate::inventory) tuned: Option<Handling>,
    /// Ends pods under memory pressure before the kubelet evicts them.
    #[schemars(extend("default" = "leave"))]
    pub(in crate::inventory) systemd_oomd: Option<Handling>,
}

impl SpecServices {
    /// What is said of `service`.
    pub(in crate::inventory) fn of(&self, service: Service) -> Option<Handling> {
        match service {
            Service::Firewalld => self.firewalld,
            Service::Ufw => self.ufw,
            Service::Fapolicyd => self.fapolicyd,
            Service::Tuned => self.tuned,
            Service::SystemdOomd => self.systemd_oomd,
        }
    }
}
