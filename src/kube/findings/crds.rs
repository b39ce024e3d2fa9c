//! Custom resources: versions that are stored and no longer served, and conversions that nobody does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::webhooks::Service;
use super::{Finding, Severity, name};

/// What is the matter with a CustomResourceDefinition.
pub(super) fn findings(crd: &Value, instances: &BTreeMap<Service, usize>) -> Vec<Finding> {
    let warning = |text: String, remedy: String| Finding {
        severity: Severity::Warns,
        subject: format!("CustomResourceDefinition {}", name(crd)),
        text,
        remedy,
    };
    let mut findings = Vec::new();
    let unserved = unserved(crd);
    if !unserved.is_empty() {
        let versions = unserved.join(", ");
        findings.push(warning(
            format!("may hold objects that are stored as {versions}, which is no longer served"),
            format!("read and write each of its objects once, then take {versions} from status.storedVersions"),
        ));
    }
    let webhook = &crd["spec"]["conversion"]["webhook"];
    if let Some(service) = service(crd).filter(|service| instances.get(service) == Some(&0)) {
        findings.push(warning(
            format!("is converted by service {service}, which has no ready endpoint: its objects cannot be read"),
            "bring the service up, or remove the definition if its controller is gone".into(),
        ));
    }
    let understood = webhook["conversionReviewVersions"].as_array();
    if understood.is_some_and(|versions| !versions.iter().any(|version| version == "v1")) {
        findings.push(warning(
            "has a conversion webhook that does not understand ConversionReview v1".into(),
            "update its controller".into(),
        ));
    }
    findings
}

/// Versions in which objects may be stored, and which the server does not serve.
fn unserved(crd: &Value) -> Vec<&str> {
    let versions = crd["spec"]["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_served = |name: &str| versions.iter().any(|version| version["name"] == name && version["served"] == true);
    let stored = crd["status"]["storedVersions"].as_array().into_iter().flatten();
    stored.filter_map(Value::as_str).filter(|name| !is_served(name)).collect()
}

/// The service that converts its objects.
pub(super) fn service(crd: &Value) -> Option<Service> {
    Service::of(&crd["spec"]["conversion"]["webhook"]["clientConfig"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stored_versions_and_conversions_are_looked_at() {
        let good = json!({"metadata": {"name": "widgets.example.com"}, "status": {"storedVersions": ["v1"]},
            "spec": {"versions": [{"name": "v1", "served": true}, {"name": "v1alpha1", "served": false}]}});
        assert_eq!(findings(&good, &BTreeMap::new()), []);
        let mut bad = good;
        bad["status"]["storedVersions"] = json!(["v1alpha1", "v1"]);
        bad["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1beta1"],
            "clientConfig": {"service": {"namespace": "ns", "name": "converter"}}}});
        let service = service(&bad).unwrap();
        let of = |count: usize| {
            let found = findings(&bad, &BTreeMap::from([(service.clone(), count)]));
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        insta::assert_snapshot!(of(0).join("\n"), @"
        CustomResourceDefinition widgets.example.com may hold objects that are stored as v1alpha1, which is no longer served; read and write each of its objects once, then take v1alpha1 from status.storedVersions
        CustomResourceDefinition widgets.example.com is converted by service ns/converter, which has no ready endpoint: its objects cannot be read; bring the service up, or remove the definition if its controller is gone
        CustomResourceDefinition widgets.example.com has a conversion webhook that does not understand ConversionReview v1; update its controller
        ");
        assert_eq!(of(1).len(), 2);
    }
}
