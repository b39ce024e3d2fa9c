//! APIs that a minor of Kubernetes no longer serves. Objects that are stored stay readable by the replacement, where
//! there is one; clients and manifests that name the old version fail.

use crate::cluster::KubeVersion;

/// Kinds of one group and version, and their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovedApi {
    /// `policy/v1beta1`.
    pub api_version: &'static str,
    /// The kinds that go, all that the version has.
    pub kinds: &'static [&'static str],
    /// First minor of Kubernetes 1 that does not serve them.
    pub removed: u32,
    /// What to use; empty when nothing took their place.
    pub instead: &'static str,
}

/// The entry of a kind, where it ended within the tables.
pub fn removed(api_version: &str, kind: &str) -> Option<&'static RemovedApi> {
    REMOVED.iter().find(|entry| entry.api_version == api_version && entry.kinds.contains(&kind))
}

/// What to use in place of a group and version, by resource name as metrics have it; empty when nothing.
pub fn instead_of(api_version: &str, resource: &str) -> &'static str {
    let entries = REMOVED.iter().filter(|entry| entry.api_version == api_version);
    let named = |entry: &&RemovedApi| entry.kinds.iter().any(|kind| plural(kind) == resource);
    entries.clone().find(named).map_or("", |entry| entry.instead)
}

/// Whether `version` serves a kind, as far as the tables go.
pub fn is_served(api_version: &str, kind: &str, version: KubeVersion) -> bool {
    removed(api_version, kind).is_none_or(|entry| version.minor < entry.removed)
}

fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with('s') => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}

const fn gone(
    removed: u32,
    api_version: &'static str,
    kinds: &'static [&'static str],
    instead: &'static str,
) -> RemovedApi {
    RemovedApi { api_version, kinds, removed, instead }
}

/// Every API that ended between the first and the last supported minor, as the deprecation guide and the release notes
/// have it.
#[rustfmt::skip]
pub const REMOVED: &[RemovedApi] = &[
    gone(22, "admissionregistration.k8s.io/v1beta1", &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"], "admissionregistration.k8s.io/v1"),
    gone(22, "apiextensions.k8s.io/v1beta1", &["CustomResourceDefinition"], "apiextensions.k8s.io/v1"),
    gone(22, "apiregistration.k8s.io/v1beta1", &["APIService"], "apiregistration.k8s.io/v1"),
    gone(22, "authentication.k8s.io/v1beta1", &["TokenReview"], "authentication.k8s.io/v1"),
    gone(22, "authorization.k8s.io/v1beta1", &["LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"], "authorization.k8s.io/v1"),
    gone(22, "certificates.k8s.io/v1beta1", &["CertificateSigningRequest"], "certificates.k8s.io/v1"),
    gone(22, "coordination.k8s.io/v1beta1", &["Lease"], "coordination.k8s.io/v1"),
    gone(22, "extensions/v1beta1", &["Ingress"], "networking.k8s.io/v1"),
    gone(22, "networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], "networking.k8s.io/v1"),
    gone(22, "rbac.authorization.k8s.io/v1beta1", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"], "rbac.authorization.k8s.io/v1"),
    gone(22, "scheduling.k8s.io/v1beta1", &["PriorityClass"], "scheduling.k8s.io/v1"),
    gone(22, "storage.k8s.io/v1beta1", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"], "storage.k8s.io/v1"),

    gone(23, "rbac.authorization.k8s.io/v1alpha1", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"], "rbac.authorization.k8s.io/v1"),
    gone(23, "scheduling.k8s.io/v1alpha1", &["PriorityClass"], "scheduling.k8s.io/v1"),

    gone(25, "autoscaling/v2beta1", &["HorizontalPodAutoscaler"], "autoscaling/v2"),
    gone(25, "batch/v1beta1", &["CronJob"], "batch/v1"),
    gone(25, "discovery.k8s.io/v1beta1", &["EndpointSlice"], "discovery.k8s.io/v1"),
    gone(25, "events.k8s.io/v1beta1", &["Event"], "events.k8s.io/v1"),
    gone(25, "node.k8s.io/v1beta1", &["RuntimeClass"], "node.k8s.io/v1"),
    gone(25, "policy/v1beta1", &["PodDisruptionBudget"], "policy/v1"),
    gone(25, "policy/v1beta1", &["PodSecurityPolicy"], ""),

    gone(26, "autoscaling/v2beta2", &["HorizontalPodAutoscaler"], "autoscaling/v2"),
    gone(26, "flowcontrol.apiserver.k8s.io/v1beta1", &["FlowSchema", "PriorityLevelConfiguration"], "flowcontrol.apiserver.k8s.io/v1beta2"),

    gone(27, "storage.k8s.io/v1beta1", &["CSIStorageCapacity"], "storage.k8s.io/v1"),

    gone(29, "flowcontrol.apiserver.k8s.io/v1beta2", &["FlowSchema", "PriorityLevelConfiguration"], "flowcontrol.apiserver.k8s.io/v1"),

    gone(32, "coordination.k8s.io/v1alpha1", &["LeaseCandidate"], "coordination.k8s.io/v1alpha2"),
    gone(32, "flowcontrol.apiserver.k8s.io/v1beta3", &["FlowSchema", "PriorityLevelConfiguration"], "flowcontrol.apiserver.k8s.io/v1"),

    gone(37, "scheduling.k8s.io/v1alpha2", &["PodGroup", "Workload"], ""),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::versions::supported::{FIRST, LAST};

    #[test]
    fn the_table_is_within_what_is_supported_and_without_doubles() {
        let mut seen = BTreeSet::new();
        for entry in REMOVED {
            assert!((FIRST..=LAST).contains(&entry.removed), "{entry:?}");
            for kind in entry.kinds {
                assert!(seen.insert((entry.api_version, kind)), "{} {kind}", entry.api_version);
                // What is recommended outlives what goes.
                let instead = removed(entry.instead, kind);
                assert!(instead.is_none_or(|instead| instead.removed > entry.removed), "{entry:?}");
            }
        }
        assert!(REMOVED.is_sorted_by_key(|entry| entry.removed));
    }

    #[test]
    fn a_kind_ends_at_its_minor() {
        let served = |kind, minor| is_served("policy/v1beta1", kind, KubeVersion::new(1, minor, 3));
        assert!(served("PodDisruptionBudget", 24) && !served("PodDisruptionBudget", 25));
        assert!(!served("PodSecurityPolicy", 36));
        assert!(is_served("policy/v1", "PodDisruptionBudget", KubeVersion::new(1, 36, 0)));
        assert!(is_served("storage.k8s.io/v1beta1", "CSIStorageCapacity", KubeVersion::new(1, 26, 0)));
        assert!(!is_served("storage.k8s.io/v1beta1", "StorageClass", KubeVersion::new(1, 26, 0)));
    }

    #[test]
    fn resources_lead_to_their_replacement() {
        for (api_version, resource, instead) in [
            ("policy/v1beta1", "poddisruptionbudgets", "policy/v1"),
            ("policy/v1beta1", "podsecuritypolicies", ""),
            ("extensions/v1beta1", "ingresses", "networking.k8s.io/v1"),
            ("networking.k8s.io/v1beta1", "ingressclasses", "networking.k8s.io/v1"),
            ("example.com/v1beta1", "widgets", ""),
        ] {
            assert_eq!(instead_of(api_version, resource), instead, "{api_version} {resource}");
        }
    }
}
