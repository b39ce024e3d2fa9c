//! Labels, taints and pod network of a node: what differs, and the patches that mend it. Pure.
//!
//! Labels are ours when we own them in `managedFields`; the API keeps that account. Taints are one atomic list with
//! many writers, so which of them are ours stands in an annotation, and the list is changed by read, modify, write.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::change::{Action, ObjectChange};
use super::{KubeError, fields};
use crate::cluster::{Taint, TaintEffect};

/// Remembers our taints: `key:effect`, separated by commas.
const OUR_TAINTS: &str = "kubewright.dev/taints";
const MISSING: &str = "(missing)";

/// What a node is to carry, beside what others put on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeMarks {
    /// Name of the node.
    pub name: String,
    /// Labels by key.
    pub labels: BTreeMap<String, String>,
    /// Taints.
    pub taints: Vec<Taint>,
    /// The node's part of the pod network, where the installer assigns it. Cannot be changed once it is set.
    pub pod_cidr: Option<IpNet>,
}

/// The way from a node as it is to its marks.
#[derive(Debug, Default)]
pub(super) struct Marking {
    /// Each difference, one per key.
    pub(super) changes: Vec<ObjectChange>,
    /// To be applied server-side, when labels differ.
    pub(super) labels: Option<Value>,
    /// To be merged, on condition of the resourceVersion, when anything else differs.
    pub(super) rest: Option<Map<String, Value>>,
    /// What cannot be mended.
    pub(super) failure: Option<KubeError>,
}

/// Compares a node (`null` when it has not registered) with its marks.
pub(super) fn compare(marks: &NodeMarks, live: &Value) -> Marking {
    let mut marking = Marking::default();
    labels(marks, live, &mut marking);
    let mut rest = Map::new();
    taints(marks, live, &mut marking, &mut rest);
    pod_network(marks, live, &mut marking, &mut rest);
    marking.rest = (!rest.is_empty()).then_some(rest);
    marking
}

fn labels(marks: &NodeMarks, live: &Value, marking: &mut Marking) {
    let before = marking.changes.len();
    let found = &live["metadata"]["labels"];
    for (key, value) in &marks.labels {
        match found[key].as_str() {
            Some(old) if old == value => {}
            Some(old) => marking.push(marks, Action::Update, "label", key, quoted(old), quoted(value)),
            None => marking.push(marks, Action::Create, "label", key, MISSING.into(), quoted(value)),
        }
    }
    let owned = fields::ours(live).and_then(|(_, fields)| fields.pointer("/f:metadata/f:labels")?.as_object());
    let owned = owned.into_iter().flatten().filter_map(|(key, _)| key.strip_prefix("f:"));
    for key in owned.filter(|key| !marks.labels.contains_key(*key)) {
        let Some(old) = found[key].as_str() else { continue };
        let others = fields::other_owners(live, &["metadata", "labels", key]);
        if others.is_empty() {
            marking.push(marks, Action::Remove, "label", key, quoted(old), MISSING.into());
        } else {
            // The server keeps a field until its last owner lets go.
            let left = format!("left to its other owner, {}", others.join(", "));
            marking.push(marks, Action::Update, "label", key, quoted(old), left);
        }
    }
    if marking.changes.len() > before {
        marking.labels = Some(json!({"apiVersion": "v1", "kind": "Node",
            // With its uid a node that was deleted meanwhile is not created anew by the apply, from 1.24 on.
            "metadata": {"name": marks.name, "uid": live["metadata"]["uid"], "labels": marks.labels}}));
    }
}

fn taints(marks: &NodeMarks, live: &Value, marking: &mut Marking, rest: &mut Map<String, Value>) {
    let remembered: BTreeSet<String> = live["metadata"]["annotations"][OUR_TAINTS]
        .as_str()
        .into_iter()
        .flat_map(|text| text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned))
        .collect();
    let wanted: BTreeMap<String, &Taint> = marks.taints.iter().map(|taint| (taint_id(taint), taint)).collect();
    let before = marking.changes.len();

    let mut list: Vec<Value> = live["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let id_of = |taint: &Value| {
        format!("{}:{}", taint["key"].as_str().unwrap_or_default(), taint["effect"].as_str().unwrap_or_default())
    };
    for id in remembered.iter().filter(|id| !wanted.contains_key(*id)) {
        let position = list.iter().position(|taint| id_of(taint) == *id);
        // One that somebody else removed is only forgotten.
        let old = position.map_or(MISSING.to_owned(), |position| shown(&list.remove(position)));
        marking.push(marks, Action::Remove, "taint", id, old, MISSING.into());
    }
    for (id, taint) in &wanted {
        let value = taint_value(taint);
        match list.iter_mut().find(|found| id_of(found) == *id) {
            Some(found) if found["value"].as_str().unwrap_or_default() != taint.value.as_str() => {
                marking.push(marks, Action::Update, "taint", id, shown(found), shown(&value));
                *found = value;
            }
            Some(_) if remembered.contains(id) => {}
            // A kubelet registers with its taints; from now on this one is ours to remove.
            Some(found) => {
                let kept = "kept, as kubewright's".to_owned();
                marking.push(marks, Action::Update, "taint", id, shown(found), kept);
            }
            None => {
                marking.push(marks, Action::Create, "taint", id, MISSING.into(), shown(&value));
                list.push(value);
            }
        }
    }
    if marking.changes.len() > before {
        let ids: Vec<_> = wanted.into_keys().collect();
        let annotation = if ids.is_empty() { Value::Null } else { ids.join(",").into() };
        rest.insert("metadata".into(), json!({"annotations": {OUR_TAINTS: annotation}}));
        let list = if list.is_empty() { Value::Null } else { list.into() };
        rest.insert("spec".into(), json!({"taints": list}));
    }
}

fn pod_network(marks: &NodeMarks, live: &Value, marking: &mut Marking, rest: &mut Map<String, Value>) {
    let Some(wanted) = marks.pod_cidr else { return };
    let found = live["spec"]["podCIDR"].as_str().unwrap_or_default();
    if found.is_empty() {
        marking.push(marks, Action::Create, "podCIDR", "", MISSING.into(), wanted.to_string());
        let spec = rest.entry("spec").or_insert_with(|| json!({}));
        spec["podCIDR"] = wanted.to_string().into();
        spec["podCIDRs"] = json!([wanted.to_string()]);
    } else if found.parse::<IpNet>().ok() != Some(wanted) {
        marking.failure = Some(KubeError::PodNetworkFixed {
            node: marks.name.clone(),
            live: found.to_owned(),
            wanted: wanted.to_string(),
        });
    }
}

impl Marking {
    fn push(&mut self, marks: &NodeMarks, action: Action, what: &str, key: &str, old: String, new: String) {
        let separator = if key.is_empty() { "" } else { " " };
        self.changes.push(ObjectChange {
            kind: "Node".into(),
            namespace: None,
            name: marks.name.clone(),
            action,
            summary: format!("{what} {}{separator}{key}: {old} → {new}", marks.name),
            diff: None,
        });
    }
}

fn taint_id(taint: &Taint) -> String {
    format!("{}:{}", taint.key, effect(taint.effect))
}

fn effect(effect: TaintEffect) -> &'static str {
    match effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    }
}

fn taint_value(taint: &Taint) -> Value {
    let mut value = json!({"key": taint.key.as_str(), "effect": effect(taint.effect)});
    if !taint.value.as_str().is_empty() {
        value["value"] = taint.value.as_str().into();
    }
    value
}

/// A taint's value; most have none.
fn shown(taint: &Value) -> String {
    match taint["value"].as_str().unwrap_or_default() {
        "" => "present".to_owned(),
        value => value.to_owned(),
    }
}

fn quoted(value: &str) -> String {
    if value.is_empty() { "\"\"".to_owned() } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{LabelKey, LabelValue};

    fn marks(labels: &[(&str, &str)], taints: &[(&str, &str)]) -> NodeMarks {
        let taint = |(key, value): &(&str, &str)| Taint {
            key: LabelKey::parse(key).unwrap(),
            value: LabelValue::parse(value).unwrap(),
            effect: TaintEffect::NoSchedule,
        };
        NodeMarks {
            name: "m1".into(),
            labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            taints: taints.iter().map(taint).collect(),
            pod_cidr: None,
        }
    }

    fn words(marking: &Marking) -> Vec<String> {
        marking.changes.iter().map(|change| format!("{}: {}", change.action, change.summary)).collect()
    }

    fn node(labels: Value, owned: Value) -> Value {
        json!({"metadata": {"name": "m1", "uid": "u", "labels": labels, "managedFields": [
            {"manager": "kubewright", "operation": "Apply", "apiVersion": "v1",
             "fieldsV1": {"f:metadata": {"f:labels": owned}}},
            {"manager": "kubelet", "operation": "Update", "apiVersion": "v1",
             "fieldsV1": {"f:metadata": {"f:labels": {"f:shared": {}, "f:theirs": {}}}}}]}})
    }

    #[test]
    fn labels_are_set_mended_and_removed_when_they_are_ours() {
        let live = node(
            json!({"rack": "r1", "gone": "x", "theirs": "t", "shared": "s", "same": ""}),
            json!({"f:rack": {}, "f:gone": {}, "f:shared": {}, "f:same": {}}),
        );
        let marking = compare(&marks(&[("rack", "r2"), ("new", ""), ("same", "")], &[]), &live);
        assert_eq!(
            words(&marking),
            [
                "create: label m1 new: (missing) → \"\"",
                "update: label m1 rack: r1 → r2",
                "remove: label m1 gone: x → (missing)",
                "update: label m1 shared: s → left to its other owner, kubelet",
            ]
        );
        assert_eq!(
            marking.labels.unwrap()["metadata"],
            json!({"name": "m1", "uid": "u", "labels": {"rack": "r2", "new": "", "same": ""}})
        );
        assert!(marking.rest.is_none());
    }

    #[test]
    fn a_node_with_its_marks_needs_nothing() {
        let mut live = node(json!({"rack": "r1", "theirs": "t"}), json!({"f:rack": {}}));
        live["metadata"]["annotations"] = json!({OUR_TAINTS: "a:NoSchedule"});
        live["spec"] = json!({"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "NoExecute"}],
            "podCIDR": "10.244.1.0/24"});
        let mut marks = marks(&[("rack", "r1")], &[("a", "")]);
        marks.pod_cidr = Some("10.244.1.0/24".parse().unwrap());
        let marking = compare(&marks, &live);
        assert!(marking.changes.is_empty() && marking.labels.is_none() && marking.rest.is_none());
        assert!(marking.failure.is_none());
    }

    #[test]
    fn taints_of_others_stay_and_ours_follow_the_marks() {
        let live = json!({"metadata": {"annotations": {OUR_TAINTS: "old:NoSchedule,lost:NoSchedule,b:NoSchedule"}},
            "spec": {"taints": [{"key": "foreign", "effect": "NoExecute", "timeAdded": "t"},
                {"key": "old", "effect": "NoSchedule"}, {"key": "b", "value": "1", "effect": "NoSchedule"},
                {"key": "registered", "effect": "NoSchedule"}]}});
        let marking = compare(&marks(&[], &[("b", "2"), ("registered", ""), ("new", "x")]), &live);
        assert_eq!(
            words(&marking),
            [
                "remove: taint m1 lost:NoSchedule: (missing) → (missing)",
                "remove: taint m1 old:NoSchedule: present → (missing)",
                "update: taint m1 b:NoSchedule: 1 → 2",
                "create: taint m1 new:NoSchedule: (missing) → x",
                "update: taint m1 registered:NoSchedule: present → kept, as kubewright's",
            ]
        );
        assert_eq!(
            Value::from(marking.rest.unwrap()),
            json!({"metadata": {"annotations": {OUR_TAINTS: "b:NoSchedule,new:NoSchedule,registered:NoSchedule"}},
                "spec": {"taints": [{"key": "foreign", "effect": "NoExecute", "timeAdded": "t"},
                    {"key": "b", "value": "2", "effect": "NoSchedule"}, {"key": "registered", "effect": "NoSchedule"},
                    {"key": "new", "value": "x", "effect": "NoSchedule"}]}})
        );
    }

    #[test]
    fn the_last_taint_takes_its_annotation_along() {
        let live = json!({"metadata": {"annotations": {OUR_TAINTS: "a:NoSchedule"}},
            "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}});
        let rest = compare(&marks(&[], &[]), &live).rest.unwrap();
        assert_eq!(
            Value::from(rest),
            json!({"metadata": {"annotations": {OUR_TAINTS: null}}, "spec": {"taints": null}})
        );
    }

    #[test]
    fn the_pod_network_is_set_once() {
        let mut marks = marks(&[], &[("a", "")]);
        marks.pod_cidr = Some("10.244.1.0/24".parse().unwrap());
        let marking = compare(&marks, &Value::Null);
        assert_eq!(words(&marking).last().unwrap(), "create: podCIDR m1: (missing) → 10.244.1.0/24");
        assert_eq!(
            marking.rest.unwrap()["spec"],
            json!({"taints": [{"key": "a", "effect": "NoSchedule"}],
                "podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]})
        );
        let marking = compare(&marks, &json!({"spec": {"podCIDR": "10.244.3.0/24"}}));
        let failure = marking.failure.unwrap().to_string();
        assert!(
            failure.starts_with("node m1 has the pod network 10.244.3.0/24 and should have 10.244.1.0/24"),
            "{failure}"
        );
    }
}
