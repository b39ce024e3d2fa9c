//! Pods that a drain would lose, or may not touch.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::drain::{self, DrainOptions};
use super::super::{canary, pods};
use super::{Finding, Severity, name};

/// Whether a pod runs on one of `nodes` and would have to move.
pub(super) fn is_concerned(pod: &Value, nodes: &BTreeSet<&str>) -> bool {
    let here = pod["spec"]["nodeName"].as_str().is_some_and(|node| nodes.contains(node));
    here && !drain::stays(pod) && !pods::is_finished(pod) && !pods::is_ending(pod) && !canary::is_one(pod)
}

/// What is the matter with pods that have to move.
pub(super) fn findings(pods: &[Value], options: &DrainOptions) -> Vec<Finding> {
    pods.iter().filter_map(|pod| of_pod(pod, options)).collect()
}

fn of_pod(pod: &Value, options: &DrainOptions) -> Option<Finding> {
    let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    let finding = |severity, text: String, remedy: &str| Finding {
        severity,
        subject: format!("Pod {} on {node}", name(pod)),
        text,
        remedy: remedy.to_owned(),
    };
    match drain::refusal(pod, options) {
        Some(refusal) => Some(finding(Severity::Blocks, refusal.why, refusal.remedy)),
        None if pods::controller(pod).is_none() => Some(finding(
            Severity::Warns,
            "has no controller, and will be gone for good".into(),
            "keep its manifest, or give it a controller",
        )),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::drain::UnmanagedPods;
    use super::*;

    fn pod(name: &str, owner: Option<&str>, phase: &str) -> Value {
        let owners: Vec<_> = owner.into_iter().map(|kind| json!({"kind": kind, "controller": true})).collect();
        json!({"metadata": {"name": name, "namespace": "ns", "ownerReferences": owners},
            "spec": {"nodeName": "n1"}, "status": {"phase": phase}})
    }

    #[test]
    fn only_pods_that_have_to_move_concern_us() {
        let nodes = BTreeSet::from(["n1"]);
        for (pod, expected) in [
            (pod("a", Some("ReplicaSet"), "Running"), true),
            (pod("a", None, "Running"), true),
            (pod("a", Some("DaemonSet"), "Running"), false),
            (pod("a", Some("Job"), "Succeeded"), false),
        ] {
            assert_eq!(is_concerned(&pod, &nodes), expected, "{pod}");
            assert!(!is_concerned(&pod, &BTreeSet::from(["n2"])));
        }
    }

    #[test]
    fn a_pod_without_controller_blocks_or_is_mourned() {
        let pods = [pod("kept", Some("ReplicaSet"), "Running"), pod("lone", None, "Running")];
        let told = |options: &DrainOptions| -> Vec<_> {
            findings(&pods, options).iter().map(|finding| (finding.severity, finding.to_string())).collect()
        };
        let usual = DrainOptions::default();
        let blocks = "Pod ns/lone on n1 has no controller that would start it elsewhere; \
                      delete it, or allow that (upgrade.drain: {unmanaged: evict})";
        assert_eq!(told(&usual), [(Severity::Blocks, blocks.to_owned())]);
        let lax = DrainOptions { unmanaged: UnmanagedPods::Delete, ..usual };
        let warns = "Pod ns/lone on n1 has no controller, and will be gone for good; \
                     keep its manifest, or give it a controller";
        assert_eq!(told(&lax), [(Severity::Warns, warns.to_owned())]);
    }
}
