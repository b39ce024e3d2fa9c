//! containerd: while a cluster is rolled, a new runtime meets old kubelets and the other way round.

use thiserror::Error;

use crate::cluster::{KubeVersion, Version};
use crate::versions::containerd::{Mismatch, pairing};

/// A step of containerd that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContainerdImpossible {
    /// It goes back.
    #[error(
        "containerd {from} → {to} is a downgrade: what the newer one has written is not for the older one; \
         use an image with containerd {from} or later"
    )]
    Downgrade {
        /// What runs.
        from: Version,
        /// What the image has.
        to: Version,
    },
    /// It does not go with the kubelet before or after the upgrade.
    #[error("while the cluster is upgraded, {0}")]
    Mismatch(#[from] Mismatch),
}

/// Whether containerd `from` may become `to` on nodes whose kubelets go from `before` to `after`: the new runtime is
/// there first, so it meets both. An older patch of the same minor is allowed.
pub fn containerd_step(
    from: Version,
    to: Version,
    before: KubeVersion,
    after: KubeVersion,
) -> Result<(), ContainerdImpossible> {
    if (to.major, to.minor) < (from.major, from.minor) {
        return Err(ContainerdImpossible::Downgrade { from, to });
    }
    pairing(to, after)?;
    Ok(pairing(to, before)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_runtime_goes_with_both_kubelets() {
        for (from, to, before, after, expected) in [
            ("1.6.20", "1.7.24", 20, 20, ""),
            ("1.6.20", "1.7.34", 22, 23, ""),
            ("1.5.18", "1.6.0", 25, 26, ""),
            ("1.7.34", "2.0.7", 23, 24, ""),
            ("1.7.34", "1.7.24", 30, 31, ""),
            ("2.3.4", "2.3.4", 36, 37, ""),
            (
                "1.7.34",
                "2.0.7",
                22,
                23,
                "while the cluster is upgraded, containerd v2.0.7 does not go with Kubernetes v1.22.0",
            ),
            ("1.5.18", "1.5.18", 25, 26, "does not go with Kubernetes v1.26.0"),
            ("2.0.7", "1.7.34", 34, 35, "containerd v2.0.7 → v1.7.34 is a downgrade"),
        ] {
            let kubelet = |minor| KubeVersion::new(1, minor, 0);
            let told = containerd_step(from.parse().unwrap(), to.parse().unwrap(), kubelet(before), kubelet(after));
            let told = told.err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(told.is_empty(), expected.is_empty(), "{from} → {to}: {told}");
            assert!(told.contains(expected), "{from} → {to}: {told}");
        }
    }

    #[test]
    fn every_minor_has_a_runtime_that_leads_to_the_next() {
        for minor in 20..37 {
            let (before, after) = (KubeVersion::new(1, minor, 0), KubeVersion::new(1, minor + 1, 0));
            let old = Version::new(1, 7, 34);
            assert_eq!(containerd_step(old, old, before, after), Ok(()), "1.{minor}");
            let two = containerd_step(old, Version::new(2, 0, 7), before, after);
            assert_eq!(two.is_ok(), minor >= 23, "1.{minor}");
        }
    }
}
