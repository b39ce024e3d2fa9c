//! Who owns which field, by `metadata.managedFields`.
//!
//! An object that we applied and nobody touched since owns exactly the fields that we want, with the values that we
//! want. That can be told from the live object alone, without asking the server for a dry run: the tree of owned
//! fields also says which lists are maps and which are atomic, so no schema is needed. When the answer is not certain
//! ("1000m" against "1"), it is no: then the server decides.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::FIELD_MANAGER;

/// The fields that we own by server-side apply: the version they are written in, and their tree.
pub(super) fn ours(live: &Value) -> Option<(&str, &Value)> {
    let entry = entries(live).find(|entry| entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply")?;
    Some((entry["apiVersion"].as_str()?, &entry["fieldsV1"]))
}

/// The managers that own `path` beside our applied fields: `["metadata", "labels", "rack"]`.
pub(super) fn other_owners<'a>(live: &'a Value, path: &[&str]) -> Vec<&'a str> {
    entries(live)
        .filter(|entry| !(entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply"))
        .filter(|entry| has(&entry["fieldsV1"], path))
        .filter_map(|entry| entry["manager"].as_str())
        .collect()
}

/// Whether a tree of fields contains `path`.
pub(super) fn has(fields: &Value, path: &[&str]) -> bool {
    path.iter().try_fold(fields, |fields, key| fields.get(format!("f:{key}"))).is_some()
}

fn entries(live: &Value) -> impl Iterator<Item = &Value> {
    // Entries of subresources (`status`) are of no concern: we apply none.
    let entries = live["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter(|entry| entry["subresource"].as_str().is_none_or(str::is_empty))
}

/// Whether we own exactly the fields of `wanted`, and `live` has them as wanted.
pub(super) fn in_sync(wanted: &Value, live: &Value) -> bool {
    let body = body(wanted);
    match ours(live) {
        Some((api_version, fields)) => wanted["apiVersion"] == api_version && covers(fields, &body, live),
        // A namespace that is wanted as such and no more: there is nothing to own.
        None => is_hollow(&body),
    }
}

/// An object without the fields that nobody owns: they say which object it is.
fn body(wanted: &Value) -> Value {
    let mut body = wanted.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("name");
            metadata.remove("namespace");
            if metadata.is_empty() {
                fields.remove("metadata");
            }
        }
    }
    body
}

fn covers(fields: &Value, wanted: &Value, live: &Value) -> bool {
    let Some(children) = fields.as_object() else { return false };
    // "." stands for the container itself.
    let children: Vec<_> = children.iter().filter(|(key, _)| *key != ".").collect();
    if children.is_empty() {
        return same(wanted, live);
    }
    match wanted {
        Value::Object(wanted) => {
            let is_wanted = |key: &str| key.strip_prefix("f:").is_some_and(|key| wanted.contains_key(key));
            children.iter().all(|(key, _)| is_wanted(key))
                && wanted.iter().all(|(key, wanted)| match (fields.get(format!("f:{key}")), live.get(key)) {
                    (Some(child), Some(live)) => covers(child, wanted, live),
                    // `emptyDir: {}` owns nothing in some versions; that it is there is all that was asked for.
                    (None, Some(live)) => is_hollow(wanted) && live.is_object(),
                    _ => false,
                })
        }
        Value::Array(wanted) => {
            let Some(live) = live.as_array() else { return false };
            children.len() == wanted.len() && children.iter().all(|(key, child)| covers_item(key, child, wanted, live))
        }
        _ => false,
    }
}

/// An item of a list that is a map (`k:` and its keys) or a set (`v:` and the value).
fn covers_item(key: &str, fields: &Value, wanted: &[Value], live: &[Value]) -> bool {
    match selector(key) {
        Some(("k:", Value::Object(selector))) => {
            let is = |item: &&Value| has_keys(item, &selector);
            // A key that we leave out has the server's default, such as TCP.
            let may_be = |item: &&Value| {
                item.is_object() && selector.iter().all(|(key, value)| item.get(key).is_none_or(|own| own == value))
            };
            let exact: Vec<_> = wanted.iter().filter(is).collect();
            let selected = if exact.is_empty() { wanted.iter().filter(may_be).collect() } else { exact };
            match (selected.as_slice(), live.iter().find(is)) {
                ([wanted], Some(live)) => covers(fields, wanted, live),
                _ => false,
            }
        }
        Some(("v:", value)) => wanted.contains(&value) && live.contains(&value),
        _ => false,
    }
}

/// What selects an item of a list: its kind, and its keys or value.
fn selector(key: &str) -> Option<(&str, Value)> {
    let (kind, selector) = key.split_at_checked(2)?;
    Some((kind, serde_json::from_str(selector).ok()?))
}

fn has_keys(item: &Value, keys: &Map<String, Value>) -> bool {
    keys.iter().all(|(key, value)| item.get(key) == Some(value))
}

/// The object as we applied it: the fields that are ours, with the values that they have now.
pub(super) fn owned(live: &Value) -> Option<Value> {
    let (api_version, fields) = ours(live)?;
    let mut owned = select(fields, live);
    owned["apiVersion"] = api_version.into();
    owned["kind"] = live["kind"].clone();
    for key in ["name", "namespace"] {
        if let Some(value) = live["metadata"].get(key) {
            owned["metadata"][key] = value.clone();
        }
    }
    Some(owned)
}

/// The part of `live` that a tree of fields covers.
fn select(fields: &Value, live: &Value) -> Value {
    let children: Vec<_> = fields.as_object().into_iter().flatten().filter(|(key, _)| *key != ".").collect();
    if children.is_empty() {
        return live.clone();
    }
    let field = |(key, fields): &(&String, &Value)| {
        let name = key.strip_prefix("f:")?;
        Some((name.to_owned(), select(fields, live.get(name)?)))
    };
    let item = |(key, fields): &(&String, &Value)| {
        let selector = selector(key)?;
        let is = |item: &&Value| match &selector {
            ("k:", Value::Object(keys)) => has_keys(item, keys),
            ("v:", value) => *item == value,
            _ => false,
        };
        Some(select(fields, live.as_array()?.iter().find(is)?))
    };
    match live {
        Value::Array(_) => children.iter().filter_map(item).collect(),
        _ => Value::Object(children.iter().filter_map(field).collect()),
    }
}

/// Whether there is no value in it anywhere.
fn is_hollow(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| fields.values().all(is_hollow))
}

/// Whether a field that is owned as a whole is as wanted. The server may have added defaults inside; had anybody else
/// changed it, we would no longer own it.
fn same(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            wanted.iter().all(|(key, wanted)| live.get(key).is_some_and(|live| same(wanted, live)))
        }
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len() && wanted.iter().zip(live).all(|(wanted, live)| same(wanted, live))
        }
        _ => wanted == live,
    }
}

/// The owned fields as paths, one a line when printed: `spec.template.spec.containers[name=x].image`.
pub(super) fn paths(fields: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    collect(fields, String::new(), &mut paths);
    paths
}

fn collect(fields: &Value, path: String, paths: &mut BTreeSet<String>) {
    let children = fields.as_object().into_iter().flatten().filter(|(key, _)| *key != ".");
    let mut leaf = true;
    for (key, child) in children {
        leaf = false;
        let next = match key.split_at_checked(2) {
            Some(("f:", name)) if path.is_empty() => name.to_owned(),
            Some(("f:", name)) => format!("{path}.{name}"),
            Some((_, selector)) => format!("{path}[{selector}]"),
            None => format!("{path}[{key}]"),
        };
        collect(child, next, paths);
    }
    if leaf && !path.is_empty() {
        paths.insert(path);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A DaemonSet as a server returns it after we applied `wanted()`.
    fn live() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"app": "p"},
                "managedFields": [
                    {"manager": "kubewright", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                     "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:app": {}}},
                        "f:spec": {"f:selector": {}, "f:template": {"f:spec": {
                            "f:containers": {"k:{\"name\":\"p\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                                "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":
                                    {".": {}, "f:containerPort": {}}}}},
                            "f:tolerations": {}}}}}},
                    {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "apps/v1",
                     "fieldsV1": {"f:status": {"f:numberReady": {}}}}]},
            "spec": {"revisionHistoryLimit": 10, "selector": {"matchLabels": {"app": "p"}},
                "template": {"spec": {"dnsPolicy": "ClusterFirst",
                    "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [{"name": "p", "image": "p:1", "args": ["-a", "-b"], "imagePullPolicy": "Always",
                        "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}}},
            "status": {"numberReady": 1}})
    }

    fn wanted() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "p", "namespace": "ns", "labels": {"app": "p"}},
            "spec": {"selector": {"matchLabels": {"app": "p"}}, "template": {"spec": {
                "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
                "containers": [{"name": "p", "image": "p:1", "args": ["-a", "-b"], "ports": [{"containerPort": 80}]}]}}}})
    }

    #[test]
    fn an_applied_object_that_nobody_touched_is_in_sync() {
        assert!(in_sync(&wanted(), &live()));
    }

    #[test]
    fn every_kind_of_difference_is_seen() {
        let container = "/spec/template/spec/containers/0";
        let differing: &[(&str, Value)] = &[
            ("", json!({"image": "p:2"})),
            ("", json!({"args": ["-a"]})),
            ("", json!({"args": ["-b", "-a"]})),
            ("", json!({"imagePullPolicy": "Always"})),
            ("", json!({"ports": [{"containerPort": 81}]})),
            ("", json!({"ports": [{"containerPort": 80}, {"containerPort": 81}]})),
        ];
        for (_, change) in differing {
            let mut wanted = wanted();
            let container = wanted.pointer_mut(container).unwrap().as_object_mut().unwrap();
            container.extend(change.as_object().unwrap().clone());
            assert!(!in_sync(&wanted, &live()), "wanted {change}");
        }
        for gone in ["image", "args", "ports"] {
            let mut wanted = wanted();
            wanted.pointer_mut(container).unwrap().as_object_mut().unwrap().remove(gone);
            assert!(!in_sync(&wanted, &live()), "no longer wanted: {gone}");
        }
    }

    #[test]
    fn a_change_by_somebody_else_is_seen() {
        // Somebody else took a label over: the value differs, and we no longer own it.
        let mut theirs = live();
        theirs["metadata"]["labels"]["app"] = json!("q");
        theirs["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"] = json!({});
        assert!(!in_sync(&wanted(), &theirs));
        // A field of ours was removed.
        let mut without = live();
        without["spec"]["template"]["spec"]["containers"][0].as_object_mut().unwrap().remove("args");
        assert!(!in_sync(&wanted(), &without));
        // We own nothing: created by another tool.
        let mut foreign = live();
        foreign["metadata"]["managedFields"][0]["manager"] = json!("kubectl");
        assert!(!in_sync(&wanted(), &foreign));
        // A plain update under our name is no apply.
        let mut updated = live();
        updated["metadata"]["managedFields"][0]["operation"] = json!("Update");
        assert!(!in_sync(&wanted(), &updated));
    }

    #[test]
    fn fields_of_others_do_not_matter() {
        let mut live = live();
        live["metadata"]["labels"]["theirs"] = json!("x");
        live["spec"]["minReadySeconds"] = json!(5);
        assert!(in_sync(&wanted(), &live));
    }

    #[test]
    fn what_we_own_is_what_we_applied() {
        let mut changed = live();
        changed["metadata"]["labels"]["theirs"] = json!("x");
        changed["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().insert(0, json!({"name": "theirs"}));
        let owned = owned(&changed).unwrap();
        assert_eq!(owned, wanted());
        assert!(in_sync(&owned, &changed));
        let sets = json!({"metadata": {"finalizers": ["theirs", "a"], "managedFields": [{"manager": "kubewright",
            "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:metadata": {"f:finalizers": {"v:\"a\"": {}}}}}]}});
        assert_eq!(super::owned(&sets).unwrap()["metadata"], json!({"finalizers": ["a"]}));
        assert!(super::owned(&json!({"metadata": {"name": "not ours"}})).is_none());
    }

    #[test]
    fn another_api_version_is_not_compared() {
        let mut wanted = wanted();
        wanted["apiVersion"] = json!("apps/v1beta2");
        assert!(!in_sync(&wanted, &live()));
    }

    #[test]
    fn what_owns_nothing_only_has_to_be_there() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}});
        assert!(in_sync(&namespace, &json!({"metadata": {"name": "a"}})));
        let labelled =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": {"b": "c"}}});
        assert!(!in_sync(&labelled, &json!({"metadata": {"name": "a", "labels": {"b": "c"}}})));

        let fields = json!({"f:volumes": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}}});
        let wanted = json!({"volumes": [{"name": "a", "emptyDir": {}}]});
        assert!(covers(&fields, &wanted, &wanted));
        assert!(!covers(&fields, &wanted, &json!({"volumes": [{"name": "a"}]})));
    }

    #[test]
    fn keys_left_to_their_default_do_not_confuse() {
        let (tcp, udp) = ("k:{\"port\":53,\"protocol\":\"TCP\"}", "k:{\"port\":53,\"protocol\":\"UDP\"}");
        let fields = json!({"f:ports": {tcp: {".": {}, "f:port": {}}, udp: {".": {}, "f:port": {}, "f:protocol": {}}}});
        let live = json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]});
        let wanted = json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]});
        assert!(covers(&fields, &wanted, &live));
        assert!(!covers(&fields, &json!({"ports": [{"port": 53}, {"port": 53}]}), &live));
    }

    #[test]
    fn sets_are_compared_by_value() {
        let fields = json!({"f:finalizers": {"v:\"a\"": {}, "v:\"b\"": {}}});
        assert!(covers(&fields, &json!({"finalizers": ["b", "a"]}), &json!({"finalizers": ["a", "b", "c"]})));
        assert!(!covers(&fields, &json!({"finalizers": ["a"]}), &json!({"finalizers": ["a", "b"]})));
        assert!(!covers(&fields, &json!({"finalizers": ["a", "b"]}), &json!({"finalizers": ["a"]})));
    }

    #[test]
    fn owners_and_paths_are_readable() {
        let live = live();
        assert_eq!(other_owners(&live, &["status", "numberReady"]), ["kube-controller-manager"]);
        assert!(other_owners(&live, &["metadata", "labels", "app"]).is_empty());
        let (_, fields) = ours(&live).unwrap();
        insta::assert_snapshot!(paths(fields).into_iter().collect::<Vec<_>>().join("\n"));
    }
}
