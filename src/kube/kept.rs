//! What the cluster's objects were before an upgrade, kept where they are themselves: an etcd that is restored to an
//! earlier moment has the objects and the memory of that moment.
//!
//! What is kept of an object are the fields that are ours, as they are: applied again, they take the place of what the
//! upgrade made of them. An object that the upgrade created stays.

use serde_json::{Value, json};

use super::api::Api;
use super::object::Object;
use super::operation::Operation;
use super::{KubeError, concurrency, crds, fields};

const CONFIG_MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";
const NAME: &str = "kubewright-previous";
const OBJECT: &str = "ConfigMap kube-system/kubewright-previous";

impl Api {
    /// Keeps what those of `objects` are now that the upgrade to `to` (the digest of an image) changes. What is kept for
    /// it already stays as it is: a run that comes again finds the changed ones.
    pub async fn keep_objects(&self, to: &str, objects: &[Value]) -> Result<(), KubeError> {
        if self.find(CONFIG_MAPS, OBJECT, NAME).await?.is_some_and(|kept| kept["data"]["upgrade"] == to) {
            return Ok(());
        }
        let parsed: Vec<_> = objects.iter().map(Object::parse).collect::<Result<_, _>>()?;
        let defined = &crds::defined(&parsed);
        let looks = concurrency::all(parsed.iter().map(|object| self.inspect(object, defined)).collect()).await;
        let mut before = Vec::new();
        for look in looks {
            let look = look?;
            before.extend(look.live.filter(|_| look.change.is_some()).as_ref().and_then(fields::owned));
        }
        let kept = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": NAME, "namespace": "kube-system",
                "labels": {"app.kubernetes.io/managed-by": "kubewright"}},
            "data": {"upgrade": to, "objects": Value::from(before).to_string()}});
        self.send(CONFIG_MAPS, OBJECT, Operation::Apply { name: NAME, object: &kept }).await.map(drop)
    }

    /// What was kept for the upgrade to `to`, to be applied again; nothing where none of the objects was to change.
    pub async fn kept_objects(&self, to: &str) -> Result<Vec<Value>, KubeError> {
        let Some(kept) = self.find(CONFIG_MAPS, OBJECT, NAME).await?.filter(|kept| kept["data"]["upgrade"] == to)
        else {
            return Ok(Vec::new());
        };
        let objects = kept["data"]["objects"].as_str().unwrap_or_default();
        serde_json::from_str(objects)
            .map_err(|error| KubeError::Malformed { object: OBJECT.into(), message: error.to_string() })
    }

    /// Removes what is kept; nothing there is as good.
    pub async fn forget_objects(&self) -> Result<(), KubeError> {
        self.remove(CONFIG_MAPS, OBJECT, NAME).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Scripted, not_found};
    use super::*;

    const KEPT: &str = "GET /api/v1/namespaces/kube-system/configmaps/kubewright-previous";

    fn config_map(value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "d"},
            "data": {"a": value}})
    }

    fn live(value: &str) -> Value {
        let mut live = config_map(value);
        live["data"]["foreign"] = json!("kept out");
        live["metadata"]["managedFields"] = json!([{"manager": "kubewright", "operation": "Apply", "apiVersion": "v1",
            "fieldsV1": {"f:data": {"f:a": {}}}}]);
        live
    }

    #[tokio::test]
    async fn what_changes_is_kept_once_and_as_it_was() {
        let (get, dry) = (
            "GET /api/v1/namespaces/d/configmaps/c",
            "PATCH /api/v1/namespaces/d/configmaps/c?&dryRun=All&force=true&fieldManager=kubewright&fieldValidation=Strict",
        );
        let keep = "PATCH /api/v1/namespaces/kube-system/configmaps/kubewright-previous?\
                    &force=true&fieldManager=kubewright&fieldValidation=Strict";
        let server = Scripted::new([
            (KEPT, 404, not_found(NAME)),
            (get, 200, live("old")),
            (dry, 200, live("new")),
            (keep, 201, json!({})),
            (KEPT, 200, json!({"data": {"upgrade": "sha256:b", "objects": "[]"}})),
        ]);
        let api = server.api();
        api.keep_objects("sha256:b", &[config_map("new")]).await.unwrap();
        // The run that comes again.
        api.keep_objects("sha256:b", &[config_map("new")]).await.unwrap();
        let bodies = server.done();
        assert_eq!(bodies[3]["data"]["upgrade"], "sha256:b");
        let kept: Value = serde_json::from_str(bodies[3]["data"]["objects"].as_str().unwrap()).unwrap();
        assert_eq!(kept, json!([config_map("old")]));
    }

    #[tokio::test]
    async fn what_was_kept_for_another_upgrade_is_not_taken() {
        let kept = json!({"data": {"upgrade": "sha256:b", "objects": config_map("old").to_string()}});
        let server = Scripted::new([(KEPT, 200, kept), (KEPT, 404, not_found(NAME))]);
        let api = server.api();
        assert!(api.kept_objects("sha256:c").await.unwrap().is_empty());
        assert!(api.kept_objects("sha256:c").await.unwrap().is_empty());
        server.done();
    }

    #[tokio::test]
    async fn what_is_damaged_is_told() {
        let kept = json!({"data": {"upgrade": "sha256:b", "objects": "[{"}});
        let server = Scripted::new([(KEPT, 200, kept)]);
        let error = server.api().kept_objects("sha256:b").await.unwrap_err().to_string();
        assert!(error.contains("kubewright-previous"), "{error}");
    }
}
