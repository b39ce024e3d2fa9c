//! Labels, taints, pod network, cordon.

use std::collections::BTreeMap;

use kubewright::cluster::{LabelKey, LabelValue, Taint, TaintEffect};
use kubewright::kube::{Cordon, NodeMarks};
use serde_json::{Value, json};

use super::other::Other;
use super::server::Server;

pub(crate) const NODES: &str = "/api/v1/nodes";

fn marks(name: &str, labels: &[(&str, &str)], taints: &[&str]) -> NodeMarks {
    let taint = |key: &&str| Taint {
        key: LabelKey::parse(key).unwrap(),
        value: LabelValue::default(),
        effect: TaintEffect::NoSchedule,
    };
    NodeMarks {
        name: name.into(),
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>(),
        taints: taints.iter().map(taint).collect(),
        pod_cidr: None,
    }
}

/// Registers a node as its kubelet would.
pub(crate) async fn register(kubelet: &Other, name: &str) -> Value {
    let node = json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "spec": {"taints": [{"key": "registered", "effect": "NoSchedule"}]}});
    kubelet.create(NODES, &node).await
}

fn taint_keys(node: &Value) -> Vec<&str> {
    node["spec"]["taints"].as_array().into_iter().flatten().filter_map(|taint| taint["key"].as_str()).collect()
}

pub(crate) async fn marks_come_stay_and_go(server: &Server) {
    let (api, kubelet, admin) =
        (server.api().await, Other::new(server, "kubelet"), Other::new(server, "kubectl-label"));
    register(&kubelet, "marks-1").await;
    register(&kubelet, "marks-2").await;
    let rack = "topology.kubewright.dev/rack";
    let wanted = [
        marks("marks-1", &[(rack, "r1"), ("node-role.kubernetes.io/control-plane", "")], &["registered", "own"]),
        marks("marks-2", &[(rack, "r2")], &[]),
    ];
    let words = |changes: Vec<kubewright::kube::ObjectChange>| -> Vec<String> {
        changes.iter().map(ToString::to_string).collect()
    };
    let expected = [
        "label marks-1 node-role.kubernetes.io/control-plane: (missing) → \"\"",
        "label marks-1 topology.kubewright.dev/rack: (missing) → r1",
        "taint marks-1 own:NoSchedule: (missing) → present",
        "taint marks-1 registered:NoSchedule: present → kept, as kubewright's",
        "label marks-2 topology.kubewright.dev/rack: (missing) → r2",
    ];
    assert_eq!(words(api.diff_nodes(&wanted).await.unwrap()), expected);
    assert_eq!(words(api.apply_nodes(&wanted).await.unwrap()), expected);
    let live = kubelet.read(NODES, "marks-1").await.unwrap();
    assert_eq!(live["metadata"]["labels"]["kubernetes.io/hostname"], "marks-1");
    assert_eq!(live["metadata"]["labels"][rack], "r1");
    // The API server itself taints a new node as not ready; that one is not ours.
    let keys = taint_keys(&live);
    assert!(keys.contains(&"node.kubernetes.io/not-ready") && keys.contains(&"own"), "{keys:?}");

    // Nothing to do, nothing written.
    assert!(api.apply_nodes(&wanted).await.unwrap().is_empty());
    let again = kubelet.read(NODES, "marks-1").await.unwrap();
    assert_eq!(again["metadata"]["resourceVersion"], live["metadata"]["resourceVersion"]);

    // Somebody else changes ours and adds theirs.
    let patch = json!({"metadata": {"labels": {rack: "wrong", "theirs": "stays"}},
        "spec": {"taints": [{"key": "theirs", "effect": "NoExecute"}, {"key": "own", "effect": "NoSchedule"}]}});
    admin.merge(NODES, "marks-1", &patch).await;
    let expected = [
        "label marks-1 topology.kubewright.dev/rack: wrong → r1",
        "taint marks-1 registered:NoSchedule: (missing) → present",
    ];
    assert_eq!(words(api.apply_nodes(&wanted[..1]).await.unwrap()), expected);

    // No longer wanted.
    let fewer = [marks("marks-1", &[("node-role.kubernetes.io/control-plane", "")], &[])];
    let expected = [
        "label marks-1 topology.kubewright.dev/rack: r1 → (missing)",
        "taint marks-1 own:NoSchedule: present → (missing)",
        "taint marks-1 registered:NoSchedule: present → (missing)",
    ];
    assert_eq!(words(api.apply_nodes(&fewer).await.unwrap()), expected);
    let live = kubelet.read(NODES, "marks-1").await.unwrap();
    assert_eq!(live["metadata"]["labels"].get(rack), None);
    assert_eq!(live["metadata"]["labels"]["theirs"], "stays");
    assert_eq!(live["metadata"]["labels"]["node-role.kubernetes.io/control-plane"], "");
    assert_eq!(taint_keys(&live), ["theirs"]);
    assert_eq!(live["metadata"]["annotations"].get("kubewright.dev/taints"), None);
    assert!(api.diff_nodes(&fewer).await.unwrap().is_empty());

    let none = [marks("marks-1", &[], &[])];
    assert_eq!(api.apply_nodes(&none).await.unwrap().len(), 1);
    assert!(api.diff_nodes(&none).await.unwrap().is_empty());
}

pub(crate) async fn a_pod_network_is_set_once(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    register(&kubelet, "cidr").await;
    let mut wanted = [marks("cidr", &[("a", "b")], &[])];
    wanted[0].pod_cidr = Some("10.244.7.0/24".parse().unwrap());
    assert_eq!(api.apply_nodes(&wanted).await.unwrap().len(), 2);
    let live = kubelet.read(NODES, "cidr").await.unwrap();
    assert_eq!(
        (&live["spec"]["podCIDR"], &live["spec"]["podCIDRs"]),
        (&json!("10.244.7.0/24"), &json!(["10.244.7.0/24"]))
    );
    assert!(api.diff_nodes(&wanted).await.unwrap().is_empty());

    wanted[0].pod_cidr = Some("10.244.8.0/24".parse().unwrap());
    wanted[0].labels.insert("c".into(), "d".into());
    let error = api.apply_nodes(&wanted).await.unwrap_err().to_string();
    assert!(error.contains("node cidr has the pod network 10.244.7.0/24 and should have 10.244.8.0/24"), "{error}");
    // The rest is done in spite of it.
    assert_eq!(kubelet.read(NODES, "cidr").await.unwrap()["metadata"]["labels"]["c"], "d");
}

pub(crate) async fn a_missing_node_is_not_created(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    let wanted = [marks("absent", &[("a", "b")], &["t"])];
    assert_eq!(api.diff_nodes(&wanted).await.unwrap().len(), 2);
    let error = api.apply_nodes(&wanted).await.unwrap_err().to_string();
    assert!(error.contains("cannot read Node absent: nodes \"absent\" not found"), "{error}");
    assert!(kubelet.read(NODES, "absent").await.is_none());
}

pub(crate) async fn a_cordon_is_ours_or_stays(server: &Server) {
    let (api, kubelet, admin) = (server.api().await, Other::new(server, "kubelet"), Other::new(server, "kubectl"));
    let (node, note) = ("cordoned", "kubewright.dev/cordoned");
    register(&kubelet, node).await;
    assert_eq!(api.uncordon_ours(node).await.unwrap(), Cordon::AlreadySo);
    assert_eq!(api.cordon_ours(node, "upgrade to v1.20.3").await.unwrap(), Cordon::Changed);
    // A run that was killed here begins anew.
    assert_eq!(server.api().await.cordon_ours(node, "upgrade to v1.20.3").await.unwrap(), Cordon::Ours);
    let live = kubelet.read(NODES, node).await.unwrap();
    assert_eq!(live["spec"]["unschedulable"], true);
    assert!(live["metadata"]["annotations"][note].as_str().unwrap().starts_with("upgrade to v1.20.3, 20"), "{live}");
    let ours = api.cordoned_by_us().await.unwrap();
    assert!(ours.iter().any(|cordon| cordon.node == node && cordon.note.starts_with("upgrade to v1.20.3, 20")));

    assert_eq!(api.uncordon_ours(node).await.unwrap(), Cordon::Changed);
    let live = kubelet.read(NODES, node).await.unwrap();
    assert_eq!((live["spec"].get("unschedulable"), live["metadata"]["annotations"].get(note)), (None, None));

    // An administrator's cordon stays, even one that took the place of ours.
    let close = json!({"spec": {"unschedulable": true}});
    let open = json!({"spec": {"unschedulable": null}});
    admin.merge(NODES, node, &close).await;
    assert_eq!(api.cordon_ours(node, "upgrade").await.unwrap(), Cordon::AlreadySo);
    assert_eq!(api.uncordon_ours(node).await.unwrap(), Cordon::AlreadySo);
    admin.merge(NODES, node, &open).await;
    assert_eq!(api.cordon_ours(node, "upgrade").await.unwrap(), Cordon::Changed);
    admin.merge(NODES, node, &open).await;
    admin.merge(NODES, node, &close).await;
    assert!(api.cordoned_by_us().await.unwrap().iter().all(|cordon| cordon.node != node));
    assert_eq!(api.uncordon_ours(node).await.unwrap(), Cordon::AlreadySo);
    let live = kubelet.read(NODES, node).await.unwrap();
    assert_eq!((&live["spec"]["unschedulable"], live["metadata"]["annotations"].get(note)), (&json!(true), None));

    assert!(api.cordon_ours("never", "upgrade").await.unwrap_err().is_not_found());
    assert!(api.uncordon_ours("never").await.unwrap_err().is_not_found());
}
