//! Static pods that do not come up and will not: seen early, so that nobody waits for a deadline.

use std::fmt;

use serde_json::Value;

use super::api::Api;
use super::{KubeError, pods};

/// Restarts after which a container is no longer expected to come up by itself. The kubelet pauses ten seconds, then
/// twenty, between them.
const HOPELESS_RESTARTS: u64 = 3;
/// States that waiting does not mend: the image or the manifest is wrong.
const HOPELESS_REASONS: &[&str] = &["CreateContainerConfigError", "ErrImageNeverPull", "InvalidImageName"];

/// A container of a static pod that has ended, or cannot start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// Its node.
    pub host: String,
    /// Name of the pod, `kube-apiserver-m1`.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// In the kubelet's word: `CrashLoopBackOff`, `ErrImageNeverPull`, `Error`.
    pub reason: String,
    /// What the kubelet, or the container at its end, says more; may be empty.
    pub message: String,
    /// How it ended last, when it ever ran.
    pub exit_code: Option<i64>,
    /// How often it has been started again.
    pub restarts: u64,
}

impl Crash {
    /// Whether waiting longer is in vain. An old container that is ended for a new one has its restarts, too, but
    /// nobody backs off from starting it.
    pub fn is_hopeless(&self) -> bool {
        HOPELESS_REASONS.contains(&self.reason.as_str())
            || (self.reason == "CrashLoopBackOff" && self.restarts >= HOPELESS_RESTARTS)
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, pod, container, reason, .. } = self;
        write!(f, "{host}: container {container} of pod {pod}: {reason}")?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(code) = self.exit_code {
            write!(f, " (last exit code {code}, {} restarts)", self.restarts)?;
        }
        Ok(())
    }
}

impl Api {
    /// Containers of static pods on `node` that have ended, or cannot start. Empty while all run; a container that
    /// runs again after a crash is none.
    pub async fn crashing_static_pods(&self, node: &str) -> Result<Vec<Crash>, KubeError> {
        let pods = self.pods_on(node).await?;
        Ok(pods.iter().filter(|pod| pods::is_mirror(pod)).flat_map(|pod| crashes(pod, node)).collect())
    }
}

/// Containers of `pod` that have ended, or cannot start.
pub(super) fn crashes(pod: &Value, node: &str) -> Vec<Crash> {
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let crash = |status: &Value| {
        let (waiting, ended) = (&status["state"]["waiting"], &status["state"]["terminated"]);
        let last = &status["lastState"]["terminated"];
        let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
        let (reason, told) = match (waiting["reason"].as_str(), ended["exitCode"].as_i64()) {
            // What every container passes through.
            (Some("ContainerCreating" | "PodInitializing"), _) | (None, None | Some(0)) => return None,
            (Some(reason), _) => (reason.to_owned(), waiting),
            (None, Some(_)) => (text(&ended["reason"]), ended),
        };
        // "back-off restarting" says less than the container's own last words.
        let words = [&last["message"], &told["message"]].map(text);
        let message = words.into_iter().find(|words| !words.is_empty()).unwrap_or_default();
        Some(Crash {
            host: node.to_owned(),
            pod: pod_name.to_owned(),
            container: text(&status["name"]),
            reason,
            message,
            exit_code: ended["exitCode"].as_i64().or(last["exitCode"].as_i64()),
            restarts: status["restartCount"].as_u64().unwrap_or_default(),
        })
    };
    pods::container_statuses(pod).filter_map(crash).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: Value) -> Value {
        json!({"metadata": {"name": "kube-apiserver-m1"}, "status": {"containerStatuses": [status]}})
    }

    #[test]
    fn crashes_are_told_from_starts() {
        let cases = [
            (
                json!({"name": "a", "restartCount": 2, "state": {"running": {}},
                "lastState": {"terminated": {"exitCode": 1}}}),
                "",
                false,
            ),
            (json!({"name": "a", "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}}), "", false),
            (json!({"name": "a", "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}), "", false),
            (
                json!({"name": "a", "restartCount": 0,
                    "state": {"terminated": {"exitCode": 1, "reason": "Error", "message": "unknown flag\n"}}}),
                "m1: container a of pod kube-apiserver-m1: Error: unknown flag (last exit code 1, 0 restarts)",
                false,
            ),
            (
                json!({"name": "a", "restartCount": 9, "state": {"terminated": {"exitCode": 137, "reason": "Error"}}}),
                "m1: container a of pod kube-apiserver-m1: Error (last exit code 137, 9 restarts)",
                false,
            ),
            (
                json!({"name": "a", "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
                    "lastState": {"terminated": {"exitCode": 2}}}),
                "m1: container a of pod kube-apiserver-m1: CrashLoopBackOff: back-off 40s (last exit code 2, 3 restarts)",
                true,
            ),
            (
                json!({"name": "a", "restartCount": 0, "state": {"waiting":
                    {"reason": "ErrImageNeverPull", "message": "image is not present"}}}),
                "m1: container a of pod kube-apiserver-m1: ErrImageNeverPull: image is not present",
                true,
            ),
        ];
        for (status, expected, hopeless) in cases {
            let found = crashes(&pod(status.clone()), "m1");
            let words: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(words.join("\n"), expected, "{status}");
            assert_eq!(found.iter().any(Crash::is_hopeless), hopeless, "{status}");
        }
    }
}
