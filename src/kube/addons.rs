//! Add-ons: objects that are applied together, and removed when they are no longer among them.
//!
//! What belongs to an add-on stands in a ConfigMap of its own, written before anything is applied and again when what has
//! to go is gone: a run that is killed in between leaves nothing that the next one does not know of.

use std::collections::{BTreeMap, BTreeSet};

use ::kube::api::ListParams;
use serde_json::{Value, json};

use super::api::Api;
use super::change::{Action, ObjectChange};
use super::object::{Object, ObjectId};
use super::operation::Operation;
use super::resource::{Resource, Scope};
use super::{KubeError, concurrency, crds};

const CONFIG_MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";
const PREFIX: &str = "kubewright-addon-";
/// Label of such a ConfigMap and of every object of an add-on, with its name: an object without it is not ours to remove.
const LABEL: &str = "kubewright.dev/addon";
/// Kinds that take data of users with them when they go.
const WITH_DATA: &[&str] = &["Namespace", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition"];

/// Objects that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Addon {
    /// Its name.
    pub name: String,
    /// Where objects without a namespace go, if their kind lives in one.
    pub namespace: String,
    /// The objects.
    pub objects: Vec<Value>,
}

/// What is removed of that which is no longer wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pruning {
    /// All but namespaces, volumes and kinds, which would take data of users with them.
    #[default]
    KeepData,
    /// All of it.
    Everything,
}

/// What was done with an add-on, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddonChanges {
    /// Differences.
    pub changes: Vec<ObjectChange>,
    /// Objects that are no longer wanted and stay, because data of users is in them.
    pub left: Vec<String>,
}

impl Api {
    /// Names of the add-ons that were applied.
    pub async fn addons(&self) -> Result<Vec<String>, KubeError> {
        let params = ListParams::default().labels(LABEL);
        let listed = self.list(CONFIG_MAPS, "the add-ons", params).await?;
        let name = |map: &Value| Some(map["metadata"]["labels"][LABEL].as_str()?.to_owned());
        Ok(listed.iter().filter_map(name).collect())
    }

    /// What [`Api::apply_addon`] would do.
    pub async fn diff_addon(&self, addon: &Addon, pruning: Pruning) -> Result<AddonChanges, KubeError> {
        let objects = self.placed(addon).await?;
        let mut changes = self.diff(&values(&objects)).await?;
        let mut left = Vec::new();
        for id in surplus(self.applied(&addon.name).await?, &objects) {
            match self.doomed(&addon.name, &id, pruning).await? {
                Fate::Goes(_) => changes.push(removal(&id)),
                Fate::Stays => left.push(id.to_string()),
                Fate::Gone => {}
            }
        }
        Ok(AddonChanges { changes, left })
    }

    /// Applies an add-on, and removes what was among its objects and is no longer. What somebody else has taken over
    /// stays.
    pub async fn apply_addon(&self, addon: &Addon, pruning: Pruning) -> Result<AddonChanges, KubeError> {
        let objects = self.placed(addon).await?;
        let before = self.applied(&addon.name).await?;
        let wanted: BTreeSet<ObjectId> = objects.iter().map(|object| object.id.clone()).collect();
        let all: BTreeSet<ObjectId> = before.iter().chain(&wanted).cloned().collect();
        if all != before {
            self.note(&addon.name, &all).await?;
        }
        let mut done = AddonChanges { changes: self.apply(&values(&objects)).await?, left: Vec::new() };
        let mut kept = wanted;
        for id in surplus(before, &objects) {
            match self.doomed(&addon.name, &id, pruning).await? {
                Fate::Goes(resource) => {
                    self.remove(&resource.path(id.namespace.as_deref()), &id.to_string(), &id.name).await?;
                    done.changes.push(removal(&id));
                }
                Fate::Stays => {
                    done.left.push(id.to_string());
                    kept.insert(id);
                }
                Fate::Gone => {}
            }
        }
        if kept != all {
            self.note(&addon.name, &kept).await?;
        }
        Ok(done)
    }

    /// Removes all that an add-on has, and what is known of it when nothing of it is left.
    pub async fn remove_addon(&self, name: &str, pruning: Pruning) -> Result<AddonChanges, KubeError> {
        let nothing = Addon { name: name.to_owned(), namespace: String::new(), objects: Vec::new() };
        let done = self.apply_addon(&nothing, pruning).await?;
        if done.left.is_empty() {
            self.remove(CONFIG_MAPS, &title(name), &format!("{PREFIX}{name}")).await?;
        }
        Ok(done)
    }

    /// Its workloads that are not rolled out. One observation.
    pub async fn addon_missing(&self, addon: &Addon, nodes: &[&str]) -> Result<Vec<String>, KubeError> {
        self.workloads_missing(&values(&self.placed(addon).await?), nodes).await
    }

    /// The objects of an add-on, each in a namespace where its kind lives in one.
    async fn placed(&self, addon: &Addon) -> Result<Vec<Object>, KubeError> {
        let parsed: Vec<Result<Object, KubeError>> = addon.objects.iter().map(Object::parse).collect();
        let known: Vec<Object> = parsed.iter().flatten().cloned().collect();
        let defined = &crds::defined(&known);
        let place = |object: Result<Object, KubeError>| async move {
            let mut object = object?;
            if object.id.namespace.is_none() && self.scope(&object, defined).await? == Scope::Namespaced {
                object.id.namespace = Some(addon.namespace.clone());
                object.value["metadata"]["namespace"] = json!(addon.namespace);
            }
            object.value["metadata"]["labels"][LABEL] = json!(addon.name);
            Ok(object)
        };
        let results = concurrency::all(parsed.into_iter().map(place).collect()).await;
        let (mut objects, mut failures) = (Vec::new(), Vec::new());
        for result in results {
            match result {
                Ok(object) => objects.push(object),
                Err(failure) => failures.push(failure),
            }
        }
        if failures.is_empty() { Ok(objects) } else { Err(KubeError::Several { changes: Vec::new(), failures }) }
    }

    /// What was applied of an add-on, as far as it is known.
    async fn applied(&self, name: &str) -> Result<BTreeSet<ObjectId>, KubeError> {
        let map = self.find(CONFIG_MAPS, &title(name), &format!("{PREFIX}{name}")).await?;
        let Some(map) = map else { return Ok(BTreeSet::new()) };
        let malformed = |message: String| KubeError::Malformed { object: title(name), message };
        let list: Vec<(String, String, Option<String>, String)> =
            serde_json::from_str(map["data"]["objects"].as_str().unwrap_or("[]"))
                .map_err(|error| malformed(format!("its list of objects cannot be read: {error}")))?;
        let id = |(api_version, kind, namespace, name)| ObjectId { api_version, kind, namespace, name };
        Ok(list.into_iter().map(id).collect())
    }

    async fn note(&self, name: &str, objects: &BTreeSet<ObjectId>) -> Result<(), KubeError> {
        let list: Vec<_> = objects.iter().map(|id| json!([id.api_version, id.kind, id.namespace, id.name])).collect();
        let map = format!("{PREFIX}{name}");
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": map, "namespace": "kube-system",
                "labels": {LABEL: name, "app.kubernetes.io/managed-by": "kubewright"}},
            "data": {"objects": Value::from(list).to_string()}});
        self.send(CONFIG_MAPS, &title(name), Operation::Apply { name: &map, object: &object }).await.map(drop)
    }

    /// What becomes of an object that is no longer wanted.
    async fn doomed(&self, name: &str, id: &ObjectId, pruning: Pruning) -> Result<Fate, KubeError> {
        let object = Object { id: id.clone(), value: Value::Null };
        let resource = match self.resource(&object, &[]).await {
            Ok(resource) => resource,
            // Its kind has gone, and all of its objects with it.
            Err(KubeError::NotServed { .. }) => return Ok(Fate::Gone),
            Err(error) => return Err(error),
        };
        let path = resource.path(id.namespace.as_deref());
        let Some(live) = self.find(&path, &id.to_string(), &id.name).await? else { return Ok(Fate::Gone) };
        if live["metadata"]["labels"][LABEL] != name || live["metadata"]["deletionTimestamp"].is_string() {
            return Ok(Fate::Gone);
        }
        let stays = pruning == Pruning::KeepData && WITH_DATA.contains(&id.kind.as_str());
        Ok(if stays { Fate::Stays } else { Fate::Goes(resource) })
    }
}

/// What becomes of an object that is no longer wanted.
enum Fate {
    /// It is removed.
    Goes(Resource),
    /// It stays, for the data in it.
    Stays,
    /// It is not there, or no longer ours.
    Gone,
}

/// Those of `before` that are not among `objects`, in the order in which they are removed: workloads before what they
/// use, and namespaces and kinds last. An object that is written in another version of its group is the same one.
fn surplus(before: BTreeSet<ObjectId>, objects: &[Object]) -> Vec<ObjectId> {
    let key = |id: &ObjectId| {
        let group = id.api_version.rsplit_once('/').map_or("", |(group, _)| group).to_owned();
        (group, id.kind.clone(), id.namespace.clone(), id.name.clone())
    };
    let wanted: BTreeSet<_> = objects.iter().map(|object| key(&object.id)).collect();
    let mut ids: BTreeMap<_, ObjectId> = before.into_iter().map(|id| (key(&id), id)).collect();
    ids.retain(|key, _| !wanted.contains(key));
    let mut ids: Vec<ObjectId> = ids.into_values().collect();
    ids.sort_by_key(|id| std::cmp::Reverse(super::apply::order(&id.kind)));
    ids
}

fn values(objects: &[Object]) -> Vec<Value> {
    objects.iter().map(|object| object.value.clone()).collect()
}

fn removal(id: &ObjectId) -> ObjectChange {
    ObjectChange {
        kind: id.kind.clone(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        action: Action::Remove,
        summary: format!("remove {id}"),
        diff: None,
    }
}

fn title(name: &str) -> String {
    format!("ConfigMap kube-system/{PREFIX}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(api_version: &str, kind: &str, name: &str) -> ObjectId {
        let (api_version, kind, name) = (api_version.to_owned(), kind.to_owned(), name.to_owned());
        ObjectId { api_version, kind, namespace: None, name }
    }

    #[test]
    fn what_goes_goes_from_the_top_down_and_another_version_is_the_same() {
        let before = [
            id("v1", "Namespace", "monitoring"),
            id("v1", "ConfigMap", "rules"),
            id("apps/v1", "Deployment", "server"),
            id("policy/v1beta1", "PodDisruptionBudget", "server"),
            id("apiregistration.k8s.io/v1", "APIService", "metrics"),
        ];
        let wanted = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "server"}});
        let gone = surplus(before.into(), &[Object::parse(&wanted).unwrap()]);
        let kinds: Vec<_> = gone.iter().map(|id| id.kind.as_str()).collect();
        assert_eq!(kinds, ["APIService", "Deployment", "ConfigMap", "Namespace"]);
    }
}
