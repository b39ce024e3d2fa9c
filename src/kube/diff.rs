//! What differs between the objects that we want and those that the server has.
//!
//! One read per object settles most of them (see [`fields`]). Where it does not, the server is asked for a dry run of
//! the apply and the two are compared: it alone knows its defaults, and how quantities are written.

use serde_json::Value;

use super::api::Api;
use super::change::{Action, ObjectChange};
use super::object::Object;
use super::operation::Operation;
use super::resource::Resource;
use super::{KubeError, concurrency, crds, display, fields};

/// An object beside its live self.
pub(super) struct Inspection {
    /// How it is reached.
    pub(super) resource: Resource,
    /// What differs, if anything does.
    pub(super) change: Option<ObjectChange>,
    /// What the server has.
    pub(super) live: Option<Value>,
}

impl Api {
    /// What [`Api::apply`] would do, without doing it: objects that are missing, fields that somebody else changed,
    /// fields that we set once and no longer want. An empty answer means that an apply would write nothing.
    pub async fn diff(&self, objects: &[Value]) -> Result<Vec<ObjectChange>, KubeError> {
        let parsed: Vec<_> = objects.iter().map(Object::parse).collect();
        let known: Vec<_> = parsed.iter().flatten().cloned().collect();
        let defined = &crds::defined(&known);
        let each = |object: Result<Object, KubeError>| async move {
            Ok(self.inspect(&object?, defined).await?.change.into_iter().collect())
        };
        let results = concurrency::all(parsed.into_iter().map(each).collect()).await;
        KubeError::collect(results)
    }

    /// Compares one object. `defined` are the kinds that CRDs beside it define, whether the server has them yet or not.
    pub(super) async fn inspect(&self, object: &Object, defined: &[Resource]) -> Result<Inspection, KubeError> {
        let resource = self.resource(object, defined).await?;
        let path = resource.path(object.id.namespace.as_deref());
        let name = object.id.name.as_str();
        let live = match self.send(&path, &object.id.to_string(), Operation::Read { name }).await {
            Ok(live) => Some(live),
            Err(KubeError::NotFound { .. }) => None,
            // Its CRD is yet to be applied.
            Err(KubeError::NotServed { .. }) if defined.contains(&resource) => None,
            Err(error) => return Err(error),
        };
        let change = match &live {
            None => {
                let diff = display::diff(None, &display::cleaned(&object.value));
                Some(change(object, Action::Create, diff))
            }
            Some(live) if fields::in_sync(&object.value, live) => None,
            Some(live) => {
                let operation = Operation::Compare { name, object: &object.value };
                let applied = self.send(&path, &object.id.to_string(), operation).await?;
                difference(live, &applied).map(|diff| change(object, Action::Update, diff))
            }
        };
        Ok(Inspection { resource, change, live })
    }
}

fn change(object: &Object, action: Action, diff: String) -> ObjectChange {
    ObjectChange {
        kind: object.id.kind.clone(),
        namespace: object.id.namespace.clone(),
        name: object.id.name.clone(),
        action,
        summary: format!("{action} {}", object.id),
        diff: Some(diff),
    }
}

/// What an apply changes: the content, or else which fields are ours. The latter matters later: a field that we do not
/// own is not removed when we no longer want it.
fn difference(live: &Value, applied: &Value) -> Option<String> {
    let (before, after) = (display::cleaned(live), display::cleaned(applied));
    if before != after {
        return Some(display::diff(Some(&before), &after));
    }
    let owned = |object: &Value| match fields::ours(object) {
        Some((api_version, fields)) => {
            let paths = fields::paths(fields).into_iter().map(|path| format!("  {path}\n"));
            format!("fields owned by kubewright, by {api_version}:\n{}", paths.collect::<String>())
        }
        None => String::new(),
    };
    let (before, after) = (owned(live), owned(applied));
    (before != after).then(|| crate::diff::unified(&before, &after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owned(fields: Value) -> Value {
        json!({"kind": "ConfigMap", "metadata": {"name": "a", "resourceVersion": fields.to_string(),
            "managedFields": [{"manager": "kubewright", "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields}]},
            "data": {"a": "1", "b": "2"}})
    }

    #[test]
    fn equal_content_and_ownership_is_no_difference() {
        let mut applied = owned(json!({"f:data": {"f:a": {}}}));
        applied["metadata"]["resourceVersion"] = json!("later");
        assert_eq!(difference(&owned(json!({"f:data": {"f:a": {}}})), &applied), None);
    }

    #[test]
    fn ownership_alone_is_a_difference_that_names_the_fields() {
        let live = owned(json!({"f:data": {"f:a": {}}}));
        let applied = owned(json!({"f:data": {"f:a": {}, "f:b": {}}}));
        insta::assert_snapshot!(difference(&live, &applied).unwrap());
    }
}
