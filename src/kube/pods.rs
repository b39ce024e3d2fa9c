//! What a pod says about itself.

use serde_json::Value;

/// `namespace/name`.
pub(super) fn name(pod: &Value) -> String {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

/// Whether its Ready condition is true.
pub(super) fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True")
}

/// Whether it stands for a static pod, which its kubelet alone starts and ends.
pub(super) fn is_mirror(pod: &Value) -> bool {
    pod["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some()
}

/// The owner that would start it again.
pub(super) fn controller(pod: &Value) -> Option<&Value> {
    pod["metadata"]["ownerReferences"].as_array()?.iter().find(|owner| owner["controller"] == true)
}

/// Whether it has run to its end.
pub(super) fn is_finished(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Whether it has been deleted, and has not ended yet.
pub(super) fn is_ending(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string()
}

/// What the kubelet says of each container, the initial ones first.
pub(super) fn container_statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["initContainerStatuses", "containerStatuses"];
    lists.into_iter().flat_map(|key| pod["status"][key].as_array().into_iter().flatten())
}

/// Names of its emptyDir volumes.
pub(super) fn empty_dirs(pod: &Value) -> Vec<&str> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.filter(|volume| volume.get("emptyDir").is_some()).filter_map(|volume| volume["name"].as_str()).collect()
}

/// Why a pod is not ready, in the words of whoever knows best: the container, the scheduler, the kubelet.
pub(super) fn problem(pod: &Value) -> Option<String> {
    if is_ready(pod) || pod["status"]["phase"] == "Succeeded" {
        return None;
    }
    for status in container_statuses(pod) {
        let container = status["name"].as_str().unwrap_or_default();
        let detail = |state: &Value| match state["message"].as_str() {
            Some(message) => format!(": {}", message.trim()),
            None => String::new(),
        };
        let (waiting, ended) = (&status["state"]["waiting"], &status["state"]["terminated"]);
        if let Some(reason) = waiting["reason"].as_str() {
            // "back-off restarting" says less than how the container ended before.
            let last = &status["lastState"]["terminated"];
            let last = last["exitCode"].as_i64().map(|code| format!(" (last exit code {code}{})", detail(last)));
            return Some(format!("container {container}: {reason}{}{}", detail(waiting), last.unwrap_or_default()));
        }
        if let Some(code) = ended["exitCode"].as_i64().filter(|code| *code != 0) {
            return Some(format!("container {container}: exit code {code}{}", detail(ended)));
        }
    }
    for kind in ["PodScheduled", "ContainersReady", "Ready"] {
        if let Some(message) = condition(pod, kind)
            .filter(|condition| condition["status"] == "False")
            .and_then(|condition| condition["message"].as_str())
        {
            return Some(message.trim().to_owned());
        }
    }
    let phase = pod["status"]["phase"].as_str().unwrap_or("in no known phase");
    // The conditions of a pod whose node is lost say nothing.
    let ready = if phase == "Running" { ", and not ready" } else { "" };
    Some(format!("it is {phase}{ready}"))
}

fn condition<'a>(pod: &'a Value, kind: &str) -> Option<&'a Value> {
    pod["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_best_informed_speaks() {
        let cases = [
            (json!({"conditions": [{"type": "Ready", "status": "True"}]}), None),
            (json!({"phase": "Succeeded"}), None),
            (json!({"phase": "Pending"}), Some("it is Pending")),
            (json!({"phase": "Running"}), Some("it is Running, and not ready")),
            (
                json!({"containerStatuses": [{"name": "a", "state": {"waiting":
                    {"reason": "ErrImageNeverPull", "message": "image is not present"}}}]}),
                Some("container a: ErrImageNeverPull: image is not present"),
            ),
            (
                json!({"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 2, "message": "bad flag\n"}}}]}),
                Some("container a: CrashLoopBackOff (last exit code 2: bad flag)"),
            ),
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"},
                    {"type": "Ready", "status": "False"}]}),
                Some("0/3 nodes"),
            ),
        ];
        for (status, expected) in cases {
            assert_eq!(problem(&json!({"status": status})).as_deref(), expected, "{status}");
        }
    }
}
