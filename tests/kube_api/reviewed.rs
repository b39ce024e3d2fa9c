//! The objects of Calico, BGP, the DNS and of the example add-ons that were reviewed, each tried at the API server without changing anything.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::other::Other;
use super::server::Server;

const CALICO: &str = "crd.projectcalico.org";
/// What the API server of 1.20 does not know yet; and one that its aggregator cannot apply: it ends the connection.
const LATER: [&str; 2] = ["policy/v1 PodDisruptionBudget", "apiregistration.k8s.io/v1 APIService"];

/// Calico's kinds, as far as our objects have their fields: names and types are those of its own definitions (3.21 to 3.33),
/// and any other field is refused.
fn kinds() -> Vec<Value> {
    let (text, number, yes) = (json!({"type": "string"}), json!({"type": "integer"}), json!({"type": "boolean"}));
    let list = |of: &Value| json!({"type": "array", "items": of});
    let one_of = |words: &[&str]| json!({"type": "string", "enum": words});
    let object = |fields: Value| json!({"type": "object", "properties": fields});
    let networks = list(&object(json!({"cidr": text})));
    let rules = list(&json!({"type": "object", "required": ["action"], "properties": {
        "action": one_of(&["Accept", "Reject"]), "source": one_of(&["RemotePeers"]), "cidr": text,
        "matchOperator": one_of(&["Equal", "NotEqual", "In", "NotIn"]), "interface": text,
    }}));
    let encapsulation = one_of(&["Never", "Always", "CrossSubnet"]);
    let kind = |kind: &str, fields: Value| {
        let plural =
            if kind == "CalicoNodeStatus" { "caliconodestatuses".into() } else { format!("{}s", kind.to_lowercase()) };
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{CALICO}")},
            "spec": {"group": CALICO, "scope": "Cluster", "preserveUnknownFields": false,
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                        "apiVersion": text, "kind": text, "metadata": {"type": "object"}, "spec": object(fields)}}}}]}})
    };
    vec![
        kind(
            "BGPConfiguration",
            json!({
                "asNumber": {"type": "integer", "format": "int32"}, "logSeverityScreen": text, "nodeToNodeMeshEnabled": yes,
                "listenPort": {"type": "integer", "minimum": 1, "maximum": 65535},
                "serviceClusterIPs": networks, "serviceExternalIPs": networks, "serviceLoadBalancerIPs": networks,
            }),
        ),
        kind(
            "BGPPeer",
            json!({
                "asNumber": {"type": "integer", "format": "int32"}, "filters": list(&text), "node": text, "nodeSelector": text,
                "numAllowedLocalASNumbers": {"type": "integer", "format": "int32"}, "peerIP": text, "peerSelector": text,
                "password": object(json!({"secretKeyRef": {"type": "object", "required": ["key"],
                    "properties": {"key": text, "name": text, "optional": yes}}})),
            }),
        ),
        kind("BGPFilter", json!({"exportV4": rules, "exportV6": rules, "importV4": rules, "importV6": rules})),
        kind(
            "IPPool",
            json!({
                "allowedUses": list(&text), "assignmentMode": one_of(&["Automatic", "Manual"]), "blockSize": number, "cidr": text,
                "disabled": yes, "disableBGPExport": yes, "ipipMode": encapsulation, "vxlanMode": encapsulation,
                "natOutgoing": yes, "nodeSelector": text,
            }),
        ),
        kind(
            "FelixConfiguration",
            json!({
                "defaultEndpointToHostAction": {"type": "string", "pattern": "^(?i)(Drop|Accept|Return)?$"},
                "logSeverityScreen": {"type": "string", "pattern": "^(?i)(Debug|Info|Warning|Error|Fatal)?$"},
                "prometheusMetricsEnabled": yes, "prometheusMetricsPort": number, "usageReportingEnabled": yes,
                "reportingInterval": {"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))*$"},
            }),
        ),
    ]
}

/// The documents of all snapshots below `src/desired` whose names contain one of these, each with its file's name.
fn reviewed() -> Vec<(String, Value)> {
    let desired = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/desired");
    let mut all = Vec::new();
    for directory in ["calico/snapshots", "bgp/snapshots", "snapshots"] {
        for entry in std::fs::read_dir(desired.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let of_ours =
                ["coredns-", "__example-", "node-local-dns", "dns-autoscaler"].iter().any(|part| name.contains(part));
            if directory == "snapshots" && !of_ours {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            // What comes before is insta's own.
            let text = text.splitn(3, "---\n").nth(2).unwrap();
            let documents = serde_yaml::from_multiple::<Value>(text).unwrap();
            all.extend(documents.into_iter().map(|document| (name.clone(), document)));
        }
    }
    all
}

fn path(object: &Value) -> String {
    let (api, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let namespaced = ["ServiceAccount", "ConfigMap", "Service", "DaemonSet", "Deployment", "Role", "RoleBinding"];
    let base = if api.contains('/') { format!("/apis/{api}") } else { format!("/api/{api}") };
    // Objects of add-ons get theirs when they are applied.
    let default = namespaced.contains(&kind).then_some("kube-system");
    let namespace = object["metadata"]["namespace"].as_str().or(default);
    let namespace = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    let plural = match kind.to_lowercase() {
        kind if kind.ends_with("ss") => format!("{kind}es"),
        kind => format!("{kind}s"),
    };
    format!("{base}{namespace}/{plural}")
}

pub(crate) async fn the_network_is_accepted_as_it_was_reviewed(server: &Server) {
    let other = Other::new(server, "kubewright");
    for kind in kinds() {
        other.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &kind).await;
    }
    let all = reviewed();
    // What is in a namespace needs it.
    for (_, namespace) in all.iter().filter(|(_, object)| object["kind"] == "Namespace") {
        other.create("/api/v1/namespaces", namespace).await;
    }
    let (mut accepted, mut refused) = (Map::new(), Vec::new());
    for (file, object) in &all {
        let (api, kind, name) = (&object["apiVersion"], &object["kind"], &object["metadata"]["name"]);
        let what = format!("{} {}", api.as_str().unwrap(), kind.as_str().unwrap());
        // The fixture's stands for all of Calico's.
        if kind == "CustomResourceDefinition" || LATER.contains(&what.as_str()) {
            continue;
        }
        let mut word = other.would_apply(&path(object), name.as_str().unwrap(), object).await;
        // A kind takes a moment until it is served, with its schema.
        for _ in 0..100 {
            let Err(why) = &word else { break };
            if !api.as_str().unwrap().starts_with(CALICO) || !why.contains("404") && !why.contains("not find") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            word = other.would_apply(&path(object), name.as_str().unwrap(), object).await;
        }
        match word {
            Ok(()) => drop(accepted.insert(what, Value::Null)),
            Err(why) => refused.push(format!("{file}: {what} {name}: {why}")),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    for kind in ["BGPPeer", "BGPFilter", "BGPConfiguration", "IPPool", "FelixConfiguration"] {
        assert!(accepted.contains_key(&format!("{CALICO}/v1 {kind}")), "no {kind} was tried");
    }
    assert!(accepted.contains_key("apps/v1 DaemonSet") && accepted.contains_key("apps/v1 Deployment"));
    // A field that nobody defines, or of another type, would have been refused.
    for spec in [json!({"peerip": "10.1.1.1"}), json!({"asNumber": "65000"})] {
        let wrong =
            json!({"apiVersion": format!("{CALICO}/v1"), "kind": "BGPPeer", "metadata": {"name": "x"}, "spec": spec});
        assert!(other.would_apply(&path(&wrong), "x", &wrong).await.is_err(), "{wrong}");
    }
}
