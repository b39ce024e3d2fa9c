//! CustomResourceDefinitions: which kinds they bring, and when the server serves them.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::KubeError;
use super::api::Api;
use super::object::Object;
use super::operation::Operation;
use super::resource::{Resource, Scope};

/// How long a server may take to serve a new kind. It publishes it within a second or two; on a busy one the wait is
/// for its OpenAPI document, too.
const DEADLINE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(250);

/// The resources that the CRDs among `objects` define.
pub(super) fn defined(objects: &[Object]) -> Vec<Resource> {
    objects.iter().filter(|object| is_crd(object)).flat_map(|object| resources(&object.value)).collect()
}

/// Whether it defines kinds.
pub(super) fn is_crd(object: &Object) -> bool {
    object.id.kind == "CustomResourceDefinition"
}

fn resources(crd: &Value) -> Vec<Resource> {
    let spec = &crd["spec"];
    let (Some(group), Some(kind), Some(plural)) =
        (spec["group"].as_str(), spec["names"]["kind"].as_str(), spec["names"]["plural"].as_str())
    else {
        return Vec::new();
    };
    let scope = if spec["scope"] == "Namespaced" { Scope::Namespaced } else { Scope::Cluster };
    let served = |version: &&Value| version["served"].as_bool().unwrap_or(true);
    let versions = spec["versions"].as_array().into_iter().flatten().filter(served);
    versions
        .filter_map(|version| version["name"].as_str())
        .map(|version| Resource {
            api_version: format!("{group}/{version}"),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            scope,
        })
        .collect()
}

/// What is missing until the CRD is served by its own account.
pub(super) fn missing(crd: &Value) -> Option<String> {
    let conditions = crd["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let condition = |kind: &str| conditions.iter().find(|condition| condition["type"] == kind);
    if let Some(refused) = condition("NamesAccepted").filter(|condition| condition["status"] == "False") {
        return Some(format!(
            "its names are not accepted: {}",
            refused["message"].as_str().unwrap_or("no reason given")
        ));
    }
    match condition("Established") {
        Some(established) if established["status"] == "True" => None,
        _ => Some("it is not Established".to_owned()),
    }
}

impl Api {
    /// Waits until the kinds of a CRD just applied can be used.
    pub(super) async fn await_established(&self, crd: &Object, resource: &Resource) -> Result<(), KubeError> {
        let start = Instant::now();
        loop {
            let read = Operation::Read { name: &crd.id.name };
            let live = self.send(&resource.path(None), &crd.id.to_string(), read).await?;
            let mut gap = missing(&live);
            // Established is what one server wrote into etcd; whether the one we talk to serves it is for it to say.
            for kind in resources(&crd.value) {
                if gap.is_none() && !self.serves(&kind).await? {
                    gap = Some(format!("{} does not list {} yet", kind.api_version, kind.plural));
                }
            }
            let Some(message) = gap else { break };
            if start.elapsed() >= DEADLINE {
                let name = crd.id.name.clone();
                return Err(KubeError::NotEstablished { name, seconds: DEADLINE.as_secs(), message });
            }
            tokio::time::sleep(INTERVAL).await;
        }
        self.forget_kinds();
        Ok(())
    }

    async fn serves(&self, resource: &Resource) -> Result<bool, KubeError> {
        // A single object at most: it is only the question whether there is such a list.
        let one = ::kube::api::ListParams::default().limit(1);
        match self.send(&resource.path(None), &resource.plural, Operation::List(&one)).await {
            Ok(_) => Ok(true),
            Err(KubeError::NotServed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_crd_defines_a_resource_for_each_served_version() {
        let crd = json!({"spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true}, {"name": "v1alpha1", "served": false}]}});
        let found = resources(&crd);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].api_version.as_str(), found[0].scope), ("example.com/v1", Scope::Namespaced));
    }

    #[test]
    fn established_is_what_counts() {
        let with = |conditions: Value| missing(&json!({"status": {"conditions": conditions}}));
        assert_eq!(with(json!([])), Some("it is not Established".into()));
        assert_eq!(with(json!([{"type": "Established", "status": "True"}])), None);
        let refused = with(json!([{"type": "NamesAccepted", "status": "False", "message": "taken"}]));
        assert_eq!(refused, Some("its names are not accepted: taken".into()));
    }
}
