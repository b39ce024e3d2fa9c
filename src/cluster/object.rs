//! What an object of Kubernetes must have before any server is asked: the rules that hold in every version.

use serde_json::Value;

use super::names::{NameError, check_subdomain};

/// Longest name of an object.
const NAME: usize = 253;
/// Longest label of a DNS name.
const LABEL: usize = 63;
/// Groups whose kinds are called like DNS subdomains; that of the core is empty. Others have their own rules.
const DNS_NAMES: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "coordination.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "scheduling.k8s.io",
    "storage.k8s.io",
];
/// Kinds that live in no namespace: group and kind.
const CLUSTER_SCOPED: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("policy", "PodSecurityPolicy"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
];

/// The group of an apiVersion; that of the core is empty.
pub fn group_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// Whether a kind that every server has lives in no namespace.
pub fn is_cluster_scoped(group: &str, kind: &str) -> bool {
    CLUSTER_SCOPED.contains(&(group, kind))
}

/// All that keeps `value` from being an object; nothing where a server may take it.
pub fn faults(value: &Value) -> Vec<String> {
    if !value.is_object() {
        return vec!["it is no map".to_owned()];
    }
    let mut faults = Vec::new();
    let api_version = text(&value["apiVersion"], "apiVersion", &mut faults);
    let kind = text(&value["kind"], "kind", &mut faults);
    if let Some(version) = api_version.filter(|version| !is_api_version(version)) {
        faults.push(format!("apiVersion {version:?} is neither VERSION, such as v1, nor GROUP/VERSION"));
    }
    if let Some(kind) = kind.filter(|kind| !is_kind(kind)) {
        faults.push(format!("kind {kind:?} must be letters and digits"));
    }
    let metadata = &value["metadata"];
    if !metadata.is_object() && !metadata.is_null() {
        faults.push("metadata is no map".to_owned());
        return faults;
    }
    let name = match (&metadata["name"], metadata["generateName"].is_string()) {
        (Value::Null, true) => {
            faults
                .push("it has metadata.generateName only, and would be made anew each time; give it a name".to_owned());
            None
        }
        (name, _) => text(name, "metadata.name", &mut faults),
    };
    let (group, kind) = (group_of(api_version.unwrap_or_default()), kind.unwrap_or_default());
    faults.extend(name.and_then(|name| name_fault(group, kind, name)));
    if !metadata["namespace"].is_null()
        && let Some(namespace) = text(&metadata["namespace"], "metadata.namespace", &mut faults)
    {
        faults.extend(label_fault(namespace).map(|fault| format!("metadata.namespace {namespace:?} {fault}")));
        if is_cluster_scoped(group, kind) {
            faults.push("it has a metadata.namespace, and its kind lives in none".to_owned());
        }
    }
    for key in ["labels", "annotations"] {
        texts(&metadata[key], key, &mut faults);
    }
    faults.extend(crd_fault(kind, name, &value["spec"]));
    faults
}

fn text<'v>(value: &'v Value, field: &str, faults: &mut Vec<String>) -> Option<&'v str> {
    match value {
        Value::String(text) if !text.is_empty() => return Some(text),
        Value::Null | Value::String(_) => faults.push(format!("it has no {field}")),
        Value::Number(_) | Value::Bool(_) => faults.push(format!("{field} is no text; put it into quotes")),
        _ => faults.push(format!("{field} is no text")),
    }
    None
}

fn texts(value: &Value, field: &str, faults: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(entries) => {
            for (key, _) in entries.iter().filter(|(_, value)| !value.is_string() && !value.is_null()) {
                faults.push(format!("metadata.{field}: the value of {key} is no text; put it into quotes"));
            }
        }
        _ => faults.push(format!("metadata.{field} is no map")),
    }
}

fn is_api_version(text: &str) -> bool {
    let (group, version) = text.split_once('/').unwrap_or(("a", text));
    let is_version = version.starts_with('v') && version.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    is_version && check_subdomain(group, NAME).is_ok()
}

fn is_kind(text: &str) -> bool {
    text.len() <= LABEL
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
}

fn name_fault(group: &str, kind: &str, name: &str) -> Option<String> {
    let fault = match (group, kind) {
        ("", "Namespace" | "Service") => label_fault(name)?,
        (group, _) if DNS_NAMES.contains(&group) => check_subdomain(name, NAME).err()?.to_string(),
        // A segment of a path: all that a server takes of the names of roles.
        _ if name == "." || name == ".." || name.contains(['/', '%']) || name.chars().any(char::is_control) => {
            "must be neither . nor .., and have neither / nor %".to_owned()
        }
        _ if name.len() > NAME => NameError::TooLong(name.len(), NAME).to_string(),
        _ => return None,
    };
    Some(format!("metadata.name {name:?} {fault}"))
}

fn label_fault(name: &str) -> Option<String> {
    match check_subdomain(name, LABEL) {
        Ok(()) if name.contains('.') => Some("contains dots; only a-z, 0-9 and '-' are allowed".to_owned()),
        Ok(()) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// The name of a definition says what it defines.
fn crd_fault(kind: &str, name: Option<&str>, spec: &Value) -> Option<String> {
    let (plural, group) = (spec["names"]["plural"].as_str()?, spec["group"].as_str()?);
    let expected = format!("{plural}.{group}");
    (kind == "CustomResourceDefinition" && name? != expected)
        .then(|| format!("metadata.name must be {expected}: spec.names.plural and spec.group"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_that_are_none_are_told_without_a_server() {
        let named = |api_version: &str, kind: &str, name: &str| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
        for (object, expected) in [
            (named("v1", "ConfigMap", "a.b-1"), ""),
            (named("rbac.authorization.k8s.io/v1", "ClusterRole", "system:a B"), ""),
            (named("example.com/v1alpha1", "Gear", "Big_One"), ""),
            (json!("text"), "it is no map"),
            (json!({"kind": "A"}), "it has no apiVersion; it has no metadata.name"),
            (json!({"apiVersion": "v1", "metadata": {"name": "a"}}), "it has no kind"),
            (named("v1", "Config Map", "a"), "kind \"Config Map\" must be letters and digits"),
            (
                named("apps/v1/x", "A", "a"),
                "apiVersion \"apps/v1/x\" is neither VERSION, such as v1, nor GROUP/VERSION",
            ),
            (named("1", "A", "a"), "apiVersion \"1\" is neither VERSION, such as v1, nor GROUP/VERSION"),
            (
                json!({"apiVersion": "v1", "kind": "A", "metadata": {"generateName": "a-"}}),
                "it has metadata.generateName only, and would be made anew each time; give it a name",
            ),
            (
                json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": 5}}),
                "metadata.name is no text; put it into quotes",
            ),
            (json!({"apiVersion": "v1", "kind": "A", "metadata": ["a"]}), "metadata is no map"),
            (
                named("v1", "ConfigMap", "../../nodes"),
                "metadata.name \"../../nodes\" contains '/'; only a-z, 0-9, '-' and '.' are allowed",
            ),
            (named("v1", "Namespace", "a.b"), "metadata.name \"a.b\" contains dots; only a-z, 0-9 and '-' are allowed"),
            (
                named("example.com/v1", "Gear", "a/b"),
                "metadata.name \"a/b\" must be neither . nor .., and have neither / nor %",
            ),
            (
                json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "namespace": "b"}}),
                "it has a metadata.namespace, and its kind lives in none",
            ),
            (
                json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "a", "labels": {"a": 1}, "annotations": "x"}}),
                "metadata.labels: the value of a is no text; put it into quotes; metadata.annotations is no map",
            ),
            (
                json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                    "metadata": {"name": "gears"}, "spec": {"group": "example.com", "names": {"plural": "gears"}}}),
                "metadata.name must be gears.example.com: spec.names.plural and spec.group",
            ),
        ] {
            assert_eq!(faults(&object).join("; "), expected, "{object}");
        }
    }
}
