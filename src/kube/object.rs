//! An object that we want, read from JSON: what it is called, and its content in the form that the server compares.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::KubeError;
use crate::cluster::object;

/// A wanted object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// What it is.
    pub(super) id: ObjectId,
    /// All of it.
    pub(super) value: Value,
}

/// What an object is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectId {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

impl Object {
    /// Reads an object, or says what it lacks.
    pub(super) fn parse(value: &Value) -> Result<Self, KubeError> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (kind, name) = (text(&value["kind"]), text(&value["metadata"]["name"]));
        let malformed = |message: String| KubeError::Malformed {
            object: format!(
                "{} {}",
                kind.as_deref().unwrap_or("a document without kind"),
                name.as_deref().unwrap_or("without name")
            ),
            message,
        };
        let faults = object::faults(value);
        if !faults.is_empty() {
            return Err(malformed(faults.join("; ")));
        }
        let id = ObjectId {
            api_version: text(&value["apiVersion"]).unwrap_or_default(),
            kind: kind.clone().unwrap_or_default(),
            namespace: text(&value["metadata"]["namespace"]),
            name: name.clone().unwrap_or_default(),
        };
        let mut value = value.clone();
        if let Some(object) = value.as_object_mut() {
            // What generators leave behind; the server owns both.
            object.remove("status");
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
                && metadata.get("creationTimestamp").is_some_and(Value::is_null)
            {
                metadata.remove("creationTimestamp");
            }
        }
        if id.kind == "Secret" {
            encode_string_data(&mut value).map_err(|key| malformed(format!("stringData.{key} is not a text")))?;
        }
        Ok(Self { id, value })
    }
}

/// Moves `stringData` of a Secret to `data`, where the server keeps it: the former is write-only and could never be
/// compared.
fn encode_string_data(secret: &mut Value) -> Result<(), String> {
    let Some(secret) = secret.as_object_mut() else { return Ok(()) };
    let Some(Value::Object(texts)) = secret.remove("stringData") else { return Ok(()) };
    let data = secret.entry("data").or_insert_with(|| Value::Object(Default::default()));
    let Some(data) = data.as_object_mut() else { return Ok(()) };
    for (key, text) in texts {
        let Some(text) = text.as_str() else { return Err(key) };
        data.insert(key, STANDARD.encode(text).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_called_by_kind_namespace_and_name() {
        let object = Object::parse(&json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "ns", "creationTimestamp": null}, "status": {}}))
        .unwrap();
        assert_eq!(object.id.to_string(), "ConfigMap ns/a");
        assert_eq!(
            object.value,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "ns"}})
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Object::parse(&json!({"apiVersion": "v1", "kind": "ConfigMap"})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ConfigMap without name is not an object of Kubernetes: it has no metadata.name; mend the manifest"
        );
        assert!(Object::parse(&json!("text")).is_err());
    }

    #[test]
    fn string_data_of_secrets_is_encoded() {
        let object = Object::parse(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
            "data": {"b": "Yg=="}, "stringData": {"a": "a"}}))
        .unwrap();
        assert_eq!(object.value["data"], json!({"a": "YQ==", "b": "Yg=="}));
        assert!(object.value.get("stringData").is_none());
    }
}
