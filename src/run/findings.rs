//! What the API says against an upgrade before it begins.

use super::api::ApiAccess;
use super::failure::{HostFailure, RunError};
use super::nodes::options;
use crate::cluster::{Cluster, Drain, KubeVersion, Role};
use crate::kube::{self, Severity as Weight};
use crate::plan::preflight::{Finding, Severity};

impl ApiAccess<'_> {
    /// What stands in the way of an upgrade of `cluster` to `target`, or is lost by it, when `drained` are emptied as
    /// `how` says.
    pub(super) async fn upgrade_findings(
        &self,
        cluster: &Cluster,
        target: KubeVersion,
        drained: &[String],
        how: &Drain,
    ) -> Result<Vec<Finding>, Vec<HostFailure>> {
        let options = options(how);
        let mut found = Vec::new();
        for host in cluster.with_role(Role::ControlPlane) {
            // One that does not answer has nothing to tell; whether it may be missing is decided before each step.
            found.extend(self.deprecated_apis(host, target).await.unwrap_or_default());
        }
        let look = async |api: &kube::Api| {
            let objects = api.upgrade_findings(target).await?;
            Ok([objects, api.drain_findings(drained, &options).await?].concat())
        };
        found.extend(self.call("look for what stands in the way of the upgrade", look).await?);
        Ok(in_order(found))
    }

    /// Refuses when one of the nodes that are `drained` cannot be emptied as `how` says: known after the first of them,
    /// it would leave the cluster half-way.
    pub(super) async fn refuse_stuck_drains(&self, drained: &[String], how: &Drain) -> Result<(), RunError> {
        if drained.is_empty() {
            return Ok(());
        }
        let options = options(how);
        let look = async |api: &kube::Api| api.drain_findings(drained, &options).await;
        let found = self.call("look whether nodes can be emptied", look).await.map_err(RunError::Failed)?;
        let stuck: Vec<Finding> =
            in_order(found).into_iter().filter(|finding| finding.severity == Severity::Error).collect();
        if stuck.is_empty() { Ok(()) } else { Err(RunError::Preflight(stuck)) }
    }
}

fn in_order(found: Vec<kube::Finding>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = found.into_iter().map(finding).collect();
    findings.sort_by(|a, b| (a.severity, &a.message).cmp(&(b.severity, &b.message)));
    findings.dedup();
    findings
}

fn finding(found: kube::Finding) -> Finding {
    // A node that is not well may be what this very upgrade mends; each step looks at the others before it begins.
    let severity = match found.severity {
        Weight::Blocks if !found.subject.starts_with("Node ") => Severity::Error,
        _ => Severity::Warning,
    };
    let message = format!("{} {}", found.subject, found.text);
    Finding { check: "api", severity, host: None, message, hint: found.remedy }
}
