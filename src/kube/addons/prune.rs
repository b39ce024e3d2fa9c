//! What becomes of objects that an add-on had and has no longer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::KubeError;
use super::super::api::Api;
use super::super::apply::{is_hook, order};
use super::super::change::{Action, ObjectChange};
use super::super::object::{Object, ObjectId};
use super::super::resource::Resource;
use super::record::title;
use super::{LABEL, Pruning, Roster};
use crate::cluster::object::group_of;

/// Kinds that take data of users with them when they go.
const WITH_DATA: &[&str] = &["Namespace", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition"];

/// What becomes of an object that is no longer wanted.
pub(super) enum Fate {
    /// It is removed.
    Goes(Resource),
    /// It stays, for the data in it.
    Stays,
    /// It is not there, or no longer ours; what there is to tell of it.
    Gone(Option<String>),
}

impl Api {
    /// What becomes of an object that is no longer wanted.
    pub(super) async fn doomed(&self, addon: &str, id: &ObjectId, pruning: Pruning) -> Result<Fate, KubeError> {
        let resource = match self.resource(&Object { id: id.clone(), value: Value::Null }, &[]).await {
            Ok(resource) => resource,
            // Its kind has gone, and all of its objects with it.
            Err(KubeError::NotServed { .. }) => return Ok(Fate::Gone(None)),
            Err(error) => return gone(addon, id, error),
        };
        let path = resource.path(id.namespace.as_deref());
        let live = match self.find(&path, &id.to_string(), &id.name).await {
            Ok(Some(live)) => live,
            Ok(None) | Err(KubeError::NotServed { .. }) => return Ok(Fate::Gone(None)),
            Err(error) => return gone(addon, id, error),
        };
        if live["metadata"]["labels"][LABEL] != addon || live["metadata"]["deletionTimestamp"].is_string() {
            return Ok(Fate::Gone(None));
        }
        let stays = pruning == Pruning::KeepData && WITH_DATA.contains(&id.kind.as_str());
        Ok(if stays { Fate::Stays } else { Fate::Goes(resource) })
    }
}

/// What cannot even be asked for was never applied: it is no reason to stop. A server that does not answer is.
fn gone(addon: &str, id: &ObjectId, error: KubeError) -> Result<Fate, KubeError> {
    match error {
        KubeError::Malformed { .. } | KubeError::Rejected { code: 400..=428, .. } | KubeError::Answer { .. } => {
            Ok(Fate::Gone(Some(format!("{id} of {} counts as gone: {error}", title(addon)))))
        }
        error => Err(error),
    }
}

/// Those of `before` that are neither among `objects` nor wanted by another add-on, in the order in which they are
/// removed: workloads before what they use, and namespaces and kinds last. An object that is written in another version
/// of its group is the same one.
pub(super) fn surplus(before: BTreeSet<ObjectId>, objects: &[Object], roster: &Roster) -> Vec<ObjectId> {
    let key =
        |id: &ObjectId| (group_of(&id.api_version).to_owned(), id.kind.clone(), id.namespace.clone(), id.name.clone());
    let wanted: BTreeSet<_> = objects.iter().map(|object| key(&object.id)).collect();
    let mut ids: BTreeMap<_, ObjectId> = before.into_iter().map(|id| (key(&id), id)).collect();
    ids.retain(|key, id| !wanted.contains(key) && !roster.wants(id));
    let mut ids: Vec<ObjectId> = ids.into_values().collect();
    ids.sort_by_key(|id| std::cmp::Reverse(order(&id.kind)));
    ids
}

/// Webhooks and the like, and the others.
pub(super) fn hooks_first(ids: Vec<ObjectId>) -> (Vec<ObjectId>, Vec<ObjectId>) {
    ids.into_iter().partition(|id| is_hook(&id.kind))
}

pub(super) fn removal(id: &ObjectId) -> ObjectChange {
    ObjectChange {
        kind: id.kind.clone(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        action: Action::Remove,
        summary: format!("remove {id}"),
        diff: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        let gone = surplus(before.into(), &[Object::parse(&wanted).unwrap()], &Roster::default());
        let kinds: Vec<_> = gone.iter().map(|id| id.kind.as_str()).collect();
        assert_eq!(kinds, ["APIService", "Deployment", "ConfigMap", "Namespace"]);
        let (hooks, others) = hooks_first(gone);
        assert_eq!((hooks.len(), others.len()), (1, 3));
    }
}
