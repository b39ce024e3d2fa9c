//! Add-ons come, change and go, and take nobody's data along.

use kubewright::kube::{Addon, AddonChanges, Pruning, Roster};
use serde_json::{Value, json};

use super::other::Other;
use super::server::Server;

const MAPS: &str = "/api/v1/namespaces/addon-ns/configmaps";

fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

fn addon(objects: Vec<Value>) -> Addon {
    Addon { name: "demo".into(), namespace: "addon-ns".into(), objects }
}

fn words(done: &AddonChanges) -> Vec<String> {
    let mut words: Vec<String> = done.changes.iter().map(|change| change.summary.clone()).collect();
    words.extend(done.left.iter().map(|id| format!("left {id}")));
    words.sort();
    words
}

pub(crate) async fn an_addon_comes_changes_and_goes(server: &Server) {
    let api = server.api().await;
    let other = Other::new(server, "somebody");
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gears.addons.example.com"},
        "spec": {"group": "addons.example.com", "scope": "Namespaced",
            "names": {"kind": "Gear", "plural": "gears", "singular": "gear", "listKind": "GearList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let all = vec![
        object("v1", "Namespace", "addon-ns"),
        crd,
        object("addons.example.com/v1", "Gear", "first"),
        object("v1", "ConfigMap", "one"),
        object("v1", "ConfigMap", "two"),
        object("rbac.authorization.k8s.io/v1", "ClusterRole", "addon-role"),
    ];
    let whole = addon(all.clone());
    // Neither its namespace nor its kinds are there yet.
    assert_eq!(api.diff_addon(&whole, &Roster::of([&whole]), Pruning::KeepData).await.unwrap().changes.len(), 6);
    let done = api.apply_addon(&whole, &Roster::of([&whole]), Pruning::KeepData).await.unwrap();
    assert!(words(&done).contains(&"create Gear addon-ns/first".to_owned()), "{:?}", words(&done));
    assert_eq!(
        api.apply_addon(&whole, &Roster::of([&whole]), Pruning::KeepData).await.unwrap(),
        AddonChanges::default()
    );
    assert!(api.addons().await.unwrap().contains(&"demo".to_owned()));

    // Less of it. One object belongs to somebody else by now, and stays.
    other.delete(MAPS, "two").await;
    other.create(MAPS, &object("v1", "ConfigMap", "two")).await;
    let less = addon(vec![all[1].clone(), all[2].clone()]);
    let expected = ["left Namespace addon-ns", "remove ClusterRole addon-role", "remove ConfigMap addon-ns/one"];
    assert_eq!(words(&api.diff_addon(&less, &Roster::of([&less]), Pruning::KeepData).await.unwrap()), expected);
    assert!(other.read(MAPS, "one").await.is_some(), "a diff removes nothing");
    assert_eq!(words(&api.apply_addon(&less, &Roster::of([&less]), Pruning::KeepData).await.unwrap()), expected);
    assert!(other.read(MAPS, "one").await.is_none() && other.read(MAPS, "two").await.is_some());

    // None of it: what has data of users is left, and known, until all is asked for.
    let gone = api.remove_addon("demo", &Roster::default(), Pruning::KeepData).await.unwrap();
    let crd = "CustomResourceDefinition gears.addons.example.com";
    assert_eq!(
        words(&gone),
        [format!("left {crd}"), "left Namespace addon-ns".into(), "remove Gear addon-ns/first".into()]
    );
    assert!(api.addons().await.unwrap().contains(&"demo".to_owned()));
    let gone = api.remove_addon("demo", &Roster::default(), Pruning::Everything).await.unwrap();
    assert_eq!(words(&gone), [format!("remove {crd}"), "remove Namespace addon-ns".into()]);
    assert!(!api.addons().await.unwrap().contains(&"demo".to_owned()));
}

pub(crate) async fn an_object_that_is_none_changes_nothing(server: &Server) {
    let api = server.api().await;
    let broken = Addon {
        name: "broken".into(),
        namespace: "default".into(),
        objects: vec![object("v1", "ConfigMap", "good"), json!({"apiVersion": "v1", "kind": "ConfigMap"})],
    };
    let error = api.apply_addon(&broken, &Roster::of([&broken]), Pruning::KeepData).await.unwrap_err().to_string();
    assert!(error.contains("it has no metadata.name"), "{error}");
    let other = Other::new(server, "somebody");
    assert!(other.read("/api/v1/namespaces/default/configmaps", "good").await.is_none());
    assert!(!api.addons().await.unwrap().contains(&"broken".to_owned()));
}
