//! Objects as `plan` shows them: YAML without what the server keeps for itself, and without secrets.

use serde_json::Value;

use crate::diff;

/// Annotations that servers and controllers write whenever something else changes.
const NOISE: &[&str] = &["deprecated.daemonset.template.generation"];
/// Copies the object that was applied, Secrets included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const SECRET: &str = "(secret)";
const SECRET_DIFFERS: &str = "(secret, content differs)";

/// An object without the fields that the server fills in.
pub(super) fn cleaned(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            for key in ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"] {
                metadata.remove(key);
            }
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.retain(|key, _| !NOISE.contains(&key.as_str()));
                if annotations.is_empty() {
                    metadata.remove("annotations");
                }
            }
        }
    }
    object
}

/// The unified diff from `live` to `wanted`, both cleaned.
pub(super) fn diff(live: Option<&Value>, wanted: &Value) -> String {
    let (mut live, mut wanted) = (live.cloned(), wanted.clone());
    if wanted["kind"] == "Secret" {
        redact(live.as_mut(), &mut wanted);
    }
    diff::unified(&live.as_ref().map(yaml).unwrap_or_default(), &yaml(&wanted))
}

fn yaml(value: &Value) -> String {
    // JSON values are always YAML; should the writer disagree, their JSON is as good to read.
    let mut text = serde_yaml::to_string(value).unwrap_or_else(|_| format!("{value:#}"));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Replaces the content of a Secret so that only what differs can be told.
fn redact(mut live: Option<&mut Value>, wanted: &mut Value) {
    for field in ["data", "stringData"] {
        let mut old = live.as_deref_mut().and_then(|live| live.get_mut(field)).and_then(Value::as_object_mut);
        if let Some(new) = wanted.get_mut(field).and_then(Value::as_object_mut) {
            for (key, value) in new {
                let before = old.as_deref().and_then(|old| old.get(key));
                let differs = before.is_some_and(|before| before != value);
                *value = if differs { SECRET_DIFFERS } else { SECRET }.into();
            }
        }
        for value in old.iter_mut().flat_map(|old| old.values_mut()) {
            *value = SECRET.into();
        }
    }
    for object in live.into_iter().chain([wanted]) {
        if let Some(copy) = object.pointer_mut("/metadata/annotations").and_then(|all| all.get_mut(LAST_APPLIED)) {
            *copy = SECRET.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_servers_own_fields_are_left_out() {
        let live = json!({"kind": "DaemonSet", "metadata": {"name": "a", "uid": "u", "resourceVersion": "1",
            "generation": 2, "creationTimestamp": "t", "selfLink": "/a", "managedFields": [],
            "annotations": {"deprecated.daemonset.template.generation": "2"}}, "status": {"x": 1}});
        assert_eq!(cleaned(&live), json!({"kind": "DaemonSet", "metadata": {"name": "a"}}));
    }

    #[test]
    fn a_diff_shows_what_changes_with_its_surroundings() {
        let live = json!({"kind": "ConfigMap", "data": {"a": "1", "b": "x\ny\n", "c": "yes"}});
        let wanted = json!({"kind": "ConfigMap", "data": {"a": "1", "b": "x\nz\n", "c": "yes"}});
        insta::assert_snapshot!(diff(Some(&live), &wanted));
    }

    #[test]
    fn a_new_object_is_shown_in_full() {
        insta::assert_snapshot!(diff(None, &json!({"kind": "ConfigMap", "data": {"a": "1"}})));
    }

    #[test]
    fn secrets_are_never_shown() {
        let live = json!({"kind": "Secret", "data": {"same": "aaaa", "changed": "bbbb", "gone": "cccc"},
            "metadata": {"annotations": {LAST_APPLIED: "{\"data\":{\"same\":\"aaaa\"}}"}}});
        let wanted = json!({"kind": "Secret", "data": {"same": "aaaa", "changed": "dddd", "new": "eeee"},
            "metadata": {"annotations": {LAST_APPLIED: "{\"data\":{\"same\":\"aaaa\"}}"}}});
        let text = diff(Some(&live), &wanted);
        for secret in ["aaaa", "bbbb", "cccc", "dddd", "eeee"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        insta::assert_snapshot!(text);
    }
}
