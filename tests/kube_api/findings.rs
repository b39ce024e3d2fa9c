//! What stands in the way of an upgrade, as a server of v1.20 tells it.

use kubewright::cluster::KubeVersion;
use kubewright::kube::{DrainOptions, Finding, Severity};
use serde_json::{Value, json};

use super::nodes::{NODES, register};
use super::other::Other;
use super::server::Server;

const TARGET: KubeVersion = KubeVersion::new(1, 25, 0);

fn about<'a>(findings: &'a [Finding], subject: &str) -> Vec<(Severity, &'a str)> {
    let about = findings.iter().filter(|finding| finding.subject == subject);
    about.map(|finding| (finding.severity, finding.text.as_str())).collect()
}

pub(crate) async fn what_is_in_the_way_is_found(server: &Server) {
    let (api, admin) = (server.api().await, Other::new(server, "kubectl"));
    register(&admin, "unwell").await;
    admin.merge(NODES, "unwell", &json!({"spec": {"unschedulable": true}})).await;
    let service = json!({"namespace": "default", "name": "nobody"});
    let hook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "guard"}, "webhooks": [{"name": "guard.example.com", "failurePolicy": "Fail",
            "sideEffects": "None", "admissionReviewVersions": ["v1beta1"], "clientConfig": {"service": service},
            // Somebody else's kind, so that the guard is in nobody's way here.
            "rules": [{"apiGroups": ["example.net"], "apiVersions": ["*"], "operations": ["CREATE"],
                "resources": ["pods"]}]}]});
    admin.create("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", &hook).await;
    let version = |name: &str, served: bool| -> Value {
        json!({"name": name, "served": served, "storage": served,
            "schema": {"openAPIV3Schema": {"type": "object"}}})
    };
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gears.example.net"}, "spec": {"group": "example.net", "scope": "Cluster",
            "names": {"kind": "Gear", "plural": "gears"}, "versions": [version("v1", true), version("v1beta1", false)]}});
    admin.create(crds, &crd).await;
    let stored = json!({"status": {"storedVersions": ["v1beta1", "v1"]}});
    admin.merge_status(crds, "gears.example.net", &stored).await;
    let policy = json!({"apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy", "metadata": {"name": "restricted"},
        "spec": {"seLinux": {"rule": "RunAsAny"}, "runAsUser": {"rule": "RunAsAny"}, "fsGroup": {"rule": "RunAsAny"},
            "supplementalGroups": {"rule": "RunAsAny"}}});
    admin.create("/apis/policy/v1beta1/podsecuritypolicies", &policy).await;

    let findings = api.upgrade_findings(TARGET).await.unwrap();
    assert_eq!(
        about(&findings, "Node unwell"),
        [
            (Severity::Warns, "is not Ready: its kubelet has not reported its state yet"),
            (Severity::Warns, "is cordoned, and not by kubewright: it stays so"),
        ]
    );
    assert_eq!(
        about(&findings, "webhook guard.example.com of guard"),
        [
            (Severity::Blocks, "refuses every change of pods: its service default/nobody has no ready endpoint"),
            (Severity::Warns, "does not understand AdmissionReview v1"),
        ]
    );
    assert_eq!(
        about(&findings, "CustomResourceDefinition gears.example.net"),
        [(Severity::Warns, "may hold objects that are stored as v1beta1, which is no longer served")]
    );
    assert_eq!(about(&findings, "PodSecurityPolicy restricted").len(), 1);
    let next = api.upgrade_findings(KubeVersion::new(1, 21, 14)).await.unwrap();
    assert_eq!(about(&next, "PodSecurityPolicy restricted"), []);

    // Requests are remembered by the server that got them.
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": "ClusterRole",
        "metadata": {"name": "of-old"}, "rules": []});
    admin.create("/apis/rbac.authorization.k8s.io/v1beta1/clusterroles", &role).await;
    let requested = api.deprecated_apis_requested(TARGET).await.unwrap();
    let text = "are in use, and not served from v1.22 on";
    assert_eq!(about(&requested, "clusterroles of rbac.authorization.k8s.io/v1beta1"), [(Severity::Warns, text)]);
    let next = api.deprecated_apis_requested(KubeVersion::new(1, 21, 0)).await.unwrap();
    assert_eq!(about(&next, "clusterroles of rbac.authorization.k8s.io/v1beta1"), []);
}

pub(crate) async fn what_holds_a_drain_is_found(server: &Server) {
    let (api, kubelet) = (server.api().await, Other::new(server, "kubelet"));
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "held"}});
    api.apply(&[namespace]).await.unwrap();
    let (pods, budgets) = ("/api/v1/namespaces/held/pods", "/apis/policy/v1beta1/namespaces/held/poddisruptionbudgets");
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "controller": true,
        "uid": "00000000-0000-0000-0000-000000000001"}]);
    for (name, owners) in [("web", owner), ("lone", json!([]))] {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}, "ownerReferences": owners},
            "spec": {"nodeName": "held-1", "containers": [{"name": "a", "image": "a:1"}]}});
        kubelet.create(pods, &pod).await;
    }
    let budget = json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}}});
    kubelet.create(budgets, &budget).await;
    let status = json!({"status": {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 1,
        "desiredHealthy": 1, "expectedPods": 1}});
    kubelet.merge_status(budgets, "web", &status).await;

    let findings = api.drain_findings(&["held-1".to_owned()], &DrainOptions::default()).await.unwrap();
    let told: Vec<_> = findings.iter().map(|finding| (finding.severity, finding.subject.as_str())).collect();
    assert_eq!(
        told,
        [(Severity::Blocks, "Pod held/lone on held-1"), (Severity::Blocks, "PodDisruptionBudget held/web")],
        "{findings:?}"
    );
    let elsewhere = api.drain_findings(&["held-2".to_owned()], &DrainOptions::default()).await.unwrap();
    assert_eq!(elsewhere, []);
}
