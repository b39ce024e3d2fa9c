//! What a stage is.

use std::time::Duration;

use super::waves;
use crate::cluster::{Host, Role};
use crate::desired::state::Part;

/// One step of a run, on some hosts, with a proof at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Name in output, logs and checkpoints.
    pub name: &'static str,
    /// Stages that must be done before.
    pub after: &'static [&'static str],
    /// Hosts that take part.
    pub hosts: Selector,
    /// What is done.
    pub work: Work,
    /// How many hosts at a time.
    pub pace: Pace,
    /// What must hold before the stage is done; checked even when nothing had to change.
    pub gate: Option<Gate>,
    /// What becomes of a host that fails.
    pub on_failure: OnFailure,
}

/// What becomes of a host that cannot be changed, or does not pass the gate afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It is left as it is: the next run goes on from there.
    Stop,
    /// What was kept of it before is put back, so that it serves again.
    PutBack,
}

/// Which hosts a stage is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// Every host.
    Everyone,
    /// Hosts with the role.
    Role(Role),
    /// Kubernetes nodes: masters and workers.
    Nodes,
    /// Workers that are not masters.
    PureWorkers,
    /// No host: the stage talks to the API.
    Api,
}

impl Selector {
    /// Whether `host` takes part.
    pub fn selects(self, host: &Host) -> bool {
        match self {
            Self::Everyone => true,
            Self::Role(role) => host.roles.contains(role),
            Self::Nodes => host.roles.is_node(),
            Self::PureWorkers => host.roles.contains(Role::Worker) && !host.roles.contains(Role::ControlPlane),
            Self::Api => false,
        }
    }
}

/// What a stage does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Send the blobs that a host's state needs and that it lacks.
    Distribute,
    /// Save a verified snapshot of etcd on one member, and each host's configuration and keys on the host.
    Backup,
    /// Remember what these parts and the cluster's objects are now, so that it can be put back.
    Keep(&'static [Part]),
    /// Bring these parts of a host's state about.
    Converge(&'static [Part]),
    /// The same on nodes that are emptied before, where that disturbs pods, and opened again afterwards.
    Roll(&'static [Part]),
    /// Make etcd's members those of the inventory.
    Membership,
    /// Apply those of the cluster's objects that say who may do what.
    Access,
    /// Apply the cluster's objects.
    Objects,
    /// Apply the cluster's objects as they were before the upgrade that is taken back.
    PutObjectsBack,
    /// Labels and taints of nodes.
    Nodes,
    /// Bring BGP about, in an order that loses no route.
    Peering,
    /// Apply the add-ons, and remove those that nobody wants any more.
    Addons,
    /// Nothing but the gate.
    Prove,
    /// Try the network between pods, where anything was changed.
    Network,
}

impl Work {
    /// The parts of a host that it changes.
    pub fn parts(self) -> &'static [Part] {
        match self {
            Self::Converge(parts) | Self::Roll(parts) => parts,
            _ => &[],
        }
    }

    /// Whether it is done or proven at the API, behind all hosts.
    pub fn is_at_the_api(self) -> bool {
        match self {
            Self::Access
            | Self::Objects
            | Self::PutObjectsBack
            | Self::Nodes
            | Self::Peering
            | Self::Addons
            | Self::Prove
            | Self::Network => true,
            Self::Distribute | Self::Backup | Self::Keep(_) | Self::Converge(_) | Self::Roll(_) | Self::Membership => {
                false
            }
        }
    }
}

/// How many hosts at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// All of them: nothing that runs there is disturbed.
    Together,
    /// Hosts where this unit is not active first and together (nothing runs there that could be disturbed, and etcd
    /// needs a quorum to start at all), then the others one by one, the gate after each.
    Careful(&'static str),
    /// As many at a time as the inventory allows to be out of service, never of two racks at once, the gate after each.
    Waves,
    /// Hosts whose pods are not disturbed first and together, then the others as in [`Pace::Waves`].
    Gently,
}

/// What a pace looks at.
pub trait Hosts {
    /// Whether a unit runs on a host.
    fn is_active(&self, host: &Host, unit: &str) -> bool;
    /// Whether the stage disturbs the pods of a host.
    fn is_disturbed(&self, host: &Host) -> bool;
    /// How many may be out of service.
    fn width(&self) -> usize;
}

impl Pace {
    /// Splits hosts into waves.
    pub fn waves<'h>(self, hosts: Vec<&'h Host>, look: &impl Hosts) -> Vec<Vec<&'h Host>> {
        let waves = match self {
            Self::Together => vec![hosts],
            Self::Careful(unit) => {
                let (alive, bare): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|host| look.is_active(host, unit));
                std::iter::once(bare).chain(alive.into_iter().map(|host| vec![host])).collect()
            }
            Self::Waves => waves::by_rack(&hosts, look.width()),
            Self::Gently => {
                let (disturbed, others): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|host| look.is_disturbed(host));
                std::iter::once(others).chain(waves::by_rack(&disturbed, look.width())).collect()
            }
        };
        waves.into_iter().filter(|wave| !wave.is_empty()).collect()
    }
}

/// A condition that proves the new state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Every member answers and is a started voter, all agree on one leader, raft terms are equal, no alarm.
    EtcdHealthy,
    /// Every API server's own `/readyz` is 200, asked on its own host.
    ApiServersReady,
    /// The mirror pods of the control plane are the ones just written, and ready.
    ControlPlaneRunning,
    /// Every controller-manager and scheduler answers its own health check, asked on its own host, whatever image it runs
    /// from.
    ControllersHealthy,
    /// Every kubelet answers its health check.
    KubeletsHealthy,
    /// The nodes just changed are Ready with their new kubelets, and their own pods are.
    NodesUpgraded,
    /// Every node is Ready.
    NodesReady,
    /// Every DaemonSet and Deployment that was applied is rolled out.
    WorkloadsAvailable,
}

impl Gate {
    /// Whether members hold a quorum or an endpoint together, so that one may be disturbed only while the others are
    /// well.
    pub fn guards_quorum(self) -> bool {
        matches!(self, Self::EtcdHealthy | Self::ApiServersReady)
    }

    /// How long a gate may take. Generous: on a slow machine an API server needs a minute, and a failed wait costs
    /// the operator more than a long one. Daemons roll through `nodes` by a tenth at a time, each round after the other:
    /// the kubelet of a busy node takes a minute to let go of a pod.
    pub fn deadline(self, nodes: usize) -> Duration {
        let rounds = u64::try_from(nodes.min(10)).unwrap_or_default();
        Duration::from_secs(match self {
            Self::EtcdHealthy | Self::KubeletsHealthy => 180,
            Self::ApiServersReady
            | Self::ControlPlaneRunning
            | Self::ControllersHealthy
            | Self::NodesUpgraded
            | Self::NodesReady => 300,
            Self::WorkloadsAvailable => 300 + 60 * rounds,
        })
    }

    /// What is waited for, in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::EtcdHealthy => "etcd members healthy with one leader",
            Self::ApiServersReady => "every API server ready",
            Self::ControlPlaneRunning => "the new control-plane pods running",
            Self::ControllersHealthy => "every controller-manager and scheduler healthy",
            Self::KubeletsHealthy => "every kubelet healthy",
            Self::NodesUpgraded => "the changed nodes Ready with their new kubelets",
            Self::NodesReady => "every node Ready",
            Self::WorkloadsAvailable => "add-ons rolled out",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::worker;

    /// Hosts of odd numbers are disturbed.
    struct Odd;

    impl Hosts for Odd {
        fn is_active(&self, _: &Host, _: &str) -> bool {
            true
        }

        fn is_disturbed(&self, host: &Host) -> bool {
            ["n1", "n3", "n5"].contains(&host.name.as_str())
        }

        fn width(&self) -> usize {
            2
        }
    }

    #[test]
    fn who_is_not_disturbed_need_not_wait_for_the_others() {
        let hosts: Vec<Host> = (0..6).map(|number| worker(&format!("n{number}"), number)).collect();
        let waves = Pace::Gently.waves(hosts.iter().collect(), &Odd);
        let names: Vec<Vec<&str>> =
            waves.iter().map(|wave| wave.iter().map(|host| host.name.as_str()).collect()).collect();
        assert_eq!(names[0], ["n0", "n2", "n4"]);
        assert!(names[1..].iter().all(|wave| wave.len() <= 2), "{names:?}");
        assert_eq!(names[1..].concat().len(), 3);
    }

    #[test]
    fn daemons_have_time_for_every_node() {
        let minutes = |nodes| Gate::WorkloadsAvailable.deadline(nodes).as_secs() / 60;
        assert_eq!([1, 5, 10, 1000].map(minutes), [6, 10, 15, 15]);
        assert_eq!(Gate::EtcdHealthy.deadline(1), Gate::EtcdHealthy.deadline(1000));
    }
}
