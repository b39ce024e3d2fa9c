//! Drain. No kubelet runs here, so every pod has a grace period of zero: its eviction is its end.

use std::time::Duration;

use kubewright::kube::{Cordon, DrainOptions, KubeError, UnmanagedPods};
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

fn options(deadline: Duration) -> DrainOptions {
    DrainOptions { deadline, interval: Duration::from_millis(200), ..DrainOptions::default() }
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

    let error = api.drain("drained", &options(Duration::from_millis(500))).await.unwrap_err();
    let text = error.to_string();
    let KubeError::DrainIncomplete { pods, .. } = error else { panic!("{text}") };
    assert_eq!(pods.len(), 1, "{text}");
    assert!(pods[0].starts_with("Pod default/guarded is not evicted: ") && pods[0].contains("budget budget"), "{text}");
    assert!(kubelet.read(PODS, "free").await.is_none());
    assert_eq!(kubelet.read(NODES, "drained").await.unwrap()["spec"]["unschedulable"], true);

    let drain = tokio::spawn(async move { api.drain("drained", &options(Duration::from_secs(60))).await });
    kubelet.delete(BUDGETS, "budget").await;
    assert_eq!(drain.await.unwrap().unwrap(), Cordon::AlreadySo);
    assert!(kubelet.read(PODS, "guarded").await.is_none());
    assert!(kubelet.read(PODS, "daemon").await.is_some());
    assert!(kubelet.read(PODS, "static-drained").await.is_some());
}

pub(crate) async fn nothing_is_evicted_when_anything_is_forbidden(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    register(&kubelet, "kept").await;
    let mut with_data = pod("with-data", "kept", Some("ReplicaSet"));
    with_data["spec"]["volumes"] = json!([{"name": "cache", "emptyDir": {}}]);
    run(&kubelet, &with_data).await;
    run(&kubelet, &pod("alone", "kept", None)).await;
    run(&kubelet, &pod("movable", "kept", Some("ReplicaSet"))).await;

    let error = api.drain("kept", &options(Duration::from_secs(60))).await.unwrap_err();
    let text = error.to_string();
    let KubeError::Undrainable { pods, .. } = error else { panic!("{text}") };
    assert_eq!(pods.len(), 2, "{text}");
    for name in ["with-data", "alone", "movable"] {
        assert!(kubelet.read(PODS, name).await.is_some(), "{name}");
    }
    let allowed = DrainOptions {
        unmanaged: UnmanagedPods::Delete,
        empty_dirs: kubewright::kube::EmptyDirs::Delete,
        ..options(Duration::from_secs(60))
    };
    api.drain("kept", &allowed).await.unwrap();
    for name in ["with-data", "alone", "movable"] {
        assert!(kubelet.read(PODS, name).await.is_none(), "{name}");
    }
}
