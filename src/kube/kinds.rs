//! From a kind to the path of its resource: a table of what every server has, then the server's own lists.

use serde_json::Value;

use super::KubeError;
use super::api::Api;
use super::error::Attempt;
use super::object::{Object, ObjectId};
use super::operation::Operation;
use super::resource::{Resource, Scope, group_version_path};

/// Kinds that no release moves between scopes or calls anew: group, kind, plural, scope. Saves the no-op run a
/// discovery of the whole API.
const WELL_KNOWN: &[(&str, &str, &str, Scope)] = &[
    ("", "ConfigMap", "configmaps", Scope::Namespaced),
    ("", "Endpoints", "endpoints", Scope::Namespaced),
    ("", "LimitRange", "limitranges", Scope::Namespaced),
    ("", "Namespace", "namespaces", Scope::Cluster),
    ("", "Node", "nodes", Scope::Cluster),
    ("", "Pod", "pods", Scope::Namespaced),
    ("", "ResourceQuota", "resourcequotas", Scope::Namespaced),
    ("", "Secret", "secrets", Scope::Namespaced),
    ("", "Service", "services", Scope::Namespaced),
    ("", "ServiceAccount", "serviceaccounts", Scope::Namespaced),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", Scope::Cluster),
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        Scope::Cluster,
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", Scope::Cluster),
    ("apiregistration.k8s.io", "APIService", "apiservices", Scope::Cluster),
    ("apps", "DaemonSet", "daemonsets", Scope::Namespaced),
    ("apps", "Deployment", "deployments", Scope::Namespaced),
    ("apps", "StatefulSet", "statefulsets", Scope::Namespaced),
    ("batch", "CronJob", "cronjobs", Scope::Namespaced),
    ("batch", "Job", "jobs", Scope::Namespaced),
    ("networking.k8s.io", "NetworkPolicy", "networkpolicies", Scope::Namespaced),
    ("policy", "PodDisruptionBudget", "poddisruptionbudgets", Scope::Namespaced),
    ("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", Scope::Cluster),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", Scope::Cluster),
    ("rbac.authorization.k8s.io", "Role", "roles", Scope::Namespaced),
    ("rbac.authorization.k8s.io", "RoleBinding", "rolebindings", Scope::Namespaced),
    ("scheduling.k8s.io", "PriorityClass", "priorityclasses", Scope::Cluster),
    ("storage.k8s.io", "CSIDriver", "csidrivers", Scope::Cluster),
    ("storage.k8s.io", "StorageClass", "storageclasses", Scope::Cluster),
];

fn well_known(id: &ObjectId) -> Option<Resource> {
    let group = id.api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let (_, kind, plural, scope) = WELL_KNOWN.iter().find(|row| row.0 == group && row.1 == id.kind)?;
    Some(Resource {
        api_version: id.api_version.clone(),
        kind: (*kind).to_owned(),
        plural: (*plural).to_owned(),
        scope: *scope,
    })
}

impl Api {
    /// The resource of `object`: by the CRDs that are applied together with it, by the table, by asking the server.
    pub(super) async fn resource(&self, object: &Object, defined: &[Resource]) -> Result<Resource, KubeError> {
        let id = &object.id;
        let resource = self.served(object, defined).await?;
        let malformed = |message: &str| KubeError::Malformed { object: id.to_string(), message: message.to_owned() };
        match (resource.scope, &id.namespace) {
            (Scope::Namespaced, None) => Err(malformed("it has no metadata.namespace, and its kind lives in one")),
            (Scope::Cluster, Some(_)) => Err(malformed("it has a metadata.namespace, and its kind lives in none")),
            _ => Ok(resource),
        }
    }

    /// Whether objects of its kind live in namespaces.
    pub(super) async fn scope(&self, object: &Object, defined: &[Resource]) -> Result<Scope, KubeError> {
        self.served(object, defined).await.map(|resource| resource.scope)
    }

    async fn served(&self, object: &Object, defined: &[Resource]) -> Result<Resource, KubeError> {
        let id = &object.id;
        let found = match defined.iter().find(|resource| resource.serves(id)).cloned().or_else(|| well_known(id)) {
            Some(resource) => Some(resource),
            None => self.discover(id).await?.into_iter().find(|resource| resource.serves(id)),
        };
        found.ok_or_else(|| KubeError::NotServed {
            attempt: Attempt { verb: "find the kind of", object: id.to_string() },
            message: format!("{} has no {}", id.api_version, id.kind),
        })
    }

    /// The resources of one group and version; one request, once.
    async fn discover(&self, id: &ObjectId) -> Result<Vec<Resource>, KubeError> {
        if let Some(known) = self.known(&id.api_version) {
            return Ok(known);
        }
        let object = format!("the kinds of {}", id.api_version);
        let answer = self.send(&group_version_path(&id.api_version), &object, Operation::Document).await;
        let answer = answer.map_err(|error| match error {
            KubeError::NotServed { message, .. } => KubeError::NotServed {
                attempt: Attempt { verb: "find the kind of", object: id.to_string() },
                message: format!("{}: {message}", id.api_version),
            },
            other => other,
        })?;
        let resources = resources(&id.api_version, &answer);
        if let Ok(mut discovered) = self.discovered.lock() {
            discovered.insert(id.api_version.clone(), resources.clone());
        }
        Ok(resources)
    }

    fn known(&self, api_version: &str) -> Option<Vec<Resource>> {
        self.discovered.lock().ok()?.get(api_version).cloned()
    }

    /// Forgets what the server serves, because that has just changed.
    pub(super) fn forget_kinds(&self) {
        if let Ok(mut discovered) = self.discovered.lock() {
            discovered.clear();
        }
    }
}

/// The resources in an APIResourceList, without subresources.
fn resources(api_version: &str, list: &Value) -> Vec<Resource> {
    let Some(items) = list["resources"].as_array() else { return Vec::new() };
    let resource = |item: &Value| {
        let plural = item["name"].as_str()?;
        Some(Resource {
            api_version: api_version.to_owned(),
            kind: item["kind"].as_str()?.to_owned(),
            plural: plural.to_owned(),
            scope: if item["namespaced"].as_bool()? { Scope::Namespaced } else { Scope::Cluster },
        })
        .filter(|_| !plural.contains('/'))
    };
    items.iter().filter_map(resource).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(api_version: &str, kind: &str) -> ObjectId {
        ObjectId { api_version: api_version.into(), kind: kind.into(), namespace: None, name: "x".into() }
    }

    #[test]
    fn paths_follow_group_and_scope() {
        let path = |api_version, kind, namespace| well_known(&id(api_version, kind)).unwrap().path(namespace);
        assert_eq!(path("v1", "Node", None), "/api/v1/nodes");
        assert_eq!(path("v1", "Secret", Some("ns")), "/api/v1/namespaces/ns/secrets");
        assert_eq!(
            path("policy/v1beta1", "PodDisruptionBudget", Some("ns")),
            "/apis/policy/v1beta1/namespaces/ns/poddisruptionbudgets"
        );
        assert_eq!(well_known(&id("example.com/v1", "Node")), None);
    }

    #[test]
    fn discovery_leaves_subresources_out() {
        let list = json!({"resources": [
            {"name": "widgets", "kind": "Widget", "namespaced": true},
            {"name": "widgets/status", "kind": "Widget", "namespaced": true},
        ]});
        let found = resources("example.com/v1", &list);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path(Some("a")), "/apis/example.com/v1/namespaces/a/widgets");
    }
}
