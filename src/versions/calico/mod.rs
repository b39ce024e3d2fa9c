//! Calico: which one goes with which Kubernetes, and what differs from one of its versions to the next.

pub mod extra;
pub mod fields;
pub mod roles;

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::cluster::{KubeVersion, Version};

/// Oldest minor of Calico 3 that the tables know.
pub const FIRST: u32 = 21;
/// Newest minor.
pub const LAST: u32 = 33;

/// A Calico that was not made for this Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "Calico {calico} does not go with Kubernetes {kubernetes}, which wants Calico {wanted}; use a cluster image with it"
)]
pub struct Mismatch {
    /// The plugin.
    pub calico: Version,
    /// The cluster's version.
    pub kubernetes: KubeVersion,
    wanted: String,
}

/// Refuses a Calico that was neither tried with this Kubernetes by its makers, nor is known to work.
pub fn pairing(calico: Version, kubernetes: KubeVersion) -> Result<(), Mismatch> {
    let minors = minors(kubernetes);
    if calico.major == 3 && minors.contains(&calico.minor) {
        return Ok(());
    }
    let (first, last) = (minors.start(), minors.end());
    let wanted = if first == last { format!("3.{first}") } else { format!("3.{first} to 3.{last}") };
    Err(Mismatch { calico, kubernetes, wanted })
}

/// Minors of Calico 3 that go with a Kubernetes.
pub fn minors(kubernetes: KubeVersion) -> RangeInclusive<u32> {
    match kubernetes.minor {
        ..=20 => 21..=22,
        21..=22 => 21..=24,
        23 => 23..=25,
        // From 1.25 on there is no policy/v1beta1, which 3.22 still asks for.
        24..=26 => 24..=28,
        27..=28 => 26..=28,
        29..=30 => 27..=29,
        31..=33 => 29..=31,
        34..=35 => 30..=33,
        36 => 32..=33,
        37.. => 33..=33,
    }
}

/// The container images of a Calico, each by the last element of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageNames {
    /// Felix, BIRD and confd.
    pub node: &'static str,
    /// What puts the CNI plugin on a host.
    pub cni: &'static str,
    /// The controllers.
    pub controllers: &'static str,
    /// Typha.
    pub typha: &'static str,
    /// CNI plugins of others, where the image of the CNI plugin does not hold them.
    pub plugins: Option<&'static str>,
}

/// What the container images are called.
pub fn images(calico: Version) -> ImageNames {
    if is_one_program(calico) {
        let plugins = Some("third-party-cni-plugins");
        ImageNames { node: "node", cni: "calico", controllers: "calico", typha: "calico", plugins }
    } else {
        ImageNames { node: "node", cni: "cni", controllers: "kube-controllers", typha: "typha", plugins: None }
    }
}

/// Whether all of Calico is one program, which is told what to be: `calico component …`.
pub fn is_one_program(calico: Version) -> bool {
    calico.minor >= 33
}

/// Whether the CNI plugin has an account of its own; before, it borrows that of the nodes.
pub fn has_own_cni_account(calico: Version) -> bool {
    calico.minor >= 26
}

/// Whether kube-controller-manager must be let in to the tiers of policies.
pub fn has_tier_getter(calico: Version) -> bool {
    calico.minor >= 30
}

/// Whether the rules of the CRDs' group are wanted for the group of the API `v3`, too.
pub fn has_two_groups(calico: Version) -> bool {
    calico.minor >= 32
}

/// The version of CNI that the network's configuration is written in.
pub fn cni_version(calico: Version) -> &'static str {
    if calico >= Version::new(3, 32, 2) { "1.0.0" } else { "0.3.1" }
}

/// Whether a CNI plugin limits the bandwidth of pods; from 3.30 on Felix does.
pub fn has_bandwidth_plugin(calico: Version) -> bool {
    calico.minor <= 29
}

/// Whether its pods run with the runtime's seccomp profile, and the controllers without root.
pub fn is_confined(calico: Version) -> bool {
    calico.minor >= 29
}

/// What kube-controllers looks after.
pub fn controllers(calico: Version) -> &'static str {
    if calico.minor >= 30 { "node,loadbalancer" } else { "node" }
}

/// Whether a pool says if addresses are taken from it without being asked for.
pub fn has_assignment_mode(calico: Version) -> bool {
    calico.minor >= 30
}

/// Whether VXLAN carries IPv6.
pub fn has_vxlan_over_ipv6(calico: Version) -> bool {
    calico.minor >= 23
}

/// Whether a Typha that ends sends its clients away little by little.
pub fn has_slow_shutdown(calico: Version) -> bool {
    calico.minor >= 25
}

/// Whether a BGPFilter tells a node's own routes from those that it was told.
pub fn filters_by_source(calico: Version) -> bool {
    calico.minor >= 27
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::supported;

    fn calico(minor: u32) -> Version {
        Version::new(3, minor, 1)
    }

    #[test]
    fn every_kubernetes_has_a_calico_and_every_calico_a_kubernetes() {
        let kubernetes = |minor| KubeVersion::new(1, minor, 0);
        for minor in supported::FIRST..=supported::LAST {
            let minors = minors(kubernetes(minor));
            assert!(!minors.is_empty() && *minors.start() >= FIRST && *minors.end() <= LAST, "1.{minor}");
        }
        for minor in FIRST..=LAST {
            let mut all = supported::FIRST..=supported::LAST;
            assert!(all.any(|other| pairing(calico(minor), kubernetes(other)).is_ok()), "3.{minor}");
        }
    }

    #[test]
    fn pairs_are_those_that_were_tried() {
        for (kubernetes, first, last) in [
            (20, 21, 22),
            (21, 21, 24),
            (22, 21, 24),
            (23, 23, 25),
            (24, 24, 28),
            (25, 24, 28),
            (26, 24, 28),
            (27, 26, 28),
            (28, 26, 28),
            (29, 27, 29),
            (30, 27, 29),
            (31, 29, 31),
            (32, 29, 31),
            (33, 29, 31),
            (34, 30, 33),
            (35, 30, 33),
            (36, 32, 33),
            (37, 33, 33),
        ] {
            let version = KubeVersion::new(1, kubernetes, 4);
            let good: Vec<u32> = (0..50).filter(|minor| pairing(calico(*minor), version).is_ok()).collect();
            assert_eq!(good, (first..=last).collect::<Vec<_>>(), "1.{kubernetes}");
            assert!(pairing(Version::new(4, first, 0), version).is_err());
        }
    }

    #[test]
    fn who_does_not_fit_is_named_with_who_would() {
        let message = |calico: &str, minor| {
            pairing(calico.parse().unwrap(), KubeVersion::new(1, minor, 2)).unwrap_err().to_string()
        };
        assert_eq!(
            message("v3.30.7", 20),
            "Calico v3.30.7 does not go with Kubernetes v1.20.2, which wants Calico 3.21 to 3.22; \
             use a cluster image with it"
        );
        assert!(message("v3.32.0", 37).contains("wants Calico 3.33;"), "{}", message("v3.32.0", 37));
    }

    /// The minors for which something holds.
    fn holding(holds: impl Fn(Version) -> bool) -> Vec<u32> {
        (FIRST..=LAST).filter(|minor| holds(calico(*minor))).collect()
    }

    #[test]
    fn each_difference_begins_and_ends_at_its_minor() {
        let since = |minor: u32| (minor..=LAST).collect::<Vec<_>>();
        assert_eq!(holding(is_one_program), since(33));
        assert_eq!(holding(has_own_cni_account), since(26));
        assert_eq!(holding(has_tier_getter), since(30));
        assert_eq!(holding(has_two_groups), since(32));
        assert_eq!(holding(has_bandwidth_plugin), (FIRST..=29).collect::<Vec<_>>());
        assert_eq!(holding(is_confined), since(29));
        assert_eq!(holding(has_assignment_mode), since(30));
        assert_eq!(holding(has_vxlan_over_ipv6), since(23));
        assert_eq!(holding(has_slow_shutdown), since(25));
        assert_eq!(holding(|calico| controllers(calico).contains("loadbalancer")), since(30));
        assert_eq!(holding(|calico| images(calico).plugins.is_some()), since(33));
    }

    #[test]
    fn the_version_of_cni_changes_within_a_minor() {
        for (text, cni) in
            [("3.21.5", "0.3.1"), ("3.31.7", "0.3.1"), ("3.32.1", "0.3.1"), ("3.32.2", "1.0.0"), ("3.33.0", "1.0.0")]
        {
            assert_eq!(cni_version(text.parse().unwrap()), cni, "{text}");
        }
    }

    #[test]
    fn images_have_the_names_of_their_time() {
        let names = images(calico(32));
        assert_eq!(
            [names.node, names.cni, names.controllers, names.typha],
            ["node", "cni", "kube-controllers", "typha"]
        );
        let names = images(calico(33));
        assert_eq!([names.node, names.cni, names.controllers, names.typha], ["node", "calico", "calico", "calico"]);
    }
}
