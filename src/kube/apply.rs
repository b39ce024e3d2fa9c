//! Server-side apply in the order that objects need one another.

use serde_json::{Value, json};

use super::api::Api;
use super::change::ObjectChange;
use super::object::Object;
use super::operation::Operation;
use super::resource::Resource;
use super::{KubeError, concurrency, crds, fields};

/// What is applied together. A wave begins when the one before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wave {
    /// Namespaces and kinds: the others do not exist without them.
    Foundations,
    /// What workloads refer to. They would start without it, and fail until it is there.
    References,
    /// Workloads and everything that has no other place.
    Workloads,
    /// Webhooks and aggregated APIs: served by the workloads, and in the way of everything until those run.
    Hooks,
}

impl Wave {
    const ALL: [Self; 4] = [Self::Foundations, Self::References, Self::Workloads, Self::Hooks];

    fn of(kind: &str) -> Self {
        match kind {
            "Namespace" | "CustomResourceDefinition" => Self::Foundations,
            "ServiceAccount" | "Secret" | "ConfigMap" | "Role" | "RoleBinding" | "ClusterRole"
            | "ClusterRoleBinding" | "PriorityClass" | "StorageClass" | "Service" => Self::References,
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" | "APIService" => Self::Hooks,
            _ => Self::Workloads,
        }
    }
}

/// When objects of a kind are applied; they are removed the other way round.
pub(super) fn order(kind: &str) -> impl Ord + use<> {
    Wave::of(kind)
}

/// Whether objects of a kind stand before the API, in the way of others.
pub(super) fn is_hook(kind: &str) -> bool {
    Wave::of(kind) == Wave::Hooks
}

impl Api {
    /// Brings the objects about and returns what that changed. Objects that are as wanted are not written, so a run
    /// without changes writes nothing. When some fail, [`KubeError::Several`] names each and holds what was done
    /// beside them; without its namespaces and kinds, however, the rest is not tried.
    pub async fn apply(&self, objects: &[Value]) -> Result<Vec<ObjectChange>, KubeError> {
        // An object that is none is a mistake in the manifests: nothing has been written when it is found.
        let (mut parsed, mut failures) = (Vec::new(), Vec::new());
        for object in objects.iter().map(Object::parse) {
            match object {
                Ok(object) => parsed.push(object),
                Err(failure) => failures.push(failure),
            }
        }
        if !failures.is_empty() {
            return Err(KubeError::Several { changes: Vec::new(), failures });
        }
        let defined = &crds::defined(&parsed);
        let mut results = Vec::new();
        for wave in Wave::ALL {
            let members = parsed.iter().filter(|object| Wave::of(&object.id.kind) == wave);
            let done = concurrency::all(members.map(|object| self.apply_one(object, defined)).collect()).await;
            let failed = done.iter().any(Result::is_err);
            results.extend(done);
            if failed && wave == Wave::Foundations {
                break;
            }
        }
        KubeError::collect(results)
    }

    async fn apply_one(&self, object: &Object, defined: &[Resource]) -> Result<Vec<ObjectChange>, KubeError> {
        let inspection = self.inspect(object, defined).await?;
        if inspection.change.is_some() {
            let path = inspection.resource.path(object.id.namespace.as_deref());
            if let Some(kept) = inspection.live.as_ref().and_then(|live| scale_to_keep(object, live)) {
                let operation = Operation::Keep { name: &object.id.name, object: &kept };
                self.send(&path, &object.id.to_string(), operation).await?;
            }
            let operation = Operation::Apply { name: &object.id.name, object: &object.value };
            self.send(&path, &object.id.to_string(), operation).await?;
        }
        // An earlier run may have ended between the apply and this.
        let is_served = inspection.live.as_ref().is_some_and(|live| crds::missing(live).is_none());
        if crds::is_crd(object) && (inspection.change.is_some() || !is_served) {
            self.await_established(object, &inspection.resource).await?;
        }
        Ok(inspection.change.into_iter().collect())
    }
}

/// The scale of a workload that we no longer say anything of: the server would take a field without an owner away, and one
/// pod would be left until an autoscaler has noticed.
fn scale_to_keep(object: &Object, live: &Value) -> Option<Value> {
    let ours = fields::ours(live)?.1.pointer("/f:spec/f:replicas").is_some();
    let replicas = live["spec"]["replicas"].as_u64()?;
    if !ours || !object.value["spec"]["replicas"].is_null() || replicas == 1 {
        return None;
    }
    let (value, metadata) = (&object.value, &live["metadata"]);
    Some(json!({"apiVersion": value["apiVersion"], "kind": value["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]}, "spec": {"replicas": replicas}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foundations_come_first_and_hooks_last() {
        let mut kinds = ["APIService", "DaemonSet", "Widget", "ConfigMap", "CustomResourceDefinition", "Namespace"];
        kinds.sort_by_key(|kind| Wave::of(kind));
        assert_eq!(kinds, ["CustomResourceDefinition", "Namespace", "ConfigMap", "DaemonSet", "Widget", "APIService"]);
    }
}
