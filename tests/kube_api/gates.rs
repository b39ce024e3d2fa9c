//! The gates, with states written by hand as a kubelet or a controller would.

use kubewright::cluster::KubeVersion;
use kubewright::kube::{ControlPlaneExpected, NodeExpected, NodesExpected, Watch};
use serde_json::{Value, json};

use super::nodes::{NODES, register};
use super::other::Other;
use super::server::Server;

const VERSION: KubeVersion = KubeVersion::new(1, 20, 2);

pub(crate) async fn nodes_are_ready_or_named(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    assert_eq!(api.version().await.unwrap(), VERSION);
    register(&kubelet, "gate").await;
    let expected = |names: &[&str]| NodesExpected {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        version: Some(VERSION),
    };
    assert_eq!(
        api.readiness(&expected(&["gate", "no-gate"])).await.unwrap(),
        ["node gate is not Ready: its kubelet has not reported its state yet", "node no-gate has not registered"]
    );
    let status = |ready: &str| {
        json!({"status": {
            "nodeInfo": {"kubeletVersion": "v1.20.2"}, "addresses": [{"type": "InternalIP", "address": "10.1.0.11"}],
            "conditions": [{"type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": "no network"}]}})
    };
    kubelet.merge_status(NODES, "gate", &status("False")).await;
    assert_eq!(
        api.readiness(&expected(&["gate"])).await.unwrap(),
        ["node gate is not Ready: KubeletNotReady: no network"]
    );
    kubelet.merge_status(NODES, "gate", &status("True")).await;
    assert_eq!(api.readiness(&expected(&["gate"])).await.unwrap(), Vec::<String>::new());

    let nodes = api.nodes().await.unwrap();
    let node = nodes.iter().find(|node| node.name == "gate").unwrap();
    assert!(node.ready && !node.unschedulable);
    assert_eq!(node.internal_ip, Some("10.1.0.11".parse().unwrap()));
    assert_eq!(node.labels["kubernetes.io/hostname"], "gate");
}

pub(crate) async fn workloads_are_rolled_out_or_named(server: &Server) {
    let (api, controller) = (server.api().await, Other::new(server, "kube-controller-manager"));
    let objects = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gates"}}),
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "proxy", "namespace": "gates"},
            "spec": {"selector": {"matchLabels": {"app": "proxy"}}, "template": {"metadata": {"labels": {"app": "proxy"}},
                "spec": {"containers": [{"name": "proxy", "image": "proxy:1"}]}}}}),
    ];
    assert_eq!(api.workloads_missing(&objects, &["m1", "m2"]).await.unwrap(), ["DaemonSet gates/proxy does not exist"]);
    api.apply(&objects).await.unwrap();
    assert_eq!(
        api.workloads_missing(&objects, &["m1", "m2"]).await.unwrap(),
        ["DaemonSet gates/proxy: its controller has not seen the change yet (is the controller-manager running?)"]
    );
    let status = |available: u32| {
        json!({"status": {"observedGeneration": 1, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
            "numberMisscheduled": 0, "updatedNumberScheduled": 2, "numberReady": available,
            "numberAvailable": available}})
    };
    let daemon_sets = "/apis/apps/v1/namespaces/gates/daemonsets";
    controller.merge_status(daemon_sets, "proxy", &status(1)).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "proxy-1", "labels": {"app": "proxy"}},
        "spec": {"nodeName": "m1", "containers": [{"name": "proxy", "image": "proxy:1"}]}});
    let pods = "/api/v1/namespaces/gates/pods";
    controller.create(pods, &pod).await;
    let waiting = json!({"reason": "ErrImageNeverPull", "message": "not present"});
    let pod_status = json!({"status": {"containerStatuses": [{"name": "proxy", "image": "proxy:1", "imageID": "",
        "ready": false, "restartCount": 0, "state": {"waiting": waiting}}]}});
    controller.merge_status(pods, "proxy-1", &pod_status).await;
    assert_eq!(
        api.workloads_missing(&objects, &["m1", "m2"]).await.unwrap(),
        ["DaemonSet gates/proxy: 1 of 2 pods are available; \
          pod gates/proxy-1 on m1: container proxy: ErrImageNeverPull: not present"]
    );
    // One on a host that was taken out of the inventory is not waited for.
    assert_eq!(api.workloads_missing(&objects, &["m2"]).await.unwrap(), Vec::<String>::new());
    controller.merge_status(daemon_sets, "proxy", &status(2)).await;
    assert_eq!(api.workloads_missing(&objects, &["m1", "m2"]).await.unwrap(), Vec::<String>::new());
    // What the controller writes into the status is no difference.
    assert!(api.diff(&objects).await.unwrap().is_empty());
}

pub(crate) async fn the_control_plane_runs_or_is_named(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    let pods = "/api/v1/namespaces/kube-system/pods";
    let mirror = |component: &str, hash: &str| -> Value {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{component}-master"), "labels": {"tier": "control-plane"},
                "annotations": {"kubernetes.io/config.hash": hash, "kubernetes.io/config.mirror": hash}},
            "spec": {"nodeName": "master", "hostNetwork": true,
                "containers": [{"name": component, "image": format!("k8s.gcr.io/{component}:v1.20.2")}]}})
    };
    let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    for component in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        kubelet.create(pods, &mirror(component, "one")).await;
        if component != "kube-scheduler" {
            kubelet.merge_status(pods, &format!("{component}-master"), &ready).await;
        }
    }
    let gaps = async |expected: &ControlPlaneExpected| -> Vec<String> {
        api.control_plane(expected).await.unwrap().iter().map(ToString::to_string).collect()
    };
    let mut expected = ControlPlaneExpected {
        nodes: vec!["master".into()],
        version: Some(VERSION),
        images: Default::default(),
        replaced: Default::default(),
    };
    assert_eq!(gaps(&expected).await, ["master: kube-scheduler: it is Pending"]);
    kubelet.merge_status(pods, "kube-scheduler-master", &ready).await;
    assert_eq!(gaps(&expected).await, Vec::<String>::new());

    expected.replaced = api.static_pod_hashes().await.unwrap();
    assert_eq!(expected.replaced["kube-apiserver-master"], "one");
    assert_eq!(gaps(&expected).await.len(), 3);
    let image = "k8s.gcr.io/kube-apiserver:v1.20.2-deb12u1";
    expected.images = [("kube-apiserver".to_owned(), image.to_owned())].into();
    expected.replaced.clear();
    assert_eq!(
        gaps(&expected).await,
        [format!("master: kube-apiserver: its image is k8s.gcr.io/kube-apiserver:v1.20.2, not {image}")]
    );
    expected.images.clear();
    expected.version = Some(KubeVersion::new(1, 21, 0));
    expected.replaced.clear();
    assert_eq!(
        gaps(&expected).await[0],
        "master: kube-apiserver: its image is k8s.gcr.io/kube-apiserver:v1.20.2, not of v1.21.0"
    );
}

pub(crate) async fn crashing_static_pods_are_found(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    let pods = "/api/v1/namespaces/kube-system/pods";
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "kube-apiserver-crashing", "annotations": {"kubernetes.io/config.mirror": "x"}},
        "spec": {"nodeName": "crashing", "containers": [{"name": "kube-apiserver", "image": "a:1"}]}});
    kubelet.create(pods, &pod).await;
    assert_eq!(api.crashing_static_pods("crashing").await.unwrap(), []);
    let status = json!({"status": {"phase": "Running", "containerStatuses": [{"name": "kube-apiserver", "image": "a:1",
        "imageID": "", "ready": false, "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "message": "unknown flag: --port"}}}]}});
    kubelet.merge_status(pods, "kube-apiserver-crashing", &status).await;
    let found = api.crashing_static_pods("crashing").await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].is_hopeless());
    assert_eq!(
        found[0].to_string(),
        "crashing: container kube-apiserver of pod kube-apiserver-crashing: CrashLoopBackOff: unknown flag: --port \
         (last exit code 1, 4 restarts)"
    );
}

pub(crate) async fn a_node_is_back_or_not(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    let (node, leases) = ("back", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-node-lease"}});
    api.apply(&[namespace]).await.unwrap();
    let (watch, expected) =
        (Watch::default(), NodeExpected { kubelet: Some("v1.20.2+deb12u1".into()), daemon_sets: Vec::new() });
    assert_eq!(api.node_missing(node, &expected, &watch).await.unwrap(), ["back: it has not registered"]);
    register(&kubelet, node).await;
    let status = |version: &str| json!({"status": {"nodeInfo": {"kubeletVersion": version}, "conditions": [{"type": "Ready", "status": "True"}]}});
    kubelet.merge_status(NODES, node, &status("v1.20.2")).await;
    let renewed = |time: &str| json!({"spec": {"holderIdentity": node, "renewTime": time}});
    let mut lease = renewed("2020-01-01T00:00:00.000000Z");
    lease["metadata"] = json!({"name": node});
    lease["apiVersion"] = json!("coordination.k8s.io/v1");
    lease["kind"] = json!("Lease");
    kubelet.create(leases, &lease).await;
    assert_eq!(
        api.node_missing(node, &expected, &watch).await.unwrap(),
        [
            "back: its kubelet is v1.20.2, v1.20.2+deb12u1 is wanted",
            "back: its lease has not been renewed since we look"
        ]
    );
    kubelet.merge_status(NODES, node, &status("v1.20.2+deb12u1")).await;
    // By a clock that is years behind, and yet it moves.
    kubelet.merge(leases, node, &renewed("2020-01-01T00:00:10.000000Z")).await;
    assert_eq!(api.node_missing(node, &expected, &watch).await.unwrap(), Vec::<String>::new());
}
