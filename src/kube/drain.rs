//! Empties a node: cordon, evict what can move, wait until it is gone.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ::kube::api::ListParams;
use serde_json::Value;

use super::api::Api;
use super::cordon::Cordon;
use super::evict::{Eviction, GracePeriod};
use super::{KubeError, concurrency, pods};

/// What a drain may do, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainOptions {
    /// How long to go on asking, and waiting.
    pub deadline: Duration,
    /// Time between attempts on a pod that a PodDisruptionBudget holds.
    pub interval: Duration,
    /// Pods whose emptyDir volumes would be lost.
    pub empty_dirs: EmptyDirs,
    /// Pods that no controller would start again.
    pub unmanaged: UnmanagedPods,
    /// How long pods may take to end.
    pub grace: GracePeriod,
}

impl Default for DrainOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(300),
            interval: Duration::from_secs(5),
            empty_dirs: EmptyDirs::Refuse,
            unmanaged: UnmanagedPods::Refuse,
            grace: GracePeriod::OfThePod,
        }
    }
}

/// What becomes of pods with emptyDir volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyDirs {
    /// The node is not drained.
    Refuse,
    /// They are evicted; what is in the volumes is lost.
    Delete,
}

/// What becomes of pods without a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnmanagedPods {
    /// The node is not drained.
    Refuse,
    /// They are evicted for good.
    Delete,
}

impl Api {
    /// Empties `node` of pods that run elsewhere as well; DaemonSets' and static pods stay. Nothing is evicted when
    /// the options forbid any one of them. The node stays cordoned, and the answer says whether it was before.
    pub async fn drain(&self, node: &str, options: &DrainOptions) -> Result<Cordon, KubeError> {
        let start = Instant::now();
        let version = self.version().await?;
        let cordon = self.cordon(node).await?;
        let refused: Vec<_> = self
            .evictable(node)
            .await?
            .iter()
            .filter_map(|pod| Some(format!("Pod {} {}", pods::name(pod), refusal(pod, options)?)))
            .collect();
        if !refused.is_empty() {
            return Err(KubeError::Undrainable { node: node.to_owned(), pods: refused });
        }
        // What is left stands in the API, not here: pods that end, and pods that appear in spite of the cordon.
        loop {
            let left = self.evictable(node).await?;
            if left.is_empty() {
                return Ok(cordon);
            }
            let asked: Vec<_> = left.iter().filter(|pod| !is_ending(pod)).collect();
            let work = asked.iter().map(|pod| self.evict(pod, options.grace, version)).collect();
            let mut holds = HashMap::new();
            for (pod, answer) in asked.iter().zip(concurrency::all(work).await) {
                if let Eviction::Refused(reason) = answer? {
                    holds.insert(pods::name(pod), reason);
                }
            }
            if start.elapsed() >= options.deadline {
                let pods = left.iter().map(|pod| still_there(pod, &holds)).collect();
                return Err(KubeError::DrainIncomplete {
                    node: node.to_owned(),
                    seconds: options.deadline.as_secs(),
                    pods,
                });
            }
            let pause = if holds.is_empty() { options.interval.min(Duration::from_secs(1)) } else { options.interval };
            tokio::time::sleep(pause.min(options.deadline.saturating_sub(start.elapsed()))).await;
        }
    }

    /// The pods on `node` that a drain is about.
    async fn evictable(&self, node: &str) -> Result<Vec<Value>, KubeError> {
        let params = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let mut pods = self.list("/api/v1/pods", &format!("the pods on {node}"), params).await?;
        pods.retain(|pod| !stays(pod));
        Ok(pods)
    }
}

/// Static pods belong to the node, and a DaemonSet would put its pod back at once.
fn stays(pod: &Value) -> bool {
    let is_mirror = pod["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some();
    is_mirror || (controller(pod).is_some_and(|owner| owner["kind"] == "DaemonSet") && !is_finished(pod))
}

/// Why the options forbid to evict a pod.
fn refusal(pod: &Value, options: &DrainOptions) -> Option<String> {
    if is_finished(pod) || is_ending(pod) {
        return None;
    }
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let empty_dirs: Vec<_> = volumes
        .filter(|volume| volume.get("emptyDir").is_some())
        .filter_map(|volume| volume["name"].as_str())
        .collect();
    if options.empty_dirs == EmptyDirs::Refuse && !empty_dirs.is_empty() {
        return Some(format!(
            "would lose its emptyDir volumes {}; allow that, or move it by hand",
            empty_dirs.join(", ")
        ));
    }
    if options.unmanaged == UnmanagedPods::Refuse && controller(pod).is_none() {
        return Some("has no controller that would start it elsewhere; delete it, or allow that".to_owned());
    }
    None
}

fn still_there(pod: &Value, holds: &HashMap<String, String>) -> String {
    let name = pods::name(pod);
    let reason = match holds.get(&name) {
        Some(reason) => format!("is not evicted: {reason}"),
        None => match pod["metadata"]["finalizers"].as_array().filter(|finalizers| !finalizers.is_empty()) {
            Some(finalizers) => {
                let names: Vec<_> = finalizers.iter().filter_map(Value::as_str).collect();
                format!("ends, and waits for its finalizers {}", names.join(", "))
            }
            None => "ends, and has not ended yet; see whether its node's kubelet runs".to_owned(),
        },
    };
    format!("Pod {name} {reason}")
}

fn controller(pod: &Value) -> Option<&Value> {
    pod["metadata"]["ownerReferences"].as_array()?.iter().find(|owner| owner["controller"] == true)
}

fn is_finished(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn is_ending(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(owner: Option<&str>, spec: Value, phase: &str) -> Value {
        let owners: Vec<_> = owner.into_iter().map(|kind| json!({"kind": kind, "controller": true})).collect();
        json!({"metadata": {"name": "a", "namespace": "ns", "ownerReferences": owners},
            "spec": spec, "status": {"phase": phase}})
    }

    #[test]
    fn static_and_daemon_pods_stay() {
        assert!(stays(&pod(Some("DaemonSet"), json!({}), "Running")));
        assert!(!stays(&pod(Some("DaemonSet"), json!({}), "Failed")));
        assert!(!stays(&pod(Some("ReplicaSet"), json!({}), "Running")));
        assert!(!stays(&pod(None, json!({}), "Running")));
        let mut mirror = pod(Some("Node"), json!({}), "Running");
        mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
        assert!(stays(&mirror));
    }

    #[test]
    fn data_and_pods_are_lost_only_when_allowed() {
        let strict = DrainOptions::default();
        let lax =
            DrainOptions { empty_dirs: EmptyDirs::Delete, unmanaged: UnmanagedPods::Delete, ..DrainOptions::default() };
        let with_data = json!({"volumes": [{"name": "data", "emptyDir": {}}, {"name": "c", "configMap": {}}]});
        let managed = pod(Some("ReplicaSet"), with_data.clone(), "Running");
        assert!(refusal(&managed, &strict).unwrap().contains("emptyDir volumes data;"));
        assert!(refusal(&pod(None, json!({}), "Running"), &strict).unwrap().contains("no controller"));
        assert_eq!(refusal(&pod(None, with_data.clone(), "Succeeded"), &strict), None);
        assert_eq!(refusal(&managed, &lax), None);
        assert_eq!(refusal(&pod(None, with_data, "Running"), &lax), None);
    }

    #[test]
    fn what_holds_a_pod_is_said() {
        let mut pod = pod(None, json!({}), "Running");
        let holds = HashMap::from([("ns/a".to_owned(), "The disruption budget web needs 1".to_owned())]);
        assert_eq!(still_there(&pod, &holds), "Pod ns/a is not evicted: The disruption budget web needs 1");
        pod["metadata"]["finalizers"] = json!(["example.com/x"]);
        assert_eq!(still_there(&pod, &HashMap::new()), "Pod ns/a ends, and waits for its finalizers example.com/x");
    }
}
