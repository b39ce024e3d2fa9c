//! What differs between the versions of CoreDNS and of Kubernetes that CoreDNS is deployed in.

use crate::cluster::{KubeVersion, Version};

/// From this CoreDNS on, single domains may be left out of a cache.
const CACHE_WITH_EXCEPTIONS: (u32, u32, u32) = (1, 9, 4);
/// CoreDNS before this asks for slices of endpoints in the version that 1.20 serves.
const SLICES_V1: (u32, u32) = (1, 9);

/// Whether answers about the cluster itself are not kept: Services change, and the server knows them anyway.
pub fn caches_others_only(coredns: Version) -> bool {
    (coredns.major, coredns.minor, coredns.patch) >= CACHE_WITH_EXCEPTIONS
}

/// CoreDNS and Kubernetes do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "CoreDNS {coredns} reads discovery.k8s.io/v1, which Kubernetes {kubernetes} does not serve: it would know no Service; \
     use a cluster image with one below 1.9"
)]
pub struct Mismatch {
    coredns: Version,
    kubernetes: KubeVersion,
}

/// Whether CoreDNS finds what it reads.
pub fn check(coredns: Version, kubernetes: KubeVersion) -> Result<(), Mismatch> {
    let fits = kubernetes.minor >= 21 || (coredns.major, coredns.minor) < SLICES_V1;
    if fits { Ok(()) } else { Err(Mismatch { coredns, kubernetes }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_and_slices_come_with_versions() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        for (text, others_only) in [("1.7.0", false), ("1.9.3", false), ("1.9.4", true), ("1.14.6", true)] {
            assert_eq!(caches_others_only(version(text)), others_only, "{text}");
        }
        let kubernetes = |minor| KubeVersion::new(1, minor, 0);
        assert!(check(version("1.7.0"), kubernetes(20)).is_ok() && check(version("1.8.6"), kubernetes(20)).is_ok());
        assert!(check(version("1.9.3"), kubernetes(20)).is_err() && check(version("1.14.6"), kubernetes(37)).is_ok());
    }
}
