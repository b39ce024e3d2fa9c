//! What is known of an add-on: a ConfigMap with what its objects are called.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::KubeError;
use super::super::api::Api;
use super::super::object::ObjectId;
use super::super::operation::Operation;
use super::LABEL;
use crate::cluster::object;

pub(super) const CONFIG_MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";
const PREFIX: &str = "kubewright-addon-";
/// Most of an entry that cannot be read is shown.
const SHOWN: usize = 120;

/// What an add-on has, as far as it is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Its objects.
    pub(super) ids: BTreeSet<ObjectId>,
    /// What of it could not be read.
    pub(super) notes: Vec<String>,
    /// Whether it is to be written anew whatever it says.
    pub(super) is_damaged: bool,
}

impl Api {
    /// What was applied of an add-on. What cannot be read of it counts as gone: it must not keep the rest from being
    /// brought about.
    pub(super) async fn record(&self, addon: &str) -> Result<Record, KubeError> {
        let map = self.find(CONFIG_MAPS, &title(addon), &format!("{PREFIX}{addon}")).await?;
        Ok(map.map(|map| read(addon, map["data"]["objects"].as_str().unwrap_or("[]"))).unwrap_or_default())
    }

    pub(super) async fn keep_record(&self, addon: &str, objects: &BTreeSet<ObjectId>) -> Result<(), KubeError> {
        let list: Vec<_> = objects.iter().map(|id| json!([id.api_version, id.kind, id.namespace, id.name])).collect();
        let map = format!("{PREFIX}{addon}");
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": map, "namespace": "kube-system",
                "labels": {LABEL: addon, "app.kubernetes.io/managed-by": "kubewright"}},
            "data": {"objects": Value::from(list).to_string()}});
        self.send(CONFIG_MAPS, &title(addon), Operation::Apply { name: &map, object: &object }).await.map(drop)
    }

    pub(super) async fn forget_record(&self, addon: &str) -> Result<(), KubeError> {
        self.remove(CONFIG_MAPS, &title(addon), &format!("{PREFIX}{addon}")).await
    }
}

pub(super) fn title(addon: &str) -> String {
    format!("ConfigMap kube-system/{PREFIX}{addon}")
}

fn read(addon: &str, text: &str) -> Record {
    let Ok(entries) = serde_json::from_str::<Vec<Value>>(text) else {
        let note = format!(
            "the list in {} cannot be read; what it had counts as gone: \
             `kubectl get all -A -l {LABEL}={addon}` shows what is left",
            title(addon)
        );
        return Record { notes: vec![note], is_damaged: true, ..Record::default() };
    };
    let mut record = Record::default();
    for entry in entries {
        match id(&entry) {
            Some(id) => drop(record.ids.insert(id)),
            None => {
                let shown: String = entry.to_string().chars().take(SHOWN).collect();
                record.notes.push(format!("an entry of {} is no object and counts as gone: {shown}", title(addon)));
                record.is_damaged = true;
            }
        }
    }
    record
}

fn id(entry: &Value) -> Option<ObjectId> {
    let (api_version, kind, namespace, name): (String, String, Option<String>, String) =
        serde_json::from_value(entry.clone()).ok()?;
    let like = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}});
    object::faults(&like).is_empty().then_some(ObjectId { api_version, kind, namespace, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_counts_as_gone_and_is_told() {
        let good = json!(["v1", "ConfigMap", "demo", "a"]);
        let entries = json!([good, ["v1", "ConfigMap", "demo", "../x"], ["v1", "Node", "demo", "n1"], ["v1"], 5]);
        let record = read("x", &entries.to_string());
        assert_eq!(record.ids.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ConfigMap demo/a"]);
        assert_eq!((record.notes.len(), record.is_damaged), (4, true));
        let note = "an entry of ConfigMap kube-system/kubewright-addon-x is no object and counts as gone: [\"v1\"]";
        assert!(record.notes.contains(&note.to_owned()), "{:?}", record.notes);
        let record = read("x", "[[");
        assert!(record.ids.is_empty() && record.notes[0].contains("kubewright-addon-x cannot be read"), "{record:?}");
        assert_eq!(read("x", &json!([good]).to_string()).notes, Vec::<String>::new());
    }
}
