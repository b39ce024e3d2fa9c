//! Who administers the cluster, and which API evicts pods and says how many may be away.

use crate::cluster::KubeVersion;

/// The group of kubeadm's administrators from 1.29 on; the installer binds it to `cluster-admin`.
pub const CLUSTER_ADMINS: &str = "kubeadm:cluster-admins";
/// The group that no authorizer can refuse.
pub const MASTERS: &str = "system:masters";

/// The group (`O`) in the certificates of admin.conf and of the API servers towards the kubelets.
pub fn admin(version: KubeVersion) -> &'static str {
    if version.minor >= 29 { CLUSTER_ADMINS } else { MASTERS }
}

/// API version of the `Eviction` that a drain posts: that of v1 is served from 1.22 on, that of v1beta1 until 1.24.
pub fn eviction_api(version: KubeVersion) -> &'static str {
    if version.minor >= 22 { "policy/v1" } else { "policy/v1beta1" }
}

/// API version of a `PodDisruptionBudget`: that of v1 is served from 1.21 on, that of v1beta1 until 1.24.
pub fn disruption_budget_api(version: KubeVersion) -> &'static str {
    if version.minor >= 21 { "policy/v1" } else { "policy/v1beta1" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_apis_follow_the_minor() {
        let version = |minor| KubeVersion::new(1, minor, 0);
        assert_eq!(admin(version(28)), "system:masters");
        assert_eq!(admin(version(29)), "kubeadm:cluster-admins");
        for (minor, eviction) in [(20, "policy/v1beta1"), (21, "policy/v1beta1"), (22, "policy/v1"), (37, "policy/v1")]
        {
            assert_eq!(eviction_api(version(minor)), eviction, "1.{minor}");
        }
        for (minor, budget) in [(20, "policy/v1beta1"), (21, "policy/v1"), (25, "policy/v1"), (37, "policy/v1")] {
            assert_eq!(disruption_budget_api(version(minor)), budget, "1.{minor}");
        }
    }
}
