//! Labels and taints by which a node's roles are known.

use crate::cluster::KubeVersion;

/// Label and taint key of the control plane.
pub const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
/// Label and taint key of the control plane in old releases.
pub const MASTER: &str = "node-role.kubernetes.io/master";
/// Label of workers.
pub const WORKER: &str = "node-role.kubernetes.io/worker";

/// Labels of a control-plane node.
pub fn control_plane_labels(version: KubeVersion) -> &'static [&'static str] {
    if version.minor <= 23 { &[CONTROL_PLANE, MASTER] } else { &[CONTROL_PLANE] }
}

/// Keys of the `NoSchedule` taints of a control-plane node that runs no workloads.
///
/// kubeadm used only the old key until 1.23 and both in 1.24. Here the new one is there from the start, so that
/// nothing has to be added in an upgrade, and the old one until 1.24, because it is what people look for there.
pub fn control_plane_taints(version: KubeVersion) -> &'static [&'static str] {
    if version.minor <= 24 { &[CONTROL_PLANE, MASTER] } else { &[CONTROL_PLANE] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_key_ends_with_1_23_as_a_label_and_with_1_24_as_a_taint() {
        for (minor, label, taint) in [(20, true, true), (23, true, true), (24, false, true), (25, false, false)] {
            let version = KubeVersion::new(1, minor, 0);
            assert_eq!(control_plane_labels(version).contains(&MASTER), label, "1.{minor}");
            assert_eq!(control_plane_taints(version).contains(&MASTER), taint, "1.{minor}");
            assert!(control_plane_labels(version).contains(&CONTROL_PLANE));
            assert!(control_plane_taints(version).contains(&CONTROL_PLANE));
        }
    }
}
