//! Evicts one pod, with respect for PodDisruptionBudgets.

use serde_json::{Value, json};

use super::api::Api;
use super::grace_period::GracePeriod;
use super::operation::Operation;
use super::{KubeError, pods};
use crate::cluster::KubeVersion;
use crate::versions::groups;

/// The answer to an eviction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Eviction {
    /// The pod ends, or is gone already.
    Granted,
    /// Not now, and who says so: the server's message names the PodDisruptionBudget.
    Refused(String),
}

impl Api {
    /// Asks for the eviction of a pod, once.
    pub(super) async fn evict(
        &self,
        pod: &Value,
        grace: GracePeriod,
        version: KubeVersion,
    ) -> Result<Eviction, KubeError> {
        let eviction = eviction(pod, grace, version);
        let metadata = &pod["metadata"];
        let (namespace, name) =
            (metadata["namespace"].as_str().unwrap_or_default(), metadata["name"].as_str().unwrap_or_default());
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let operation = Operation::Evict { name, eviction: &eviction };
        match self.send(&path, &format!("Pod {}", pods::name(pod)), operation).await {
            Ok(_) => Ok(Eviction::Granted),
            // Gone, or another pod of the same name has taken its place.
            Err(KubeError::NotFound { .. } | KubeError::Conflict { .. }) => Ok(Eviction::Granted),
            // 429: a budget forbids it. 500: two budgets match the pod, which the API does not serve.
            Err(KubeError::Rejected { code: 429 | 500 | 503 | 504, message, .. }) => Ok(Eviction::Refused(message)),
            Err(error) => Err(error),
        }
    }
}

fn eviction(pod: &Value, grace: GracePeriod, version: KubeVersion) -> Value {
    let mut options = json!({"preconditions": {"uid": pod["metadata"]["uid"]}});
    if let GracePeriod::Seconds(seconds) = grace {
        options["gracePeriodSeconds"] = seconds.into();
    }
    json!({"apiVersion": groups::eviction_api(version), "kind": "Eviction",
        "metadata": {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]},
        "deleteOptions": options})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_and_the_grace_period_follow() {
        let pod = json!({"metadata": {"name": "a", "namespace": "ns", "uid": "u"}});
        let old = eviction(&pod, GracePeriod::OfThePod, KubeVersion::new(1, 21, 14));
        assert_eq!(old["apiVersion"], "policy/v1beta1");
        assert_eq!(old["deleteOptions"], json!({"preconditions": {"uid": "u"}}));
        let new = eviction(&pod, GracePeriod::Seconds(5), KubeVersion::new(1, 22, 0));
        assert_eq!(new["apiVersion"], "policy/v1");
        assert_eq!(new["deleteOptions"]["gracePeriodSeconds"], 5);
    }
}
