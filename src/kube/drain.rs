//! Empties a node: cordon, evict what can move, look again until it is gone.
//!
//! What is left stands in the API and nowhere else, so a drain has no state: whoever drains begins once and then does
//! one round after the other, with a deadline of his own, until a round finds nothing.

use std::collections::HashMap;
use std::fmt;

use ::kube::api::ListParams;
use serde_json::Value;

use super::api::Api;
use super::cordon::Cordon;
use super::evict::Eviction;
use super::grace_period::GracePeriod;
use super::{KubeError, canary, concurrency, pods};

/// What a drain may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainOptions {
    /// Pods whose emptyDir volumes would be lost.
    pub empty_dirs: EmptyDirs,
    /// Pods that no controller would start again.
    pub unmanaged: UnmanagedPods,
    /// How long pods may take to end.
    pub grace: GracePeriod,
}

impl Default for DrainOptions {
    /// As everybody drains who drains every node: emptyDir volumes hold what a pod can lose at any time, its rollout
    /// for one, and most pods have one. A pod without a controller, however, would be gone for good.
    fn default() -> Self {
        Self { empty_dirs: EmptyDirs::Delete, unmanaged: UnmanagedPods::Refuse, grace: GracePeriod::OfThePod }
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

/// A pod that is still on a node being drained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undrained {
    /// `namespace/name`.
    pub pod: String,
    /// What it waits for.
    pub hold: Hold,
}

/// What keeps a pod on a node being drained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// Its eviction was refused just now. The server's message names the PodDisruptionBudget; ask again in seconds.
    Refused(String),
    /// The options forbid to evict it, and why. It came after the drain began.
    Forbidden(String),
    /// It ends.
    Ending,
    /// It has ended, or ends, and somebody is to remove these finalizers.
    Finalizers(Vec<String>),
}

impl fmt::Display for Undrained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pod {} ", self.pod)?;
        match &self.hold {
            Hold::Refused(reason) => write!(f, "is not evicted: {reason}"),
            Hold::Forbidden(reason) => f.write_str(reason),
            Hold::Ending => f.write_str("ends, and has not ended yet; see whether its node's kubelet runs"),
            Hold::Finalizers(names) => write!(f, "ends, and waits for its finalizers {}", names.join(", ")),
        }
    }
}

impl Api {
    /// Begins to empty `node`: cordons it, and remembers `why` it did ([`Api::cordon_ours`]). When the options forbid
    /// any of its pods, the error names them all and nothing has been changed.
    pub async fn drain_start(&self, node: &str, why: &str, options: &DrainOptions) -> Result<Cordon, KubeError> {
        let pods = self.evictable(node).await?;
        let refused: Vec<_> =
            pods.iter().filter_map(|pod| Some(format!("Pod {} {}", pods::name(pod), refusal(pod, options)?))).collect();
        if !refused.is_empty() {
            return Err(KubeError::Undrainable { node: node.to_owned(), pods: refused });
        }
        self.cordon_ours(node, why).await
    }

    /// One round: asks for the eviction of every pod on `node` that runs elsewhere as well, DaemonSets' and static
    /// pods excepted, and returns those that are still there, each with what holds it. Nothing when the node is empty.
    pub async fn drain_round(&self, node: &str, options: &DrainOptions) -> Result<Vec<Undrained>, KubeError> {
        let left = self.evictable(node).await?;
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let version = self.version().await?;
        let mut holds = HashMap::new();
        let mut asked = Vec::new();
        for pod in &left {
            match refusal(pod, options) {
                Some(refusal) => {
                    holds.insert(pods::name(pod), Hold::Forbidden(refusal.to_string()));
                }
                None if pods::is_ending(pod) => {}
                None => asked.push(pod),
            }
        }
        let work = asked.iter().map(|pod| self.evict(pod, options.grace, version)).collect();
        for (pod, answer) in asked.iter().zip(concurrency::all(work).await) {
            if let Eviction::Refused(reason) = answer? {
                holds.insert(pods::name(pod), Hold::Refused(reason));
            }
        }
        let undrained = |pod: &Value| {
            let name = pods::name(pod);
            Undrained { hold: holds.remove(&name).unwrap_or_else(|| ending(pod)), pod: name }
        };
        Ok(left.iter().map(undrained).collect())
    }

    /// The pods on `node` that a drain is about.
    async fn evictable(&self, node: &str) -> Result<Vec<Value>, KubeError> {
        let mut pods = self.pods_on(node).await?;
        pods.retain(|pod| !stays(pod));
        Ok(pods)
    }

    /// Every pod on `node`.
    pub(super) async fn pods_on(&self, node: &str) -> Result<Vec<Value>, KubeError> {
        let params = ListParams::default().fields(&format!("spec.nodeName={node}"));
        self.list("/api/v1/pods", &format!("the pods on {node}"), params).await
    }
}

/// Static pods belong to the node, and a DaemonSet would put its pod back at once.
pub(super) fn stays(pod: &Value) -> bool {
    let of_daemon_set = pods::controller(pod).is_some_and(|owner| owner["kind"] == "DaemonSet");
    pods::is_mirror(pod) || (of_daemon_set && !pods::is_finished(pod))
}

/// Why the options forbid to evict a pod, and what can be done about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) why: String,
    pub(super) remedy: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.why, self.remedy)
    }
}

/// Why the options forbid to evict a pod.
pub(super) fn refusal(pod: &Value, options: &DrainOptions) -> Option<Refusal> {
    // A canary of ours that an earlier run left behind is nobody's loss.
    if pods::is_finished(pod) || pods::is_ending(pod) || canary::is_one(pod) {
        return None;
    }
    let empty_dirs = pods::empty_dirs(pod);
    if options.empty_dirs == EmptyDirs::Refuse && !empty_dirs.is_empty() {
        let why = format!("would lose its emptyDir volumes {}", empty_dirs.join(", "));
        return Some(Refusal { why, remedy: "allow that (upgrade.drain: {emptyDirs: evict}), or move it by hand" });
    }
    if options.unmanaged == UnmanagedPods::Refuse && pods::controller(pod).is_none() {
        let why = "has no controller that would start it elsewhere".to_owned();
        return Some(Refusal { why, remedy: "delete it, or allow that (upgrade.drain: {unmanaged: evict})" });
    }
    None
}

fn ending(pod: &Value) -> Hold {
    let finalizers = pod["metadata"]["finalizers"].as_array().into_iter().flatten();
    let names: Vec<_> = finalizers.filter_map(|name| Some(name.as_str()?.to_owned())).collect();
    if names.is_empty() { Hold::Ending } else { Hold::Finalizers(names) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scripted::{Scripted, not_found, status};
    use super::*;

    fn pod(name: &str, owner: Option<&str>, spec: Value, phase: &str) -> Value {
        let owners: Vec<_> = owner.into_iter().map(|kind| json!({"kind": kind, "controller": true})).collect();
        json!({"metadata": {"name": name, "namespace": "ns", "uid": "u", "ownerReferences": owners},
            "spec": spec, "status": {"phase": phase}})
    }

    #[test]
    fn static_and_daemon_pods_stay() {
        assert!(stays(&pod("a", Some("DaemonSet"), json!({}), "Running")));
        assert!(!stays(&pod("a", Some("DaemonSet"), json!({}), "Failed")));
        assert!(!stays(&pod("a", Some("ReplicaSet"), json!({}), "Running")));
        assert!(!stays(&pod("a", None, json!({}), "Running")));
        let mut mirror = pod("a", Some("Node"), json!({}), "Running");
        mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
        assert!(stays(&mirror));
    }

    #[test]
    fn data_and_pods_are_lost_only_when_allowed() {
        let usual = DrainOptions::default();
        let strict = DrainOptions { empty_dirs: EmptyDirs::Refuse, ..usual.clone() };
        let lax = DrainOptions { unmanaged: UnmanagedPods::Delete, ..usual.clone() };
        let with_data = json!({"volumes": [{"name": "data", "emptyDir": {}}, {"name": "c", "configMap": {}}]});
        let managed = pod("a", Some("ReplicaSet"), with_data.clone(), "Running");
        assert!(refusal(&managed, &strict).unwrap().to_string().contains("emptyDir volumes data;"));
        assert_eq!(refusal(&managed, &usual), None);
        assert!(refusal(&pod("a", None, json!({}), "Running"), &usual).unwrap().why.contains("no controller"));
        assert_eq!(refusal(&pod("a", None, with_data.clone(), "Succeeded"), &strict), None);
        assert_eq!(refusal(&pod("a", None, with_data, "Running"), &lax), None);
    }

    #[test]
    fn what_holds_a_pod_is_said() {
        let say = |hold: Hold| Undrained { pod: "ns/a".into(), hold }.to_string();
        assert_eq!(
            say(Hold::Refused("The disruption budget web needs 1".into())),
            "Pod ns/a is not evicted: The disruption budget web needs 1"
        );
        let mut pod = pod("a", None, json!({}), "Running");
        assert_eq!(ending(&pod), Hold::Ending);
        pod["metadata"]["finalizers"] = json!(["example.com/x"]);
        assert_eq!(say(ending(&pod)), "Pod ns/a ends, and waits for its finalizers example.com/x");
    }

    const PODS: &str = "GET /api/v1/pods?&fieldSelector=spec.nodeName%3Dn1&limit=500";

    fn list(items: &[Value]) -> Value {
        json!({"kind": "PodList", "metadata": {}, "items": items})
    }

    #[tokio::test]
    async fn a_round_asks_for_all_and_says_what_is_left() {
        let mut ending = pod("ending", Some("ReplicaSet"), json!({}), "Running");
        ending["metadata"]["deletionTimestamp"] = json!("t");
        let pods = [
            pod("held", Some("ReplicaSet"), json!({}), "Running"),
            pod("gone", Some("ReplicaSet"), json!({}), "Running"),
            ending,
            pod("late", None, json!({}), "Running"),
            pod("daemon", Some("DaemonSet"), json!({}), "Running"),
        ];
        let budget = "Cannot evict pod as it would violate the pod's disruption budget.";
        let server = Scripted::new([
            (PODS, 200, list(&pods)),
            ("GET /version?", 200, json!({"gitVersion": "v1.36.4"})),
            ("POST /api/v1/namespaces/ns/pods/held/eviction?", 429, status(429, "TooManyRequests", "held", budget)),
            ("POST /api/v1/namespaces/ns/pods/gone/eviction?", 404, not_found("gone")),
            (PODS, 200, list(&pods[4..])),
        ]);
        let (api, options) = (server.api(), DrainOptions::default());
        let left = api.drain_round("n1", &options).await.unwrap();
        let found: Vec<_> = left.iter().map(|left| (left.pod.as_str(), &left.hold)).collect();
        assert_eq!(found[0], ("ns/held", &Hold::Refused(budget.into())));
        assert_eq!(found[1], ("ns/gone", &Hold::Ending));
        assert_eq!(found[2], ("ns/ending", &Hold::Ending));
        assert!(matches!(found[3], ("ns/late", Hold::Forbidden(_))), "{found:?}");
        assert_eq!(found.len(), 4);
        // A drain that is over is not even asked about the version.
        assert_eq!(api.drain_round("n1", &options).await.unwrap(), []);
        assert_eq!(server.done()[2]["apiVersion"], "policy/v1");
    }
}
