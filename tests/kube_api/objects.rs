//! Apply and diff.

use kubewright::kube::{Action, KubeError, ObjectChange};
use serde_json::{Value, json};

use super::other::Other;
use super::server::Server;

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn config_map(namespace: &str, name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data})
}

fn path(namespace: &str, plural: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/{plural}")
}

fn words(changes: &[ObjectChange]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

/// What an installer applies, in an order that only works when it is sorted.
fn addons() -> Vec<Value> {
    let meta = |name: &str| json!({"name": name, "namespace": "addons", "labels": {"app": "dns"}});
    let template = json!({
        "metadata": {"labels": {"app": "dns"}, "annotations": {"hash": "1"}},
        "spec": {"serviceAccountName": "dns", "hostNetwork": true, "priorityClassName": "system-node-critical",
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "dns", "image": "dns:1", "args": ["-conf", "/etc/dns"],
                "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                    {"name": "PORT", "value": "53"}],
                "ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"},
                    {"name": "dns-tcp", "containerPort": 53}],
                "resources": {"requests": {"cpu": "100m", "memory": "70Mi"}},
                "securityContext": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["all"]}},
                "livenessProbe": {"httpGet": {"path": "/health", "port": 8080, "scheme": "HTTP"}},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/dns", "readOnly": true},
                    {"name": "run", "mountPath": "/run/x"}]}],
            "volumes": [{"name": "config", "configMap": {"name": "dns", "items": [{"key": "a", "path": "a"}]}},
                {"name": "run", "hostPath": {"path": "/run/x", "type": "DirectoryOrCreate"}},
                {"name": "tmp", "emptyDir": {}}]}});
    vec![
        json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta("one"),
            "spec": {"size": 1, "parts": [{"name": "a"}]}}),
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta("dns"),
            "spec": {"selector": {"matchLabels": {"app": "dns"}}, "template": template.clone(),
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("dns"),
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "dns"}}, "template": template}}),
        config_map("addons", "dns", json!({"a": "x\ny\n"})),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta("dns"), "type": "Opaque",
            "stringData": {"password": "hunter2"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("dns"),
            "spec": {"clusterIP": "10.96.0.10", "selector": {"app": "dns"},
                "ports": [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns-tcp"}]}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("dns")}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "addons:dns"},
            "rules": [{"apiGroups": [""], "resources": ["services", "pods"], "verbs": ["list", "watch"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "addons:dns"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "addons:dns"},
            "subjects": [{"kind": "ServiceAccount", "name": "dns", "namespace": "addons"}]}),
        json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": meta("dns"),
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "dns"}}}}),
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com", "creationTimestamp": null},
            "spec": {"group": "example.com", "scope": "Namespaced",
                "names": {"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                    "type": "object", "properties": {"spec": {"type": "object", "properties": {
                        "size": {"type": "integer"}, "colour": {"type": "string", "default": "red"},
                        "parts": {"type": "array", "items": {"type": "object",
                            "properties": {"name": {"type": "string"}}}}}}}}}}]},
            "status": {"conditions": null, "storedVersions": null}}),
        namespace("addons"),
    ]
}

pub(crate) async fn a_run_without_changes_only_reads(server: &Server) {
    let (api, other) = (server.api().await, Other::new(server, "observer"));
    let objects = addons();
    let wanted = api.diff(&objects).await.unwrap();
    assert_eq!(wanted.len(), objects.len());
    assert!(wanted.iter().all(|change| change.action == Action::Create), "{wanted:?}");
    assert!(!format!("{wanted:?}").contains("hunter2"));

    let done = api.apply(&objects).await.unwrap();
    let mut expected = words(&wanted);
    let mut found = words(&done);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(done[0].kind, "CustomResourceDefinition");

    let applies = |metrics: String| -> Vec<String> {
        let lines = metrics.lines().filter(|line| line.starts_with("apiserver_request_total"));
        lines.filter(|line| line.contains("verb=\"APPLY\"")).map(str::to_owned).collect()
    };
    let before = applies(other.text("/metrics").await);
    assert!(!before.is_empty());
    let version = |object: Option<Value>| object.unwrap()["metadata"]["resourceVersion"].clone();
    let daemon_sets = "/apis/apps/v1/namespaces/addons/daemonsets";
    let first = version(other.read(daemon_sets, "dns").await);
    assert_eq!(words(&api.diff(&objects).await.unwrap()), Vec::<String>::new());
    assert_eq!(words(&api.apply(&objects).await.unwrap()), Vec::<String>::new());
    // A new connection knows nothing of the one before.
    assert_eq!(words(&server.api().await.diff(&objects).await.unwrap()), Vec::<String>::new());
    assert_eq!(version(other.read(daemon_sets, "dns").await), first);
    // The kind of a lone custom resource is for the server to say.
    assert_eq!(words(&server.api().await.diff(&objects[..1]).await.unwrap()), Vec::<String>::new());
    // Not even a dry run was needed: what the server says of ownership is understood for every kind above.
    assert_eq!(applies(other.text("/metrics").await), before);
}

pub(crate) async fn drift_is_seen_and_mended(server: &Server) {
    let (api, other) = (server.api().await, Other::new(server, "kubectl-edit"));
    let objects = [namespace("drift"), config_map("drift", "a", json!({"mode": "ipvs", "mtu": "1500"}))];
    api.apply(&objects).await.unwrap();
    let maps = path("drift", "configmaps");
    let patch = json!({"data": {"mode": "iptables", "theirs": "stays"}, "metadata": {"labels": {"theirs": "too"}}});
    other.merge(&maps, "a", &patch).await;

    let changes = api.diff(&objects).await.unwrap();
    assert_eq!(words(&changes), ["update ConfigMap drift/a"]);
    let diff = changes[0].diff.as_deref().unwrap();
    assert!(diff.contains("-  mode: iptables\n+  mode: ipvs\n"), "{diff}");
    assert!(!diff.contains("managedFields") && !diff.contains("resourceVersion"), "{diff}");

    assert_eq!(words(&api.apply(&objects).await.unwrap()), ["update ConfigMap drift/a"]);
    let live = other.read(&maps, "a").await.unwrap();
    assert_eq!(live["data"], json!({"mode": "ipvs", "mtu": "1500", "theirs": "stays"}));
    assert_eq!(live["metadata"]["labels"], json!({"theirs": "too"}));
    assert!(api.diff(&objects).await.unwrap().is_empty());

    // Removed by somebody else.
    other.merge(&maps, "a", &json!({"data": {"mtu": null}})).await;
    assert_eq!(words(&api.apply(&objects).await.unwrap()), ["update ConfigMap drift/a"]);
    other.delete(&maps, "a").await;
    assert_eq!(words(&api.apply(&objects).await.unwrap()), ["create ConfigMap drift/a"]);
    assert!(api.diff(&objects).await.unwrap().is_empty());
}

pub(crate) async fn fields_no_longer_wanted_go(server: &Server) {
    let (api, other) = (server.api().await, Other::new(server, "observer"));
    let workload = |env: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "gone"},
            "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": {"metadata": {"labels": {"app": "a"}},
                "spec": {"containers": [{"name": "a", "image": "a:1", "env": env}]}}}})
    };
    let with = json!([{"name": "KEEP", "value": "1"}, {"name": "DROP", "value": "2"}]);
    let objects = [namespace("gone"), workload(with), config_map("gone", "a", json!({"keep": "1", "drop": "2"}))];
    api.apply(&objects).await.unwrap();

    let without = json!([{"name": "KEEP", "value": "1"}]);
    let objects = [namespace("gone"), workload(without), config_map("gone", "a", json!({"keep": "1"}))];
    let changes = api.diff(&objects).await.unwrap();
    assert_eq!(words(&changes), ["update Deployment gone/a", "update ConfigMap gone/a"]);
    assert!(changes[1].diff.as_deref().unwrap().contains("-  drop: \"2\"\n"), "{changes:?}");
    api.apply(&objects).await.unwrap();
    let live = other.read(&path("gone", "configmaps"), "a").await.unwrap();
    assert_eq!(live["data"], json!({"keep": "1"}));
    let live = other.read("/apis/apps/v1/namespaces/gone/deployments", "a").await.unwrap();
    let env = live["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    assert_eq!(env, json!([{"name": "KEEP", "value": "1"}]));
    assert!(api.diff(&objects).await.unwrap().is_empty());
}

pub(crate) async fn objects_of_others_are_adopted(server: &Server) {
    let (api, other) = (server.api().await, Other::new(server, "another-tool"));
    api.apply(&[namespace("adopted")]).await.unwrap();
    let object = config_map("adopted", "a", json!({"same": "1", "more": "2"}));
    let maps = path("adopted", "configmaps");
    other.create(&maps, &object).await;

    let objects = [config_map("adopted", "a", json!({"same": "1"}))];
    let changes = api.diff(&objects).await.unwrap();
    assert_eq!(words(&changes), ["update ConfigMap adopted/a"]);
    assert!(changes[0].diff.as_deref().unwrap().contains("+  data.same\n"), "{changes:?}");
    api.apply(&objects).await.unwrap();
    assert!(api.diff(&objects).await.unwrap().is_empty());
    assert_eq!(other.read(&maps, "a").await.unwrap()["data"], json!({"same": "1", "more": "2"}));
}

pub(crate) async fn secrets_are_compared_and_not_shown(server: &Server) {
    let (api, other) = (server.api().await, Other::new(server, "observer"));
    let secret = |password: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "secrets"},
            "type": "Opaque", "stringData": {"password": password}})
    };
    api.apply(&[namespace("secrets"), secret("hunter2")]).await.unwrap();
    assert!(api.diff(&[secret("hunter2")]).await.unwrap().is_empty());
    let changes = api.diff(&[secret("correct horse")]).await.unwrap();
    assert_eq!(words(&changes), ["update Secret secrets/a"]);
    let diff = changes[0].diff.as_deref().unwrap();
    assert!(diff.contains("+  password: (secret, content differs)\n"), "{diff}");
    for secret in ["aHVudGVyMg==", "hunter2", "Y29ycmVjdCBob3JzZQ==", "correct horse"] {
        assert!(!diff.contains(secret), "{diff}");
    }
    api.apply(&[secret("correct horse")]).await.unwrap();
    let live = other.read(&path("secrets", "secrets"), "a").await.unwrap();
    assert_eq!(live["data"]["password"], "Y29ycmVjdCBob3JzZQ==");

    let mut broken = secret("hunter3");
    broken["data"] = json!({"other": "hunter4 is not base64"});
    let error = api.apply(&[broken]).await.unwrap_err().to_string();
    assert!(error.contains("Secret secrets/a") && !error.contains("hunter"), "{error}");
}

pub(crate) async fn failures_are_collected(server: &Server) {
    let (api, other) = (server.api().await, Other::new(server, "observer"));
    let mut unknown_field = config_map("failures", "bad", json!({}));
    unknown_field["dataa"] = json!({});
    let no_namespace = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lost"}});
    let unknown_kind = json!({"apiVersion": "nobody.example.com/v1", "kind": "Thing", "metadata": {"name": "x"}});
    let objects = [
        namespace("failures"),
        unknown_field,
        config_map("failures", "good", json!({"a": "1"})),
        no_namespace,
        unknown_kind,
    ];
    let error = api.apply(&objects).await.unwrap_err();
    let text = error.to_string();
    let KubeError::Several { changes, failures } = error else { panic!("{text}") };
    assert_eq!(words(&changes), ["create Namespace failures", "create ConfigMap failures/good"]);
    assert_eq!(failures.len(), 3, "{text}");
    for expected in [
        "cannot apply ConfigMap failures/bad: ",
        ".dataa: field not declared in schema",
        "ConfigMap lost is not an object of Kubernetes: it has no metadata.namespace",
        "cannot find the kind of Thing x: the server does not serve this kind: nobody.example.com/v1: ",
    ] {
        assert!(text.contains(expected), "{expected:?} in {text}");
    }
    assert!(other.read(&path("failures", "configmaps"), "good").await.is_some());

    // Without its namespace the rest is not tried.
    let mut labelled = namespace("badly-labelled");
    labelled["metadata"]["labels"] = json!({"tier": "!"});
    let objects = [labelled, config_map("failures", "later", json!({}))];
    let error = api.apply(&objects).await.unwrap_err();
    let refused = "cannot apply Namespace badly-labelled: the server answers 422 Invalid";
    assert!(error.to_string().contains(refused), "{error}");
    assert!(other.read(&path("failures", "configmaps"), "later").await.is_none());

    // Malformed documents are found before anything is written.
    let objects = [config_map("failures", "later", json!({})), json!({"kind": "ConfigMap"})];
    assert!(api.apply(&objects).await.is_err());
    assert!(other.read(&path("failures", "configmaps"), "later").await.is_none());
}

pub(crate) async fn an_equal_quantity_is_no_change(server: &Server) {
    let api = server.api().await;
    let object = json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "a", "namespace": "quantities"}, "spec": {"hard": {"cpu": "1000m", "memory": "1024Mi"}}});
    api.apply(&[namespace("quantities"), object.clone()]).await.unwrap();
    // The server keeps "1" and "1Gi"; that they are equal is for it to say.
    assert!(api.diff(&[object]).await.unwrap().is_empty());
}

pub(crate) async fn a_scale_that_goes_to_others_stays(server: &Server) {
    let api = server.api().await;
    let deployment = |replicas: Value| {
        let labels = json!({"app": "scaled"});
        let mut spec = json!({"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "a", "image": "a"}]}}});
        if !replicas.is_null() {
            spec["replicas"] = replicas;
        }
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "scaled"}, "spec": spec})
    };
    api.apply(&[namespace("scaled"), deployment(json!(3))]).await.unwrap();
    // From now on an autoscaler says it.
    let left = deployment(Value::Null);
    assert_eq!(api.apply(std::slice::from_ref(&left)).await.unwrap().len(), 1);
    let other = Other::new(server, "autoscaler");
    let path = "/apis/apps/v1/namespaces/scaled/deployments";
    assert_eq!(other.read(path, "a").await.unwrap()["spec"]["replicas"], 3, "for a moment there was one");
    other.merge(path, "a", &json!({"spec": {"replicas": 5}})).await;
    assert!(api.diff(std::slice::from_ref(&left)).await.unwrap().is_empty());
    assert!(api.apply(&[left]).await.unwrap().is_empty());
    assert_eq!(other.read(path, "a").await.unwrap()["spec"]["replicas"], 5);
}
