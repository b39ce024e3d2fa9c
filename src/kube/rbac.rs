//! Which objects say who may do what: an upgrade brings them about before the components that need them.

use serde_json::Value;

/// Whether an object is a Namespace, a ServiceAccount, a role or a binding.
pub fn is_rbac(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().unwrap_or_default().rsplit_once('/').map_or("", |(group, _)| group);
    match object["kind"].as_str().unwrap_or_default() {
        "Namespace" | "ServiceAccount" => group.is_empty(),
        "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => group == "rbac.authorization.k8s.io",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rights_are_told_from_what_uses_them() {
        let rbac = "rbac.authorization.k8s.io/v1";
        let cases = [
            ("v1", "Namespace", true),
            ("v1", "ServiceAccount", true),
            (rbac, "Role", true),
            (rbac, "RoleBinding", true),
            (rbac, "ClusterRole", true),
            (rbac, "ClusterRoleBinding", true),
            ("v1", "Secret", false),
            ("apps/v1", "DaemonSet", false),
            ("example.com/v1", "Role", false),
        ];
        for (api_version, kind, expected) in cases {
            assert_eq!(is_rbac(&json!({"apiVersion": api_version, "kind": kind})), expected, "{api_version} {kind}");
        }
        assert!(!is_rbac(&json!("text")));
    }
}
