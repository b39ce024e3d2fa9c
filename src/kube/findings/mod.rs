//! What stands in the way of an upgrade, or will be missed after it, as far as the API knows: to be told before
//! anything is changed.
//!
//! A finding blocks when going on would end in a wait without end, or break what runs. Everything else is a warning:
//! an installer that cries wolf is forced every time.

mod budgets;
mod crds;
mod deprecated;
mod metrics;
mod nodes;
mod pods;
mod selector;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ::kube::api::ListParams;
use serde_json::Value;

use super::api::Api;
use super::drain::DrainOptions;
use super::operation::Operation;
use super::{KubeError, concurrency};
use crate::cluster::KubeVersion;
use webhooks::Service;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// To be read and thought about.
    Warns,
    /// The upgrade should not begin.
    Blocks,
}

/// One thing that somebody should know before the upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: `PodDisruptionBudget shop/web`.
    pub subject: String,
    /// What is the matter with it.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; {}", self.subject, self.text, self.remedy)
    }
}

impl Api {
    /// APIs that `target` no longer serves and that somebody has asked this very API server for since it started. Each
    /// server counts its own requests: ask every one of them.
    pub async fn deprecated_apis_requested(&self, target: KubeVersion) -> Result<Vec<Finding>, KubeError> {
        let text = self.send_for_text("/metrics", "the metrics of the API server", Operation::Document).await?;
        Ok(deprecated::findings(&text, target))
    }

    /// What the cluster's objects say against an upgrade to `target`: stored versions of custom resources, webhooks,
    /// policies that end, nodes that are not well. Once for all API servers.
    pub async fn upgrade_findings(&self, target: KubeVersion) -> Result<Vec<Finding>, KubeError> {
        let version = self.version().await?;
        let all = |path: &'static str, object: &'static str| self.list(path, object, ListParams::default());
        let registration = "/apis/admissionregistration.k8s.io/v1";
        let [mutating, validating] =
            ["mutating", "validating"].map(|kind| format!("{registration}/{kind}webhookconfigurations"));
        let crds =
            all("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "the CustomResourceDefinitions").await?;
        let nodes = all(super::nodes::NODES, "the nodes").await?;
        let mut hooks = self.list(&mutating, "the mutating webhooks", ListParams::default()).await?;
        hooks.extend(self.list(&validating, "the validating webhooks", ListParams::default()).await?);

        let services = crds.iter().filter_map(crds::service).chain(webhooks::services(&hooks)).collect();
        let instances = self.instances(services).await?;
        let mut findings = nodes::findings(&nodes);
        findings.extend(crds.iter().flat_map(|crd| crds::findings(crd, &instances)));
        findings.extend(hooks.iter().flat_map(|hook| webhooks::findings(hook, &instances)));
        let end_of_policies = KubeVersion::new(1, 25, 0);
        if version < end_of_policies && target >= end_of_policies {
            let policies = all("/apis/policy/v1beta1/podsecuritypolicies", "the PodSecurityPolicies").await?;
            findings.extend(policies.iter().map(deprecated::policy));
        }
        Ok(findings)
    }

    /// What keeps `nodes` from being drained with `options`, or is lost by it: pods without controller, budgets that
    /// allow no disruption.
    pub async fn drain_findings(&self, nodes: &[String], options: &DrainOptions) -> Result<Vec<Finding>, KubeError> {
        let policy = self.send("/apis/policy", "the API group policy", Operation::Document).await?;
        let api_version = budgets::api_version(&policy);
        let nodes: BTreeSet<&str> = nodes.iter().map(String::as_str).collect();
        let mut pods = self.list("/api/v1/pods", "the pods", ListParams::default()).await?;
        pods.retain(|pod| pods::is_concerned(pod, &nodes));
        let path = format!("/apis/{api_version}/poddisruptionbudgets");
        let budgets = self.list(&path, "the PodDisruptionBudgets", ListParams::default()).await?;
        let mut findings = pods::findings(&pods, options);
        findings.extend(budgets::findings(&budgets, &pods, api_version));
        Ok(findings)
    }

    /// How many instances of each service are ready.
    async fn instances(&self, services: BTreeSet<Service>) -> Result<BTreeMap<Service, usize>, KubeError> {
        let work = services.iter().map(|service| self.ready_instances(service)).collect();
        let counts = concurrency::all(work).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(services.into_iter().zip(counts).collect())
    }

    async fn ready_instances(&self, service: &Service) -> Result<usize, KubeError> {
        // Endpoints, not slices: every version serves them under one name.
        let path = format!("/api/v1/namespaces/{}/endpoints", service.namespace);
        let operation = Operation::Read { name: &service.name };
        match self.send(&path, &format!("Endpoints {service}"), operation).await {
            Ok(endpoints) => Ok(webhooks::ready(&endpoints)),
            Err(error) if error.is_not_found() => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// `namespace/name` of an object, or its name where it has no namespace.
fn name(object: &Value) -> String {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    match text("namespace") {
        "" => text("name").to_owned(),
        namespace => format!("{namespace}/{}", text("name")),
    }
}
