//! The shape of the control plane's static pods.

use crate::cluster::KubeVersion;

/// Where a component's kubelet probes look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probes {
    /// Is it alive? Also the startup probe.
    pub liveness: &'static str,
    /// Is it ready? None where the component has no such path.
    pub readiness: Option<&'static str>,
}

/// Probes of kube-apiserver, the same in all minors.
pub const APISERVER: Probes = Probes { liveness: "/livez", readiness: Some("/readyz") };
/// Probes of kube-controller-manager, the same in all minors.
pub const CONTROLLER_MANAGER: Probes = Probes { liveness: "/healthz", readiness: None };

/// Probes of kube-scheduler.
pub fn scheduler(version: KubeVersion) -> Probes {
    if version.minor >= 32 {
        Probes { liveness: "/livez", readiness: Some("/readyz") }
    } else {
        Probes { liveness: "/healthz", readiness: None }
    }
}

/// Whether the pods' security context names the seccomp profile of the runtime.
pub fn seccomp_profile(version: KubeVersion) -> bool {
    version.minor >= 22
}

/// Whether kube-apiserver is told to leave its port without TLS shut. Later ones have none.
pub fn shuts_insecure_port(version: KubeVersion) -> bool {
    version.minor <= 21
}

/// Whether kube-controller-manager and kube-scheduler are told to leave their port without TLS shut.
pub fn shuts_plain_port(version: KubeVersion) -> bool {
    version.minor <= 22
}

/// Whether kube-controller-manager mounts the directory of flexvolume plugins.
pub fn mounts_flexvolume(version: KubeVersion) -> bool {
    version.minor <= 35
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_change_where_kubeadm_changes_them() {
        type Predicate = fn(KubeVersion) -> bool;
        for (name, predicate, last, at_last) in [
            ("seccomp", seccomp_profile as Predicate, 21, false),
            ("insecure-port", shuts_insecure_port, 21, true),
            ("port", shuts_plain_port, 22, true),
            ("flexvolume", mounts_flexvolume, 35, true),
        ] {
            assert_eq!(predicate(KubeVersion::new(1, last, 0)), at_last, "{name}");
            assert_eq!(predicate(KubeVersion::new(1, last + 1, 0)), !at_last, "{name}");
        }
        assert_eq!(scheduler(KubeVersion::new(1, 31, 0)), CONTROLLER_MANAGER);
        assert_eq!(scheduler(KubeVersion::new(1, 32, 0)), APISERVER);
    }
}
