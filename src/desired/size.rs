//! How much of a host is kept for what: pods, the node's own daemons, the control plane.

use std::fmt;

use crate::cluster::{Facts, QualityOfService, Role, Roles};

/// Processor time and memory, in the units of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    /// Thousandths of a CPU.
    pub(super) millicpus: u64,
    /// Mebibytes.
    pub(super) mebibytes: u64,
}

impl Amount {
    /// `250m`.
    pub(super) fn cpu(&self) -> String {
        format!("{}m", self.millicpus)
    }

    /// `512Mi`.
    pub(super) fn memory(&self) -> String {
        format!("{}Mi", self.mebibytes)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.cpu(), self.memory())
    }
}

/// What pods cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reserved {
    /// kubelet and containerd.
    pub(super) kube: Amount,
    /// Everything else outside of pods; etcd where it runs.
    pub(super) system: Amount,
}

/// Memory is taken in steps of 256 MiB: kernels differ by some pages in what they say, and that must change nothing.
fn memory(facts: &Facts) -> u64 {
    (facts.memory >> 28) * 256
}

/// Part of `total` by steps: so many thousandths of each slice of that width, the rest of the last.
fn stepwise(total: u64, steps: &[(u64, u64)]) -> u64 {
    let (sum, _) = steps.iter().fold((0, total), |(sum, left), (width, thousandths)| {
        let slice = left.min(*width);
        (sum + slice * thousandths / 1000, left - slice)
    });
    sum
}

/// What pods cannot have on a host with these roles. The kubelet's part follows the steps that the large providers use.
pub(super) fn reserved(facts: &Facts, roles: &Roles) -> Reserved {
    let cpus = u64::from(facts.cpus.max(1)) * 1000;
    let memory = memory(facts);
    let kube = Amount {
        millicpus: stepwise(cpus, &[(1000, 60), (1000, 10), (2000, 5), (u64::MAX, 2)]),
        mebibytes: stepwise(memory, &[(4096, 250), (4096, 200), (8192, 100), (114_688, 60), (u64::MAX, 20)]),
    };
    let mut system = Amount { millicpus: 100, mebibytes: (memory / 20).clamp(128, 1024) };
    if roles.contains(Role::Etcd) {
        system.millicpus += (cpus / 20).clamp(50, 2000);
        system.mebibytes += (memory / 10).clamp(256, 8192);
    }
    Reserved { kube, system }
}

/// What a component of the control plane asks for, and may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// Asks for this much processor time, and may take what is free.
    Burstable(u64),
    /// Gets this, and no more.
    Guaranteed(Amount),
}

/// The share of a component. Guaranteed ones are parts of what the host can give to pods: the control plane gets most
/// of a host of its own, and less than half of one that also runs workloads.
pub(super) fn control_plane(component: &str, facts: &Facts, roles: &Roles, class: QualityOfService) -> Share {
    // Thousandths of processor time and of memory; least processor time and memory.
    let (request, cpu, memory_part, least) = match component {
        "kube-apiserver" => (250, 500, 450, Amount { millicpus: 250, mebibytes: 512 }),
        "kube-controller-manager" => (200, 200, 150, Amount { millicpus: 200, mebibytes: 256 }),
        _ => (100, 100, 100, Amount { millicpus: 100, mebibytes: 128 }),
    };
    if class == QualityOfService::Burstable {
        return Share::Burstable(request);
    }
    let kept = reserved(facts, roles);
    let part = if roles.contains(Role::Worker) { 500 } else { 1000 };
    let of = |total: u64, kept: u64, thousandths: u64| total.saturating_sub(kept) * thousandths * part / 1_000_000;
    let cpus = u64::from(facts.cpus.max(1)) * 1000;
    Share::Guaranteed(Amount {
        millicpus: of(cpus, kept.kube.millicpus + kept.system.millicpus, cpu).max(least.millicpus),
        mebibytes: of(memory(facts), kept.kube.mebibytes + kept.system.mebibytes, memory_part).max(least.mebibytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(cpus: u32, gibibytes: u64) -> Facts {
        // A little less than it says on the box, as kernels report it.
        Facts { cpus, memory: (gibibytes << 30) - (40 << 20), ..Facts::default() }
    }

    fn roles(roles: &[Role]) -> Roles {
        roles.iter().copied().collect()
    }

    #[test]
    fn the_reserve_grows_slower_than_the_host() {
        for (cpus, gibibytes, expected) in [
            (1, 3, "60m 704Mi / 100m 140Mi"),
            (4, 16, "80m 2636Mi / 100m 806Mi"),
            (64, 256, "200m 12159Mi / 100m 1024Mi"),
        ] {
            let Reserved { kube, system } = reserved(&facts(cpus, gibibytes), &roles(&[Role::Worker]));
            assert_eq!(format!("{kube} / {system}"), expected);
        }
    }

    #[test]
    fn etcd_has_its_own_part() {
        let without = reserved(&facts(8, 32), &roles(&[Role::ControlPlane])).system;
        let with = reserved(&facts(8, 32), &roles(&[Role::ControlPlane, Role::Etcd])).system;
        assert_eq!(with.millicpus - without.millicpus, 400);
        assert_eq!(with.mebibytes - without.mebibytes, 3251);
    }

    #[test]
    fn a_few_pages_more_or_less_change_nothing() {
        let roles = roles(&[Role::Worker]);
        let memory = 32 << 30;
        let small = Facts { cpus: 8, memory: memory - (90 << 20), ..Facts::default() };
        let large = Facts { cpus: 8, memory: memory - (40 << 20), ..Facts::default() };
        assert_eq!(reserved(&small, &roles), reserved(&large, &roles));
    }

    #[test]
    fn guaranteed_shares_fit_into_the_host() {
        for (cpus, gibibytes) in [(2, 4), (8, 32), (128, 512)] {
            for roles in [roles(&[Role::ControlPlane, Role::Etcd]), roles(&[Role::ControlPlane, Role::Worker])] {
                let facts = facts(cpus, gibibytes);
                let kept = reserved(&facts, &roles);
                let shares =
                    ["kube-apiserver", "kube-controller-manager", "kube-scheduler"].map(
                        |component| match control_plane(component, &facts, &roles, QualityOfService::Guaranteed) {
                            Share::Guaranteed(amount) => amount,
                            Share::Burstable(_) => unreachable!("asked for guaranteed"),
                        },
                    );
                let cpu: u64 = shares.iter().map(|share| share.millicpus).sum();
                let memory: u64 = shares.iter().map(|share| share.mebibytes).sum();
                assert!(cpu + kept.kube.millicpus + kept.system.millicpus < u64::from(cpus) * 1000, "{shares:?}");
                assert!(memory + kept.kube.mebibytes + kept.system.mebibytes < gibibytes * 1024, "{shares:?}");
            }
        }
    }

    #[test]
    fn burstable_shares_are_kubeadms() {
        let share = |component| {
            control_plane(component, &facts(1, 1), &roles(&[Role::ControlPlane]), QualityOfService::Burstable)
        };
        assert_eq!(share("kube-apiserver"), Share::Burstable(250));
        assert_eq!(share("kube-controller-manager"), Share::Burstable(200));
        assert_eq!(share("kube-scheduler"), Share::Burstable(100));
    }
}
