//! The life of command line flags: since when a component knows one, and from which minor on it refuses to start with
//! it. Flags that all supported minors know are not listed.

use thiserror::Error;

use crate::cluster::KubeVersion;

/// The life of one flag, in minors of Kubernetes 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Component: `kube-apiserver`, `kubelet`, …; `*` is all of them.
    pub component: &'static str,
    /// Flag without its dashes.
    pub flag: &'static str,
    /// First minor that knows it; 0 when that is older than the tables.
    pub since: u32,
    /// First minor that refuses it.
    pub removed: Option<u32>,
    /// What took its place; empty when nothing did.
    pub instead: &'static str,
}

/// A flag that a component of some version does not know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlagError {
    /// It is gone.
    #[error("{component} {version} refuses to start with --{flag}: removed in v1.{removed}{}", hint(instead))]
    Removed {
        /// Component.
        component: String,
        /// Flag.
        flag: String,
        /// Version that was asked about.
        version: KubeVersion,
        /// First minor without it.
        removed: u32,
        /// What took its place.
        instead: &'static str,
    },
    /// It is not there yet.
    #[error("{component} {version} refuses to start with --{flag}: it came with v1.{since}; remove it until then")]
    TooNew {
        /// Component.
        component: String,
        /// Flag.
        flag: String,
        /// Version that was asked about.
        version: KubeVersion,
        /// First minor with it.
        since: u32,
    },
}

fn hint(instead: &str) -> String {
    if instead.is_empty() { "; remove it".to_owned() } else { format!("; use {instead}") }
}

/// The entry of a flag, where its life began or ended within the tables.
pub fn lifetime(component: &str, flag: &str) -> Option<&'static Lifetime> {
    LIFETIMES.iter().find(|entry| [component, ANY].contains(&entry.component) && entry.flag == flag)
}

/// Whether `component` of `version` knows `flag`, as far as the tables go.
pub fn check(component: &str, flag: &str, version: KubeVersion) -> Result<(), FlagError> {
    let Some(entry) = lifetime(component, flag) else { return Ok(()) };
    let (component, flag) = (component.to_owned(), flag.to_owned());
    if version.minor < entry.since {
        return Err(FlagError::TooNew { component, flag, version, since: entry.since });
    }
    match entry.removed {
        Some(removed) if version.minor >= removed => {
            Err(FlagError::Removed { component, flag, version, removed, instead: entry.instead })
        }
        _ => Ok(()),
    }
}

/// A flag of every component.
const ANY: &str = "*";
const API: &str = "kube-apiserver";
const KCM: &str = "kube-controller-manager";
const SCHEDULER: &str = "kube-scheduler";
const KUBELET: &str = "kubelet";
const PROXY: &str = "kube-proxy";

const fn gone(component: &'static str, flag: &'static str, minor: u32, instead: &'static str) -> Lifetime {
    Lifetime { component, flag, since: 0, removed: Some(minor), instead }
}

const fn came(component: &'static str, flag: &'static str, minor: u32) -> Lifetime {
    Lifetime { component, flag, since: minor, removed: None, instead: "" }
}

/// Every flag whose life began or ended between the first and the last supported minor, as the release notes have it.
#[rustfmt::skip]
pub const LIFETIMES: &[Lifetime] = &[
    gone(PROXY, "cleanup-ipvs", 21, "--cleanup"),

    gone(API, "ssh-user", 22, ""),
    gone(API, "ssh-keyfile", 22, ""),
    gone(API, "kubelet-https", 22, ""),
    gone(SCHEDULER, "hard-pod-affinity-symmetric-weight", 22, "--config"),
    gone(SCHEDULER, "scheduler-name", 22, "--config"),
    gone(SCHEDULER, "algorithm-provider", 22, "--config"),
    gone(KCM, "horizontal-pod-autoscaler-use-rest-clients", 22, ""),
    gone(KUBELET, "chaos-chance", 22, ""),

    gone(SCHEDULER, "policy-config-file", 23, "--config"),
    gone(SCHEDULER, "policy-configmap", 23, "--config"),
    gone(SCHEDULER, "policy-configmap-namespace", 23, "--config"),
    gone(SCHEDULER, "use-legacy-policy-config", 23, "--config"),
    gone(KUBELET, "seccomp-profile-root", 23, ""),
    gone(KUBELET, "experimental-bootstrap-kubeconfig", 23, "--bootstrap-kubeconfig"),

    gone(API, "address", 24, "--bind-address"),
    gone(API, "insecure-bind-address", 24, "--bind-address"),
    gone(API, "port", 24, "--secure-port"),
    gone(API, "insecure-port", 24, "--secure-port"),
    gone(API, "experimental-encryption-provider-config", 24, "--encryption-provider-config"),
    gone(API, "target-ram-mb", 24, ""),
    gone(API, "deserialization-cache-size", 24, ""),
    gone(API, "enable-swagger-ui", 24, ""),
    gone(KCM, "address", 24, "--bind-address"),
    gone(KCM, "port", 24, "--secure-port"),
    gone(KCM, "deployment-controller-sync-period", 24, ""),
    gone(SCHEDULER, "address", 24, "--bind-address"),
    gone(SCHEDULER, "port", 24, "--secure-port"),
    gone(KUBELET, "network-plugin", 24, "the CNI configuration of containerd"),
    gone(KUBELET, "cni-conf-dir", 24, "the CNI configuration of containerd"),
    gone(KUBELET, "cni-bin-dir", 24, "the CNI configuration of containerd"),
    gone(KUBELET, "cni-cache-dir", 24, "the CNI configuration of containerd"),
    gone(KUBELET, "network-plugin-mtu", 24, "the CNI configuration of containerd"),
    gone(KUBELET, "docker-endpoint", 24, ""),
    gone(KUBELET, "image-pull-progress-deadline", 24, ""),
    gone(KUBELET, "experimental-dockershim-root-directory", 24, ""),
    gone(KUBELET, "non-masquerade-cidr", 24, ""),
    gone(KUBELET, "really-crash-for-testing", 24, ""),
    gone(KUBELET, "experimental-check-node-capabilities-before-mount", 24, ""),
    // Dynamic configuration stopped working in 1.24; which minor dropped the flag is not known, so the first counts.
    gone(KUBELET, "dynamic-config-dir", 24, ""),

    gone(API, "service-account-api-audiences", 25, "--api-audiences"),
    gone(KCM, "experimental-cluster-signing-duration", 25, "--cluster-signing-duration"),
    gone(KCM, "deleting-pods-qps", 25, ""),
    gone(KCM, "deleting-pods-burst", 25, ""),
    gone(KCM, "register-retry-count", 25, ""),
    gone(KUBELET, "experimental-kernel-memcg-notification", 25, "--kernel-memcg-notification"),

    gone(ANY, "logtostderr", 26, ""),
    gone(ANY, "log-dir", 26, ""),
    gone(ANY, "log-file", 26, ""),
    gone(ANY, "log-file-max-size", 26, ""),
    gone(ANY, "alsologtostderr", 26, ""),
    gone(ANY, "stderrthreshold", 26, ""),
    gone(ANY, "skip-headers", 26, ""),
    gone(ANY, "skip-log-headers", 26, ""),
    gone(ANY, "one-output", 26, ""),
    gone(ANY, "log-backtrace-at", 26, ""),
    gone(ANY, "add-dir-header", 26, ""),

    gone(API, "master-service-namespace", 27, ""),
    gone(KCM, "enable-taint-manager", 27, ""),
    gone(KCM, "pod-eviction-timeout", 27, "--default-unreachable-toleration-seconds of kube-apiserver"),
    gone(KUBELET, "container-runtime", 27, ""),
    gone(KUBELET, "master-service-namespace", 27, ""),

    gone(SCHEDULER, "lock-object-namespace", 28, "--leader-elect-resource-namespace"),
    gone(SCHEDULER, "lock-object-name", 28, "--leader-elect-resource-name"),

    gone(KUBELET, "keep-terminated-pod-volumes", 31, ""),
    gone(KUBELET, "iptables-masquerade-bit", 31, ""),
    gone(KUBELET, "iptables-drop-bit", 31, ""),
    gone(KCM, "volume-host-cidr-denylist", 31, ""),
    gone(KCM, "volume-host-allow-local-loopback", 31, ""),
    gone(KCM, "horizontal-pod-autoscaler-upscale-delay", 31, ""),
    gone(KCM, "horizontal-pod-autoscaler-downscale-delay", 31, "--horizontal-pod-autoscaler-downscale-stabilization"),
    gone(PROXY, "proxy-port-range", 31, ""),

    gone(KUBELET, "runonce", 32, ""),

    gone(API, "cloud-provider", 33, ""),
    gone(API, "cloud-config", 33, ""),

    gone(KUBELET, "cloud-config", 34, ""),
    gone(KUBELET, "register-schedulable", 34, "--register-with-taints"),

    gone(KUBELET, "pod-infra-container-image", 35, "the sandbox image in containerd's configuration"),

    gone(KCM, "concurrent-service-syncs", 37, ""),
    gone(KUBELET, "containerd", 37, ""),
    gone(KUBELET, "containerd-namespace", 37, ""),
    gone(KUBELET, "boot-id-file", 37, ""),
    gone(KUBELET, "machine-id-file", 37, ""),
    gone(KUBELET, "global-housekeeping-interval", 37, ""),
    gone(KUBELET, "storage-driver-user", 37, ""),
    gone(KUBELET, "storage-driver-password", 37, ""),
    gone(KUBELET, "storage-driver-host", 37, ""),
    gone(KUBELET, "storage-driver-db", 37, ""),
    gone(KUBELET, "storage-driver-table", 37, ""),
    gone(KUBELET, "storage-driver-secure", 37, ""),
    gone(KUBELET, "storage-driver-buffer-duration", 37, ""),
    gone(KUBELET, "event-storage-age-limit", 37, ""),
    gone(KUBELET, "event-storage-event-limit", 37, ""),
    gone(KUBELET, "log-cadvisor-usage", 37, ""),
    gone(KUBELET, "container-hints", 37, ""),
    gone(KUBELET, "enable-load-reader", 37, ""),
    gone(KUBELET, "application-metrics-count-limit", 37, ""),

    came(API, "permit-address-sharing", 21),
    came(API, "strict-transport-security-directives", 21),
    came(API, "tracing-config-file", 22),
    came(KUBELET, "seccomp-default", 22),
    came(API, "shutdown-send-retry-after", 23),
    came(API, "etcd-readycheck-timeout", 25),
    came(API, "encryption-provider-config-automatic-reload", 26),
    came(API, "shutdown-watch-termination-grace-period", 27),
    came(KUBELET, "config-dir", 28),
    came(API, "authentication-config", 29),
    came(API, "authorization-config", 29),
    came(KUBELET, "fail-cgroupv1", 31),
    came(API, "storage-initialization-timeout", 31),
    came(API, "disable-http2-serving", 31),
    came(API, "emulated-version", 32),
    came(API, "requestheader-uid-headers", 32),
    came(API, "min-compatibility-version", 35),
    came(API, "tls-curve-preferences", 36),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(component: &str, flag: &str, minor: u32) -> bool {
        check(component, flag, KubeVersion::new(1, minor, 0)).is_ok()
    }

    #[test]
    fn flags_are_absent_where_the_release_notes_say_so() {
        for (component, flag, last_with, first_without) in [
            (PROXY, "cleanup-ipvs", 20, 21),
            (SCHEDULER, "algorithm-provider", 21, 22),
            (KUBELET, "seccomp-profile-root", 22, 23),
            (API, "insecure-port", 23, 24),
            (KCM, "port", 23, 24),
            (SCHEDULER, "port", 23, 24),
            (KUBELET, "network-plugin", 23, 24),
            (KCM, "experimental-cluster-signing-duration", 24, 25),
            (API, "logtostderr", 25, 26),
            (KUBELET, "container-runtime", 26, 27),
            (KCM, "pod-eviction-timeout", 26, 27),
            (SCHEDULER, "lock-object-name", 27, 28),
            (KUBELET, "iptables-drop-bit", 30, 31),
            (KUBELET, "runonce", 31, 32),
            (API, "cloud-provider", 32, 33),
            (KUBELET, "register-schedulable", 33, 34),
            (KUBELET, "pod-infra-container-image", 34, 35),
            (KUBELET, "containerd", 36, 37),
            (KCM, "concurrent-service-syncs", 36, 37),
        ] {
            assert!(knows(component, flag, last_with), "{component} --{flag} at 1.{last_with}");
            assert!(!knows(component, flag, first_without), "{component} --{flag} at 1.{first_without}");
            assert!(!knows(component, flag, 37), "{component} --{flag} at 1.37");
        }
    }

    #[test]
    fn flags_are_absent_before_they_came() {
        for (component, flag, since) in
            [(API, "authorization-config", 29), (KUBELET, "fail-cgroupv1", 31), (API, "tls-curve-preferences", 36)]
        {
            assert!(!knows(component, flag, since - 1), "{component} --{flag}");
            assert!(knows(component, flag, since), "{component} --{flag}");
        }
    }

    #[test]
    fn a_flag_of_one_component_says_nothing_about_another() {
        assert!(knows(API, "secure-port", 37));
        assert!(knows(KUBELET, "port", 37), "the kubelet's --port is another flag");
    }

    #[test]
    fn messages_say_what_to_do() {
        let version = KubeVersion::new(1, 35, 0);
        let removed = check(KUBELET, "pod-infra-container-image", version).unwrap_err().to_string();
        assert!(removed.contains("removed in v1.35; use the sandbox image"), "{removed}");
        let early = check(API, "emulated-version", KubeVersion::new(1, 30, 1)).unwrap_err().to_string();
        assert!(early.contains("came with v1.32"), "{early}");
    }

    #[test]
    fn no_flag_is_listed_twice() {
        let mut names: Vec<_> = LIFETIMES.iter().map(|entry| (entry.component, entry.flag)).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
