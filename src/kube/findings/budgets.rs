//! PodDisruptionBudgets that hold a drain for ever.

use std::collections::BTreeMap;

use serde_json::Value;

use super::selector::selects;
use super::{Finding, Severity, name};

/// The version of budgets in which an empty selector selects everything; before it, nothing.
const V1: &str = "policy/v1";

/// The version of the API to ask for budgets, of those that the server says it serves of their group. Asked, not known
/// by its version: halfway through an upgrade that is one thing and what answers another.
pub(super) fn api_version(group: &Value) -> &'static str {
    let served: Vec<_> = group["versions"].as_array().into_iter().flatten().map(|one| &one["groupVersion"]).collect();
    if served.iter().any(|version| *version == V1) { V1 } else { "policy/v1beta1" }
}

/// What is the matter with budgets of `api_version`, as far as they are about `pods`, which have to move.
pub(super) fn findings(budgets: &[Value], pods: &[Value], api_version: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut by_pod: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for budget in budgets {
        let mut guarded = pods.iter().filter(|pod| guards(budget, pod, api_version)).map(name).peekable();
        if guarded.peek().is_none() {
            continue;
        }
        findings.extend(of_budget(budget));
        for pod in guarded {
            by_pod.entry(pod).or_default().push(name(budget));
        }
    }
    let several = by_pod.into_iter().filter(|(_, budgets)| budgets.len() > 1);
    findings.extend(several.map(|(pod, budgets)| Finding {
        severity: Severity::Blocks,
        subject: format!("Pod {pod}"),
        text: format!("has several PodDisruptionBudgets, {}: no server evicts it", budgets.join(", ")),
        remedy: "leave it one of them".into(),
    }));
    findings
}

fn guards(budget: &Value, pod: &Value, api_version: &str) -> bool {
    let selector = &budget["spec"]["selector"];
    let is_empty = selector.as_object().is_some_and(|fields| fields.values().all(|field| field == &Value::Null));
    let counts = api_version == V1 || !is_empty;
    counts
        && budget["metadata"]["namespace"] == pod["metadata"]["namespace"]
        && selects(selector, &pod["metadata"]["labels"])
}

fn of_budget(budget: &Value) -> Option<Finding> {
    let number = |key: &str| budget["status"][key].as_i64().unwrap_or_default();
    let (expected, healthy) = (number("expectedPods"), number("currentHealthy"));
    if number("disruptionsAllowed") > 0 || expected == 0 {
        return None;
    }
    let rule = ["minAvailable", "maxUnavailable"].iter().find_map(|key| match &budget["spec"][key] {
        Value::Null => None,
        Value::String(text) => Some(format!("{key} {text}")),
        other => Some(format!("{key} {other}")),
    });
    let rule = rule.unwrap_or_else(|| "no rule".to_owned());
    let finding = |severity, text: String, remedy: &str| Finding {
        severity,
        subject: format!("PodDisruptionBudget {}", name(budget)),
        text,
        remedy: remedy.to_owned(),
    };
    Some(if healthy >= expected {
        finding(
            Severity::Blocks,
            format!("never allows a disruption: {healthy} of {expected} pods are healthy, and its rule is {rule}"),
            "add replicas, or loosen it for the time of the upgrade",
        )
    } else {
        finding(
            Severity::Warns,
            format!("allows no disruption now: {healthy} of {expected} pods are healthy, and its rule is {rule}"),
            "bring its pods up first",
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn budget(name: &str, allowed: u32, healthy: u32, expected: u32) -> Value {
        json!({"metadata": {"name": name, "namespace": "shop"},
            "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": allowed, "currentHealthy": healthy, "expectedPods": expected}})
    }

    fn pod(name: &str, namespace: &str, app: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": namespace, "labels": {"app": app}}})
    }

    fn told(budgets: &[Value], pods: &[Value]) -> Vec<(Severity, String)> {
        let found = findings(budgets, pods, V1);
        found.into_iter().map(|finding| (finding.severity, format!("{} {}", finding.subject, finding.text))).collect()
    }

    #[test]
    fn a_budget_that_never_gives_way_blocks() {
        let pods = [pod("web-1", "shop", "web")];
        assert_eq!(told(&[budget("web", 1, 2, 2)], &pods), []);
        assert_eq!(told(&[budget("web", 0, 0, 0)], &pods), []);
        let never = "PodDisruptionBudget shop/web never allows a disruption: \
                     2 of 2 pods are healthy, and its rule is maxUnavailable 0";
        assert_eq!(told(&[budget("web", 0, 2, 2)], &pods), [(Severity::Blocks, never.to_owned())]);
        let not_now = "PodDisruptionBudget shop/web allows no disruption now: \
                       1 of 2 pods are healthy, and its rule is maxUnavailable 0";
        assert_eq!(told(&[budget("web", 0, 1, 2)], &pods), [(Severity::Warns, not_now.to_owned())]);
    }

    #[test]
    fn budgets_of_pods_that_stay_do_not_matter() {
        let rigid = [budget("web", 0, 2, 2)];
        assert_eq!(told(&rigid, &[pod("api-1", "shop", "api"), pod("web-1", "other", "web")]), []);
    }

    #[test]
    fn a_pod_with_two_budgets_is_never_evicted() {
        let budgets = [budget("a", 1, 2, 2), budget("b", 1, 2, 2)];
        let found = told(&budgets, &[pod("web-1", "shop", "web")]);
        let text = "Pod shop/web-1 has several PodDisruptionBudgets, shop/a, shop/b: no server evicts it";
        assert_eq!(found, [(Severity::Blocks, text.to_owned())]);
    }

    #[test]
    fn an_empty_selector_means_what_the_version_says() {
        let mut all = budget("all", 0, 2, 2);
        all["spec"]["selector"] = json!({});
        let pods = [pod("web-1", "shop", "web")];
        assert_eq!(findings(std::slice::from_ref(&all), &pods, V1).len(), 1);
        assert_eq!(findings(&[all], &pods, "policy/v1beta1"), []);
    }

    #[test]
    fn the_newest_version_that_is_served_is_asked() {
        let group = |versions: &[&str]| {
            let versions: Vec<_> = versions.iter().map(|version| json!({"groupVersion": version})).collect();
            api_version(&json!({"kind": "APIGroup", "name": "policy", "versions": versions}))
        };
        assert_eq!(group(&["policy/v1beta1"]), "policy/v1beta1");
        assert_eq!(group(&["policy/v1", "policy/v1beta1"]), "policy/v1");
        assert_eq!(group(&["policy/v1"]), "policy/v1");
    }
}
