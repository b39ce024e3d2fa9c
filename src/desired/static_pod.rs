//! Where the manifests of static pods are.

/// Where the kubelet finds static pods. Nothing but finished manifests may ever be in there.
pub(super) const MANIFESTS: &str = "/etc/kubernetes/manifests";

/// Path of a static pod's manifest.
pub(super) fn manifest(pod: &str) -> String {
    format!("{MANIFESTS}/{pod}.yaml")
}
