//! What of the kubelet's settings is a flag, and what a field of its configuration file, in which minor.

use crate::cluster::KubeVersion;

/// `--container-runtime=remote`: only while dockershim was the other choice.
pub fn container_runtime_flag(version: KubeVersion) -> bool {
    version.minor <= 23
}

/// Whether the runtime's socket is the field `containerRuntimeEndpoint`; a flag before.
pub fn runtime_endpoint_field(version: KubeVersion) -> bool {
    version.minor >= 27
}

/// `--pod-infra-container-image`, which keeps the pause image from being collected. containerd is told about that
/// image in every minor; from 1.35 on only containerd.
pub fn pause_image_flag(version: KubeVersion) -> bool {
    version.minor <= 34
}

/// Whether the taints at registration are the field `registerWithTaints`; a flag before.
pub fn register_with_taints_field(version: KubeVersion) -> bool {
    version.minor >= 23
}

/// Whether there is a field `failCgroupV1`. From 1.35 on it must be set on hosts with cgroup v1.
pub fn fail_cgroup_v1_field(version: KubeVersion) -> bool {
    version.minor >= 31
}

/// Whether the kubelet can give pods a part of the host's swap (beta of `NodeSwap`, which knows cgroup v2).
pub fn limits_swap(version: KubeVersion) -> bool {
    version.minor >= 28
}

/// Whether that has to be asked for by the gate `NodeSwap`: it is on by default from 1.30 on.
pub fn node_swap_gate(version: KubeVersion) -> bool {
    version.minor < 30
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_fields_where_the_release_notes_say_so() {
        type Predicate = fn(KubeVersion) -> bool;
        for (name, predicate, last, at_last) in [
            ("--container-runtime", container_runtime_flag as Predicate, 23, true),
            ("containerRuntimeEndpoint", runtime_endpoint_field, 26, false),
            ("--pod-infra-container-image", pause_image_flag, 34, true),
            ("registerWithTaints", register_with_taints_field, 22, false),
            ("failCgroupV1", fail_cgroup_v1_field, 30, false),
            ("LimitedSwap", limits_swap, 27, false),
            ("NodeSwap", node_swap_gate, 29, true),
        ] {
            assert_eq!(predicate(KubeVersion::new(1, last, 0)), at_last, "{name}");
            assert_eq!(predicate(KubeVersion::new(1, last + 1, 0)), !at_last, "{name}");
        }
    }
}
