//! Add-ons: objects that are applied together, and removed when they are no longer among them.
//!
//! All objects are judged before any is written. What belongs to an add-on stands in a ConfigMap of its own, written
//! before anything is applied and again when what has to go is gone: a run that is killed in between leaves nothing that
//! the next one does not know of.

mod judge;
mod prune;
mod record;
mod roster;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use ::kube::api::ListParams;
use serde_json::{Value, json};

use super::api::Api;
use super::change::ObjectChange;
use super::object::{Object, ObjectId};
use super::resource::Scope;
use super::{KubeError, concurrency, crds};
use prune::{Fate, hooks_first, removal, surplus};
pub use roster::Roster;

/// Label of the ConfigMap of an add-on and of every object of it, with its name: an object without it is not ours to
/// remove.
const LABEL: &str = "kubewright.dev/addon";

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
    /// What else there is to tell.
    pub notes: Vec<String>,
}

impl Api {
    /// Names of the add-ons that were applied.
    pub async fn addons(&self) -> Result<Vec<String>, KubeError> {
        let params = ListParams::default().labels(LABEL);
        let listed = self.list(record::CONFIG_MAPS, "the add-ons", params).await?;
        let name = |map: &Value| Some(map["metadata"]["labels"][LABEL].as_str()?.to_owned());
        Ok(listed.iter().filter_map(name).collect())
    }

    /// What [`Api::apply_addon`] would do.
    pub async fn diff_addon(
        &self,
        addon: &Addon,
        roster: &Roster,
        pruning: Pruning,
    ) -> Result<AddonChanges, KubeError> {
        let objects = self.placed(addon, roster).await?;
        let judged = self.judge(&objects, roster).await?;
        let record = self.record(&addon.name).await?;
        let mut found = AddonChanges { changes: Vec::new(), left: Vec::new(), notes: record.notes };
        for one in judged {
            found.changes.extend(one.change);
            found.notes.extend(one.doubt);
        }
        for id in surplus(record.ids, &objects, roster) {
            match self.doomed(&addon.name, &id, pruning).await? {
                Fate::Goes(_) => found.changes.push(removal(&id)),
                Fate::Stays => found.left.push(id.to_string()),
                Fate::Gone(note) => found.notes.extend(note),
            }
        }
        Ok(found)
    }

    /// Applies an add-on, and removes what was among its objects and is no longer. What somebody else has taken over
    /// stays. When an object is refused, nothing is done.
    pub async fn apply_addon(
        &self,
        addon: &Addon,
        roster: &Roster,
        pruning: Pruning,
    ) -> Result<AddonChanges, KubeError> {
        let objects = self.placed(addon, roster).await?;
        let judged = self.judge(&objects, roster).await?;
        let record = self.record(&addon.name).await?;
        let wanted: BTreeSet<ObjectId> = objects.iter().map(|object| object.id.clone()).collect();
        let all: BTreeSet<ObjectId> = record.ids.iter().chain(&wanted).cloned().collect();
        if all != record.ids || record.is_damaged {
            self.keep_record(&addon.name, &all).await?;
        }
        let mut done = AddonChanges { changes: Vec::new(), left: Vec::new(), notes: record.notes };
        let mut kept = wanted;
        // A webhook that is to go may be what refuses the rest.
        let (hooks, others) = hooks_first(surplus(record.ids, &objects, roster));
        for id in hooks {
            self.discard(&addon.name, id, pruning, &mut done, &mut kept).await?;
        }
        let writing = objects.iter().zip(&judged).filter(|(object, one)| crds::is_crd(object) || one.writes());
        let writing: Vec<Value> = writing.map(|(object, _)| object.value.clone()).collect();
        done.changes.extend(self.apply(&writing).await?);
        for id in others {
            self.discard(&addon.name, id, pruning, &mut done, &mut kept).await?;
        }
        if kept != all {
            self.keep_record(&addon.name, &kept).await?;
        }
        Ok(done)
    }

    /// Removes all that an add-on has and no other wants, and what is known of it when nothing of it is left.
    pub async fn remove_addon(&self, name: &str, roster: &Roster, pruning: Pruning) -> Result<AddonChanges, KubeError> {
        let nothing = Addon { name: name.to_owned(), namespace: String::new(), objects: Vec::new() };
        let done = self.apply_addon(&nothing, roster, pruning).await?;
        if done.left.is_empty() {
            self.forget_record(name).await?;
        }
        Ok(done)
    }

    /// Its workloads that are not rolled out, or do not stay up. One observation.
    pub async fn addon_missing(&self, addon: &Addon, nodes: &[&str]) -> Result<Vec<String>, KubeError> {
        let objects = self.placed(addon, &Roster::default()).await?;
        self.workloads_unsteady(&values(&objects), nodes).await
    }

    /// The objects of an add-on, each in a namespace where its kind lives in one.
    async fn placed(&self, addon: &Addon, roster: &Roster) -> Result<Vec<Object>, KubeError> {
        let parsed: Vec<_> = addon.objects.iter().map(Object::parse).collect();
        let known: Vec<Object> = parsed.iter().flatten().cloned().collect();
        let defined = &[crds::defined(&known), roster.kinds.clone()].concat();
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

    /// Removes what is no longer wanted, where that may be, and tells what became of it.
    async fn discard(
        &self,
        addon: &str,
        id: ObjectId,
        pruning: Pruning,
        done: &mut AddonChanges,
        kept: &mut BTreeSet<ObjectId>,
    ) -> Result<(), KubeError> {
        match self.doomed(addon, &id, pruning).await? {
            Fate::Goes(resource) => {
                self.remove(&resource.path(id.namespace.as_deref()), &id.to_string(), &id.name).await?;
                done.changes.push(removal(&id));
            }
            Fate::Stays => {
                done.left.push(id.to_string());
                kept.insert(id);
            }
            Fate::Gone(note) => done.notes.extend(note),
        }
        Ok(())
    }
}

fn values(objects: &[Object]) -> Vec<Value> {
    objects.iter().map(|object| object.value.clone()).collect()
}
