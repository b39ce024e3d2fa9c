//! Nodes that are not well before anything begins.

use serde_json::Value;

use super::super::{cordon, nodes};
use super::{Finding, Severity, name};

/// What is the matter with the nodes. A master that is not ready blocks: the next one to be taken down may be the last
/// that works. Among workers some always are; whoever drains and waits for one sees it there.
pub(super) fn findings(nodes: &[Value]) -> Vec<Finding> {
    nodes.iter().flat_map(of_node).collect()
}

fn of_node(node: &Value) -> Vec<Finding> {
    let view = nodes::view(node);
    let finding = |severity, text: String, remedy: &str| Finding {
        severity,
        subject: format!("Node {}", name(node)),
        text,
        remedy: remedy.to_owned(),
    };
    let mut findings = Vec::new();
    if !view.ready {
        let is_master = ["control-plane", "master"]
            .iter()
            .any(|role| view.labels.contains_key(&format!("node-role.kubernetes.io/{role}")));
        findings.push(finding(
            if is_master { Severity::Blocks } else { Severity::Warns },
            format!("is not Ready: {}", view.reasons.join("; ")),
            "bring it back, or take it out of the inventory",
        ));
    }
    if cordon::state(node) == cordon::State::Theirs {
        findings.push(finding(
            Severity::Warns,
            "is cordoned, and not by kubewright: it stays so".into(),
            "uncordon it if it is to take pods during the upgrade",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_are_judged_by_role_and_by_whose_cordon_it_is() {
        let node = |name: &str, role: &str, ready: &str, cordon: Option<Option<&str>>| {
            let mut node = json!({"metadata": {"name": name, "labels": {format!("node-role.kubernetes.io/{role}"): ""},
                    "annotations": {}}, "spec": {},
                "status": {"conditions": [{"type": "Ready", "status": ready, "reason": "Down", "message": "gone"}]}});
            if let Some(note) = cordon {
                node["spec"]["unschedulable"] = json!(true);
                if let Some(note) = note {
                    node["metadata"]["annotations"]["kubewright.dev/cordoned"] = json!(note);
                }
            }
            node
        };
        let nodes = [
            node("m1", "control-plane", "True", None),
            node("m2", "master", "Unknown", None),
            node("n1", "worker", "False", None),
            node("n2", "worker", "True", Some(None)),
            node("n3", "worker", "True", Some(Some("upgrade, 2026-11-24T15:00:00Z"))),
        ];
        let told: Vec<_> =
            findings(&nodes).into_iter().map(|f| (f.severity, format!("{} {}", f.subject, f.text))).collect();
        assert_eq!(
            told,
            [
                (Severity::Blocks, "Node m2 is not Ready: Down: gone".to_owned()),
                (Severity::Warns, "Node n1 is not Ready: Down: gone".to_owned()),
                (Severity::Warns, "Node n2 is cordoned, and not by kubewright: it stays so".to_owned()),
            ]
        );
    }
}
