//! What is asked of a server, and in which order.

use serde_json::{Value, json};

use super::super::scripted::{Scripted, not_found, status};
use super::*;

const RECORD: &str = "/api/v1/namespaces/kube-system/configmaps/kubewright-addon-x";
const MAP: &str = "/api/v1/namespaces/demo/configmaps/a";
const HOOK: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/gate";
const APPLY: &str = "?&force=true&fieldManager=kubewright&fieldValidation=Strict";
const TRY: &str = "?&dryRun=All&force=true&fieldManager=kubewright&fieldValidation=Strict";

fn addon(objects: Vec<Value>) -> Addon {
    Addon { name: "x".into(), namespace: "demo".into(), objects }
}

fn map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
}

fn record(entries: &Value) -> Value {
    json!({"data": {"objects": entries.to_string()}})
}

fn get(path: &str) -> String {
    format!("GET {path}")
}

fn server(steps: &[(String, u16, Value)]) -> Scripted {
    Scripted::new(steps.iter().map(|(request, status, body)| (request.as_str(), *status, body.clone())))
}

#[tokio::test]
async fn what_the_server_refuses_is_not_recorded() {
    let refused = status(422, "Invalid", "a", "ConfigMap \"a\" is invalid: data[b c]: a key has letters and digits");
    let server = server(&[(get(MAP), 404, not_found("a")), (format!("PATCH {MAP}{TRY}"), 422, refused)]);
    let addon = addon(vec![map()]);
    let error = server.api().apply_addon(&addon, &Roster::of([&addon]), Pruning::KeepData).await.unwrap_err();
    server.done();
    assert!(error.to_string().contains("data[b c]"), "{error}");
}

#[tokio::test]
async fn a_kind_that_nobody_defines_is_not_recorded() {
    let server = server(&[("GET /apis/example.com/v1?".into(), 404, json!({"kind": "Status", "code": 404}))]);
    let gear = json!({"apiVersion": "example.com/v1", "kind": "Gear", "metadata": {"name": "a"}});
    let addon = addon(vec![gear]);
    let error = server.api().apply_addon(&addon, &Roster::of([&addon]), Pruning::KeepData).await.unwrap_err();
    server.done();
    assert!(error.to_string().contains("the server does not serve this kind"), "{error}");
}

#[tokio::test]
async fn objects_that_are_none_are_all_told_and_nothing_is_asked() {
    let nameless = json!({"apiVersion": "v1", "kind": "ConfigMap"});
    let labels = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "labels": "none"}});
    let server = server(&[]);
    let addon = addon(vec![nameless, labels]);
    let error = server.api().apply_addon(&addon, &Roster::of([&addon]), Pruning::KeepData).await.unwrap_err();
    server.done();
    let error = error.to_string();
    assert!(error.contains("it has no metadata.name") && error.contains("metadata.labels is no map"), "{error}");
}

#[tokio::test]
async fn a_damaged_record_keeps_nobody_from_going_on() {
    let entries = json!([["v1", "ConfigMap", "demo", "../x"], ["example.com/v1", "Gear", "demo", "g"]]);
    let server = server(&[
        (get(RECORD), 200, record(&entries)),
        (format!("PATCH {RECORD}{APPLY}"), 200, json!({})),
        ("GET /apis/example.com/v1?".into(), 404, json!({"kind": "Status", "code": 404})),
        (format!("PATCH {RECORD}{APPLY}"), 200, json!({})),
        (format!("DELETE {RECORD}?"), 200, json!({})),
    ]);
    let done = server.api().remove_addon("x", &Roster::default(), Pruning::KeepData).await.unwrap();
    let bodies = server.done();
    assert_eq!(bodies[1]["data"]["objects"], json!([["example.com/v1", "Gear", "demo", "g"]]).to_string());
    assert_eq!(bodies[3]["data"]["objects"], "[]");
    assert_eq!(done.notes.len(), 1, "{:?}", done.notes);
    assert!(done.notes[0].contains("ConfigMap kube-system/kubewright-addon-x"), "{:?}", done.notes);
}

#[tokio::test]
async fn a_webhook_that_is_to_go_goes_before_the_rest_comes() {
    let broken =
        status(500, "InternalError", "", "Internal error occurred: failed calling webhook \"gate.example.com\": no");
    let hook =
        json!({"metadata": {"name": "gate", "labels": {LABEL: "x"}}, "webhooks": [{"name": "gate.example.com"}]});
    let entries = json!([["admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", null, "gate"]]);
    let lists = "/apis/admissionregistration.k8s.io/v1";
    let server = server(&[
        (get(MAP), 404, not_found("a")),
        (format!("PATCH {MAP}{TRY}"), 500, broken),
        (format!("GET {lists}/mutatingwebhookconfigurations?"), 200, json!({"items": []})),
        (format!("GET {lists}/validatingwebhookconfigurations?"), 200, json!({"items": [hook]})),
        (get(RECORD), 200, record(&entries)),
        (format!("PATCH {RECORD}{APPLY}"), 200, json!({})),
        (get(HOOK), 200, hook.clone()),
        (format!("DELETE {HOOK}?"), 200, json!({})),
        (get(MAP), 404, not_found("a")),
        (format!("PATCH {MAP}{APPLY}"), 201, json!({})),
        (format!("PATCH {RECORD}{APPLY}"), 200, json!({})),
    ]);
    let addon = addon(vec![map()]);
    let done = server.api().apply_addon(&addon, &Roster::of([&addon]), Pruning::KeepData).await.unwrap();
    server.done();
    let words: Vec<_> = done.changes.iter().map(|change| change.summary.as_str()).collect();
    assert_eq!(words, ["remove ValidatingWebhookConfiguration gate", "create ConfigMap demo/a"]);
}

#[tokio::test]
async fn what_another_addon_has_now_stays() {
    let server = server(&[
        (get(RECORD), 200, record(&json!([["v1", "ConfigMap", "demo", "a"]]))),
        (format!("PATCH {RECORD}{APPLY}"), 200, json!({})),
        (format!("DELETE {RECORD}?"), 200, json!({})),
    ]);
    let renamed = Addon { name: "y".into(), ..addon(vec![map()]) };
    let done = server.api().remove_addon("x", &Roster::of([&renamed]), Pruning::Everything).await.unwrap();
    server.done();
    assert_eq!(done, AddonChanges::default());
}

#[tokio::test]
async fn new_objects_are_tried_before_anything_is_said_of_them() {
    let no_namespace = || status(404, "NotFound", "demo", "namespaces \"demo\" not found");
    let steps = [(get(MAP), 404, not_found("a")), (format!("PATCH {MAP}{TRY}"), 404, no_namespace())];
    let brought = Addon {
        name: "first".into(),
        namespace: "default".into(),
        objects: vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}})],
    };
    let addon = addon(vec![map()]);
    let known = server(&[&steps[..], &[(get(RECORD), 404, not_found("kubewright-addon-x"))]].concat());
    let found = known.api().diff_addon(&addon, &Roster::of([&brought, &addon]), Pruning::KeepData).await.unwrap();
    known.done();
    assert_eq!(found.changes.len(), 1);
    let unknown = server(&steps);
    let error = unknown.api().diff_addon(&addon, &Roster::of([&addon]), Pruning::KeepData).await.unwrap_err();
    unknown.done();
    assert!(error.to_string().contains("namespaces \"demo\" not found"), "{error}");
}
