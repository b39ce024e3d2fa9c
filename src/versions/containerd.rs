//! containerd: which one goes with which kubelet, and the shape of its configuration.

use thiserror::Error;

use crate::cluster::{KubeVersion, Version};

/// A containerd that a kubelet cannot talk to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("containerd {containerd} does not go with Kubernetes {kubernetes}: {why}; use a cluster image with {instead}")]
pub struct Mismatch {
    /// The runtime.
    pub containerd: Version,
    /// The cluster's version.
    pub kubernetes: KubeVersion,
    why: &'static str,
    instead: &'static str,
}

/// Refuses a containerd that speaks another CRI than the kubelet does.
pub fn pairing(containerd: Version, kubernetes: KubeVersion) -> Result<(), Mismatch> {
    let mismatch = |why, instead| Err(Mismatch { containerd, kubernetes, why, instead });
    let release = (containerd.major, containerd.minor);
    if kubernetes.minor <= 22 && release >= (2, 0) {
        return mismatch(
            "kubelets up to v1.22 speak only CRI v1alpha2, which containerd 2.0 dropped",
            "containerd 1.7",
        );
    }
    if kubernetes.minor >= 26 && release < (1, 6) {
        return mismatch("kubelets from v1.26 on speak only CRI v1, which came with containerd 1.6", "containerd 1.7");
    }
    if release < (1, 4) {
        return mismatch("nothing older than containerd 1.4 was ever tried", "containerd 1.7");
    }
    Ok(())
}

/// Version of the configuration file.
pub fn config_version(containerd: Version) -> u32 {
    if containerd.major >= 2 { 3 } else { 2 }
}

/// Whether mirrors are files under `config_path`.
pub fn registry_config_path(containerd: Version) -> bool {
    (containerd.major, containerd.minor) >= (1, 5)
}

/// Whether the CNI setting is the list `bin_dirs`; one `bin_dir` before.
pub fn cni_directory_list(containerd: Version) -> bool {
    (containerd.major, containerd.minor) >= (2, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerd_and_kubelet_speak_the_same_cri() {
        for (containerd, kubernetes, good) in [
            ("1.6.20", 20, true),
            ("1.7.34", 22, true),
            ("2.0.0", 22, false),
            ("2.0.0", 23, true),
            ("1.5.18", 25, true),
            ("1.5.18", 26, false),
            ("1.6.0", 26, true),
            ("2.3.4", 37, true),
            ("1.3.9", 20, false),
        ] {
            let pair = pairing(containerd.parse().unwrap(), KubeVersion::new(1, kubernetes, 0));
            assert_eq!(pair.is_ok(), good, "{containerd} with 1.{kubernetes}");
        }
    }

    #[test]
    fn the_configuration_follows_the_release() {
        let shape = |text: &str| {
            let version = text.parse().unwrap();
            (config_version(version), registry_config_path(version), cni_directory_list(version))
        };
        assert_eq!(shape("1.4.13"), (2, false, false));
        assert_eq!(shape("1.6.20"), (2, true, false));
        assert_eq!(shape("2.0.7"), (3, true, false));
        assert_eq!(shape("2.3.4"), (3, true, true));
    }
}
