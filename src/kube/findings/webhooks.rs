//! Admission webhooks that refuse everything when nobody answers them: in an upgrade, that is when their pods move.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::{Finding, Severity, name};

/// Resources that an upgrade, or the cluster itself, writes all the time.
const ESSENTIAL: &[&str] = &["*", "daemonsets", "leases", "nodes", "pods"];

/// A service that answers for a webhook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Service {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Service {
    /// The service in a `clientConfig`; none for a URL, of which we know nothing.
    pub(super) fn of(client_config: &Value) -> Option<Self> {
        let text = |key: &str| Some(client_config["service"][key].as_str()?.to_owned());
        Some(Self { namespace: text("namespace")?, name: text("name")? })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Every service in the configurations.
pub(super) fn services(configurations: &[Value]) -> BTreeSet<Service> {
    configurations.iter().flat_map(hooks).filter_map(|hook| Service::of(&hook["clientConfig"])).collect()
}

/// How many addresses of an Endpoints object are ready.
pub(super) fn ready(endpoints: &Value) -> usize {
    let subsets = endpoints["subsets"].as_array().into_iter().flatten();
    subsets.filter_map(|subset| Some(subset["addresses"].as_array()?.len())).sum()
}

/// What is the matter with the webhooks of a configuration, by the ready instances of their services.
pub(super) fn findings(configuration: &Value, instances: &BTreeMap<Service, usize>) -> Vec<Finding> {
    hooks(configuration).flat_map(|hook| of_hook(configuration, hook, instances)).collect()
}

fn hooks(configuration: &Value) -> impl Iterator<Item = &Value> {
    configuration["webhooks"].as_array().into_iter().flatten()
}

fn of_hook(configuration: &Value, hook: &Value, instances: &BTreeMap<Service, usize>) -> Vec<Finding> {
    let finding = |severity, text: String, remedy: &str| Finding {
        severity,
        subject: format!("webhook {} of {}", hook["name"].as_str().unwrap_or_default(), name(configuration)),
        text,
        remedy: remedy.to_owned(),
    };
    let mut findings = Vec::new();
    let service = Service::of(&hook["clientConfig"]);
    if let Some(service) = service.filter(|_| hook["failurePolicy"] == "Fail") {
        let essential = essential(hook);
        match (instances.get(&service), essential.is_empty()) {
            (Some(0), true) => findings.push(finding(
                Severity::Warns,
                format!("refuses everything it is asked about: its service {service} has no ready endpoint"),
                "bring the service up, or remove the configuration if its controller is gone",
            )),
            (Some(0), false) => findings.push(finding(
                Severity::Blocks,
                format!(
                    "refuses every change of {}: its service {service} has no ready endpoint",
                    essential.join(", ")
                ),
                "bring the service up, or remove the configuration if its controller is gone",
            )),
            (Some(1), false) => findings.push(finding(
                Severity::Warns,
                format!(
                    "has a single instance behind its service {service}: while that moves, nobody can change {}",
                    essential.join(", ")
                ),
                "give it a second replica, or failurePolicy Ignore for the time of the upgrade",
            )),
            _ => {}
        }
    }
    let understood = hook["admissionReviewVersions"].as_array();
    if understood.is_some_and(|versions| !versions.iter().any(|version| version == "v1")) {
        findings.push(finding(
            Severity::Warns,
            "does not understand AdmissionReview v1".into(),
            "update its controller",
        ));
    }
    findings
}

/// Which essential resources its rules match.
fn essential(hook: &Value) -> Vec<&str> {
    let rules = hook["rules"].as_array().into_iter().flatten();
    let resources = rules.flat_map(|rule| rule["resources"].as_array().into_iter().flatten()).filter_map(Value::as_str);
    let matched: BTreeSet<&str> = resources
        .map(|resource| resource.split('/').next().unwrap_or(resource))
        .filter(|resource| ESSENTIAL.contains(resource))
        .collect();
    if matched.contains("*") { vec!["anything"] } else { matched.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn configuration(policy: &str, resource: &str, versions: Value) -> Value {
        json!({"metadata": {"name": "guard"}, "webhooks": [{"name": "pods.guard.example.com", "failurePolicy": policy,
            "admissionReviewVersions": versions, "rules": [{"apiGroups": [""], "resources": [resource]}],
            "clientConfig": {"service": {"namespace": "guard", "name": "guard"}}}]})
    }

    fn told(configuration: &Value, instances: usize) -> Vec<(Severity, String)> {
        let instances = services(std::slice::from_ref(configuration)).into_iter().map(|service| (service, instances));
        let found = findings(configuration, &instances.collect());
        found.into_iter().map(|finding| (finding.severity, finding.text)).collect()
    }

    #[test]
    fn webhooks_that_would_block_are_found() {
        let v1 = || json!(["v1", "v1beta1"]);
        let fail = |resource: &str| configuration("Fail", resource, v1());
        let nobody = "its service guard/guard has no ready endpoint";
        for (configuration, instances, expected) in [
            (fail("pods"), 2, None),
            (configuration("Ignore", "pods", v1()), 0, None),
            (fail("pods"), 0, Some((Severity::Blocks, format!("refuses every change of pods: {nobody}")))),
            (fail("*/*"), 0, Some((Severity::Blocks, format!("refuses every change of anything: {nobody}")))),
            (fail("nodes/status"), 0, Some((Severity::Blocks, format!("refuses every change of nodes: {nobody}")))),
            (fail("widgets"), 0, Some((Severity::Warns, format!("refuses everything it is asked about: {nobody}")))),
            (fail("widgets"), 1, None),
            (
                fail("pods"),
                1,
                Some((
                    Severity::Warns,
                    "has a single instance behind its service guard/guard: while that moves, nobody can change pods"
                        .to_owned(),
                )),
            ),
            (
                configuration("Fail", "pods", json!(["v1beta1"])),
                2,
                Some((Severity::Warns, "does not understand AdmissionReview v1".to_owned())),
            ),
        ] {
            assert_eq!(told(&configuration, instances), expected.into_iter().collect::<Vec<_>>(), "{configuration}");
        }
    }

    #[test]
    fn a_url_is_not_judged() {
        let mut elsewhere = configuration("Fail", "pods", json!(["v1"]));
        elsewhere["webhooks"][0]["clientConfig"] = json!({"url": "https://guard.example.com"});
        assert_eq!(told(&elsewhere, 0), []);
    }

    #[test]
    fn only_ready_addresses_count() {
        let endpoints = json!({"subsets": [{"addresses": [{"ip": "a"}, {"ip": "b"}]},
            {"notReadyAddresses": [{"ip": "c"}]}]});
        assert_eq!(ready(&endpoints), 2);
        assert_eq!(ready(&json!({})), 0);
    }
}
