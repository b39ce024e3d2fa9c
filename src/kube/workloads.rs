//! The gate that workloads are rolled out: what was applied runs, all of it, and nothing of what was before.

use ::kube::api::ListParams;
use jiff::Timestamp;
use serde_json::Value;

use super::api::Api;
use super::object::Object;
use super::operation::Operation;
use super::{KubeError, concurrency, pods, steady};

/// Kinds that roll out.
const KINDS: [&str; 3] = ["DaemonSet", "Deployment", "StatefulSet"];
/// Most pods named for one workload: on a thousand nodes the first few say it all.
const PODS_NAMED: usize = 3;

/// What a rollout is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// What its controller says of it.
    Controller,
    /// What its pods say, too: one that crashes again and again is ready in between.
    Pods,
}

impl Api {
    /// What is missing until the DaemonSets, Deployments and StatefulSets among `objects` are rolled out; other kinds
    /// are passed over. One observation. Daemons on nodes other than `nodes` are left out: a host that was taken out of the
    /// inventory may be gone for ever.
    pub async fn workloads_missing(&self, objects: &[Value], nodes: &[&str]) -> Result<Vec<String>, KubeError> {
        self.rollouts(objects, nodes, By::Controller).await
    }

    /// The same for workloads that others have written: not every one of them has a probe that says when it is ready, so
    /// its pods have to stay up for a moment.
    pub(super) async fn workloads_unsteady(&self, objects: &[Value], nodes: &[&str]) -> Result<Vec<String>, KubeError> {
        self.rollouts(objects, nodes, By::Pods).await
    }

    async fn rollouts(&self, objects: &[Value], nodes: &[&str], by: By) -> Result<Vec<String>, KubeError> {
        let workloads: Vec<_> = objects.iter().map(Object::parse).collect::<Result<_, _>>()?;
        let workloads = workloads
            .iter()
            .filter(|object| object.id.api_version.starts_with("apps/") && KINDS.contains(&object.id.kind.as_str()));
        let results = concurrency::all(workloads.map(|object| self.rollout(object, nodes, by)).collect()).await;
        Ok(results.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    async fn rollout(&self, object: &Object, nodes: &[&str], by: By) -> Result<Option<String>, KubeError> {
        let resource = self.resource(object, &[]).await?;
        let id = object.id.to_string();
        let path = resource.path(object.id.namespace.as_deref());
        let live = match self.send(&path, &id, Operation::Read { name: &object.id.name }).await {
            Ok(live) => live,
            Err(error) if error.is_not_found() => return Ok(Some(format!("{id} does not exist"))),
            Err(error) => return Err(error),
        };
        if by == By::Controller && gap(&live, &object.id.kind, 0).is_none() {
            return Ok(None);
        }
        let pods = self.pods_of(&live).await?;
        let (pods, elsewhere): (Vec<Value>, Vec<Value>) =
            pods.into_iter().partition(|pod| pod["spec"]["nodeName"].as_str().is_none_or(|node| nodes.contains(&node)));
        let elsewhere = elsewhere.iter().filter(|pod| pods::problem(pod).is_some()).count();
        let gap = gap(&live, &object.id.kind, i64::try_from(elsewhere).unwrap_or_default());
        let problems: Vec<String> = match (&gap, by) {
            (None, By::Controller) => Vec::new(),
            (None, By::Pods) => {
                let now = Timestamp::now();
                pods.iter()
                    .filter_map(|pod| Some((pod, steady::unsteady(pod, now)?)))
                    .take(PODS_NAMED)
                    .map(told)
                    .collect()
            }
            (Some(_), _) => {
                pods.iter().filter_map(|pod| Some((pod, steady::problem(pod)?))).take(PODS_NAMED).map(told).collect()
            }
        };
        let gap = gap.or_else(|| (!problems.is_empty()).then(|| "its pods do not stay up".to_owned()));
        Ok(gap.map(|gap| format!("{id}: {gap}{}", problems.concat())))
    }

    /// The pods of a workload.
    async fn pods_of(&self, workload: &Value) -> Result<Vec<Value>, KubeError> {
        let labels = workload["spec"]["selector"]["matchLabels"].as_object();
        let selector: Vec<_> = labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
            .collect();
        let Some(namespace) = workload["metadata"]["namespace"].as_str().filter(|_| !selector.is_empty()) else {
            return Ok(Vec::new());
        };
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let params = ListParams::default().labels(&selector.join(","));
        self.list(&path, &format!("the pods of {namespace}"), params).await
    }
}

fn told((pod, problem): (&Value, String)) -> String {
    let node = pod["spec"]["nodeName"].as_str().map(|node| format!(" on {node}")).unwrap_or_default();
    format!("; pod {}{node}: {problem}", pods::name(pod))
}

/// What is missing by the workload's own account; `elsewhere` are daemons that nobody waits for.
fn gap(live: &Value, kind: &str, elsewhere: i64) -> Option<String> {
    let generation = live["metadata"]["generation"].as_i64().unwrap_or_default();
    let status = &live["status"];
    let number = |key: &str| status[key].as_i64().unwrap_or_default();
    if number("observedGeneration") < generation {
        return Some("its controller has not seen the change yet (is the controller-manager running?)".into());
    }
    let replicas = live["spec"]["replicas"].as_i64().unwrap_or(1);
    // Pods of a workload with the strategy OnDelete are replaced by whoever deletes them.
    let strategy = &live["spec"]["updateStrategy"]["type"];
    let (wanted, updated, available) = match kind {
        "DaemonSet" => {
            let wanted = number("desiredNumberScheduled") - elsewhere;
            (wanted, number("updatedNumberScheduled"), number("numberAvailable"))
        }
        "Deployment" => (replicas, number("updatedReplicas"), number("availableReplicas")),
        "StatefulSet" => (replicas, number("updatedReplicas"), number("readyReplicas")),
        _ => return None,
    };
    if updated < wanted && strategy != "OnDelete" {
        return Some(format!("{updated} of {wanted} pods are updated"));
    }
    if kind == "Deployment" && number("replicas") > updated {
        return Some(format!("{} pods of the version before are left", number("replicas") - updated));
    }
    (available < wanted).then(|| format!("{available} of {wanted} pods are available"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rollout_is_over_when_every_pod_is_new_and_available() {
        let cases = [
            (
                "DaemonSet",
                json!({"observedGeneration": 1, "desiredNumberScheduled": 3}),
                "its controller has not seen the change yet (is the controller-manager running?)",
            ),
            (
                "DaemonSet",
                json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 1}),
                "1 of 3 pods are updated",
            ),
            (
                "DaemonSet",
                json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3,
                    "numberAvailable": 2}),
                "2 of 3 pods are available",
            ),
            (
                "DaemonSet",
                json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3,
                    "numberAvailable": 3}),
                "",
            ),
            ("Deployment", json!({"observedGeneration": 2, "updatedReplicas": 1}), "1 of 2 pods are updated"),
            (
                "Deployment",
                json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 3, "availableReplicas": 3}),
                "1 pods of the version before are left",
            ),
            (
                "Deployment",
                json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}),
                "",
            ),
            ("StatefulSet", json!({"observedGeneration": 2, "updatedReplicas": 2}), "0 of 2 pods are available"),
        ];
        for (kind, status, expected) in cases {
            let live = json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status});
            assert_eq!(gap(&live, kind, 0).unwrap_or_default(), expected, "{kind} {status}");
        }
    }
}
