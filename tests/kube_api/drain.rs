//! Drain. No kubelet runs here, so every pod has a grace period of zero: its eviction is its end.

use kubewright::kube::{Cordon, DrainOptions, EmptyDirs, Hold, KubeError, UnmanagedPods};
use serde_json::{Value, json};

use super::nodes::{NODES, register};
use super::other::Other;
use super::server::Server;

const PODS: &str = "/api/v1/namespaces/default/pods";
const BUDGETS: &str = "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets";

fn pod(name: &str, node: &str, owner: Option<&str>) -> Value {
    let owners: Vec<_> = owner
        .into_iter()
        .map(|kind| {
            json!({"apiVersion": "apps/v1", "kind": kind, "name": "owner", "controller": true,
                "uid": "00000000-0000-0000-0000-000000000001"})
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "ownerReferences": owners, "labels": {"app": name}},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [{"name": "a", "image": "a:1"}]}})
}

/// A pod that runs: for a pending one the server asks no budget.
async fn run(kubelet: &Other, pod: &Value) {
    kubelet.create(PODS, pod).await;
    let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    kubelet.merge_status(PODS, pod["metadata"]["name"].as_str().unwrap(), &status).await;
}

pub(crate) async fn a_budget_blocks_until_it_is_gone(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    register(&kubelet, "drained").await;
    run(&kubelet, &pod("guarded", "drained", Some("ReplicaSet"))).await;
    run(&kubelet, &pod("free", "drained", Some("ReplicaSet"))).await;
    run(&kubelet, &pod("daemon", "drained", Some("DaemonSet"))).await;
    let mut mirror = pod("static-drained", "drained", None);
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    run(&kubelet, &mirror).await;
    let budget = json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "budget"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "guarded"}}}});
    kubelet.create(BUDGETS, &budget).await;
    // What the disruption controller would find.
    let status = json!({"status": {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 1,
        "desiredHealthy": 1, "expectedPods": 1}});
    kubelet.merge_status(BUDGETS, "budget", &status).await;

    let options = DrainOptions::default();
    assert_eq!(api.drain_start("drained", "upgrade", &options).await.unwrap(), Cordon::Changed);
    assert_eq!(kubelet.read(NODES, "drained").await.unwrap()["spec"]["unschedulable"], true);
    let left = api.drain_round("drained", &options).await.unwrap();
    let held = left.iter().find(|left| left.pod == "default/guarded").unwrap();
    let Hold::Refused(reason) = &held.hold else { panic!("{held}") };
    assert!(reason.contains("budget budget"), "{reason}");
    assert!(kubelet.read(PODS, "free").await.is_none());
    // Only what is held is left, round after round.
    assert_eq!(api.drain_round("drained", &options).await.unwrap().len(), 1);

    kubelet.delete(BUDGETS, "budget").await;
    assert_eq!(api.drain_start("drained", "upgrade", &options).await.unwrap(), Cordon::Ours);
    api.drain_round("drained", &options).await.unwrap();
    assert_eq!(api.drain_round("drained", &options).await.unwrap(), []);
    assert!(kubelet.read(PODS, "guarded").await.is_none());
    assert!(kubelet.read(PODS, "daemon").await.is_some());
    assert!(kubelet.read(PODS, "static-drained").await.is_some());
}

pub(crate) async fn nothing_is_changed_when_anything_is_forbidden(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    register(&kubelet, "kept").await;
    let mut with_data = pod("with-data", "kept", Some("ReplicaSet"));
    with_data["spec"]["volumes"] = json!([{"name": "cache", "emptyDir": {}}]);
    run(&kubelet, &with_data).await;
    run(&kubelet, &pod("alone", "kept", None)).await;
    run(&kubelet, &pod("movable", "kept", Some("ReplicaSet"))).await;

    let strict = DrainOptions { empty_dirs: EmptyDirs::Refuse, ..DrainOptions::default() };
    let error = api.drain_start("kept", "upgrade", &strict).await.unwrap_err();
    let text = error.to_string();
    let KubeError::Undrainable { pods, .. } = error else { panic!("{text}") };
    assert_eq!(pods.len(), 2, "{text}");
    for name in ["with-data", "alone", "movable"] {
        assert!(kubelet.read(PODS, name).await.is_some(), "{name}");
    }
    assert_eq!(kubelet.read(NODES, "kept").await.unwrap()["spec"].get("unschedulable"), None);

    let allowed = DrainOptions { unmanaged: UnmanagedPods::Delete, ..DrainOptions::default() };
    api.drain_start("kept", "upgrade", &allowed).await.unwrap();
    api.drain_round("kept", &allowed).await.unwrap();
    assert_eq!(api.drain_round("kept", &allowed).await.unwrap(), []);
    for name in ["with-data", "alone", "movable"] {
        assert!(kubelet.read(PODS, name).await.is_none(), "{name}");
    }
}
