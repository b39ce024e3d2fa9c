//! Accounts of Calico's parts, and what they may do.

use serde_json::{Value, json};

use super::{NAMESPACE, metadata};
use crate::cluster::Version;
use crate::versions::calico as table;
use crate::versions::calico::roles::{self, Rule};

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn objects(version: Version) -> Vec<Value> {
    // Typha goes by the node's account.
    let mut objects = account("calico-node", roles::node(version), version);
    objects.extend(account("calico-kube-controllers", roles::controllers(version), version));
    if table::has_own_cni_account(version) {
        objects.extend(account("calico-cni-plugin", roles::cni(version), version));
    }
    if table::has_tier_getter(version) {
        let name = "calico-tier-getter";
        // It deletes what is left of a namespace, policies in tiers among it.
        let subject = json!({ "apiGroup": RBAC, "kind": "User", "name": "system:kube-controller-manager" });
        objects.extend([role(name, roles::tier_getter(version), version), binding(name, &subject)]);
    }
    objects
}

/// An account with a role of the same name.
fn account(name: &str, rules: impl Iterator<Item = &'static Rule>, version: Version) -> Vec<Value> {
    let mut account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name) });
    account["metadata"]["namespace"] = json!(NAMESPACE);
    let subject = json!({ "kind": "ServiceAccount", "name": name, "namespace": NAMESPACE });
    vec![account, role(name, rules, version), binding(name, &subject)]
}

fn role(name: &str, rules: impl Iterator<Item = &'static Rule>, version: Version) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "ClusterRole",
        "metadata": metadata(name),
        "rules": rules.map(|rule| written(rule, version)).collect::<Vec<_>>(),
    })
}

fn written(rule: &Rule, version: Version) -> Value {
    let both = [roles::CALICO_V3, roles::CALICO].concat();
    let groups = if rule.groups == roles::CALICO && table::has_two_groups(version) { &both[..] } else { rule.groups };
    let mut written = json!({ "apiGroups": groups, "resources": rule.resources, "verbs": rule.verbs });
    if !rule.names.is_empty() {
        written["resourceNames"] = json!(rule.names);
    }
    written
}

fn binding(name: &str, subject: &Value) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": metadata(name),
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": name },
        "subjects": [subject],
    })
}
