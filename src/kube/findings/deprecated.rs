//! APIs that go, and who still uses them.

use serde_json::Value;

use super::{Finding, Severity, metrics, name};
use crate::cluster::KubeVersion;
use crate::versions::apis;

const METRIC: &str = "apiserver_requested_deprecated_apis";

/// Requests for what `target` no longer serves, by an API server's metrics.
///
/// They warn: the server remembers a request until it is restarted, and does not say whose it was. Were it to block,
/// one curious `kubectl get` would.
pub(super) fn findings(text: &str, target: KubeVersion) -> Vec<Finding> {
    let mut findings = Vec::new();
    for sample in metrics::samples(text, METRIC) {
        let label = |name: &str| sample.labels.get(name).map(String::as_str).unwrap_or_default();
        let Some(removed) = release(label("removed_release")) else { continue };
        if sample.value == 0.0 || removed > (target.major, target.minor) {
            continue;
        }
        let api_version = [label("group"), label("version")].join("/");
        let resource = label("resource");
        let remedy = match apis::instead_of(&api_version, resource) {
            "" => "find out who asks for it by the audit log, and whether it can do without".to_owned(),
            instead => format!("find out who asks for it by the audit log, and move it to {instead}"),
        };
        let finding = Finding {
            severity: Severity::Warns,
            subject: format!("{resource} of {api_version}"),
            text: format!("are in use, and not served from v{}.{} on", removed.0, removed.1),
            remedy,
        };
        // Subresources are counted by themselves.
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

/// `1.25`; empty where no end is set.
fn release(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A PodSecurityPolicy on the way to a version without them.
pub(super) fn policy(policy: &Value) -> Finding {
    Finding {
        severity: Severity::Warns,
        subject: format!("PodSecurityPolicy {}", name(policy)),
        text: "ends with v1.25, and what it forbids is allowed from then on".into(),
        remedy: "label the namespaces for PodSecurity admission, or put another policy in its place".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_target_lacks_is_told() {
        let line = |group: &str, version: &str, resource: &str, sub: &str, removed: &str, value: u32| {
            format!(
                "{METRIC}{{group=\"{group}\",removed_release=\"{removed}\",resource=\"{resource}\",\
                 subresource=\"{sub}\",version=\"{version}\"}} {value}\n"
            )
        };
        let text = [
            line("policy", "v1beta1", "podsecuritypolicies", "", "1.25", 1),
            line("policy", "v1beta1", "poddisruptionbudgets", "", "1.25", 1),
            line("policy", "v1beta1", "poddisruptionbudgets", "status", "1.25", 1),
            line("autoscaling", "v2beta2", "horizontalpodautoscalers", "", "1.26", 1),
            line("batch", "v1beta1", "cronjobs", "", "1.25", 0),
            line("", "v1", "componentstatuses", "", "", 1),
        ]
        .concat();
        let told = |minor| {
            let findings = findings(&text, KubeVersion::new(1, minor, 3));
            findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(told(24), "");
        insta::assert_snapshot!(told(25), @"
        podsecuritypolicies of policy/v1beta1 are in use, and not served from v1.25 on; find out who asks for it by the audit log, and whether it can do without
        poddisruptionbudgets of policy/v1beta1 are in use, and not served from v1.25 on; find out who asks for it by the audit log, and move it to policy/v1
        ");
        assert_eq!(told(26).lines().count(), 3);
    }
}
