//! Whether a pod stays up: one that crashes again and again is ready in between, where no probe says otherwise.

use jiff::Timestamp;
use serde_json::Value;

use super::{crash, pods};

/// A container that runs again after a crash has to run for so long, in seconds. The kubelet waits ten seconds before it
/// starts one a second time, and longer each time after that.
const AFTER_CRASH: i64 = 10;
/// One that runs for the first time, and has no probe that says when it is ready.
const AT_FIRST: i64 = 3;
/// By how much a node's clock may be ahead of ours.
const AHEAD: i64 = -60;
/// Lines of a container's last words.
const LAST_LINES: usize = 3;

/// Why a pod is not ready, and how its container ended, where it did.
pub(super) fn problem(pod: &Value) -> Option<String> {
    let problem = pods::problem(pod)?;
    Some(crashed(pod).unwrap_or(problem))
}

/// Why a pod that may be ready is not believed to stay so. Pods that have ended, or are about to, are none of those that
/// their workload counts.
pub(super) fn unsteady(pod: &Value, now: Timestamp) -> Option<String> {
    if pods::is_ending(pod) || pods::is_finished(pod) {
        return None;
    }
    crashed(pod)
        .or_else(|| pod["status"]["containerStatuses"].as_array()?.iter().find_map(|status| young(pod, status, now)))
}

fn crashed(pod: &Value) -> Option<String> {
    let crash = crash::crashes(pod, "").into_iter().next()?;
    let code = crash.exit_code?;
    let name = &crash.container;
    let mut text = format!("container {name}: {}, exit code {code}, {} restarts", crash.reason, crash.restarts);
    let lines: Vec<&str> = crash.message.lines().collect();
    if !lines.is_empty() {
        text.push_str(&format!(": {}", lines[lines.len().saturating_sub(LAST_LINES)..].join(" | ")));
    }
    Some(format!("{text} ({})", logs(pod, name)))
}

/// A container that has not run for long enough.
fn young(pod: &Value, status: &Value, now: Timestamp) -> Option<String> {
    let name = status["name"].as_str()?;
    let started: Timestamp = status["state"]["running"]["startedAt"].as_str()?.parse().ok()?;
    let age = now.as_second() - started.as_second();
    let restarts = status["restartCount"].as_u64().unwrap_or_default();
    let code = status["lastState"]["terminated"]["exitCode"].as_i64();
    match code {
        Some(code) if (AHEAD..AFTER_CRASH).contains(&age) => {
            let logs = logs(pod, name);
            Some(format!(
                "container {name}: started again a moment ago, exit code {code}, {restarts} restarts ({logs})"
            ))
        }
        None if (AHEAD..AT_FIRST).contains(&age) && !has_probe(pod, name) => {
            Some(format!("container {name}: started a moment ago, and has no readinessProbe"))
        }
        _ => None,
    }
}

fn has_probe(pod: &Value, container: &str) -> bool {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    containers.filter(|spec| spec["name"] == container).any(|spec| spec["readinessProbe"].is_object())
}

fn logs(pod: &Value, container: &str) -> String {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default();
    format!("kubectl -n {} logs {} -c {container} --previous", text("namespace"), text("name"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_crashes_again_and_again_is_not_steady() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let crashed = json!({"terminated": {"exitCode": 3, "message": "a\nb\nno such file\ngiving up\n"}});
        let logs = "(kubectl -n demo logs web-1 -c web --previous)";
        for (status, expected) in [
            (
                json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 4, "lastState": crashed}),
                format!(
                    "container web: CrashLoopBackOff, exit code 3, 4 restarts: b | no such file | giving up {logs}"
                ),
            ),
            (
                json!({"state": {"running": {"startedAt": "2026-01-01T00:00:55Z"}}, "restartCount": 4, "lastState": crashed}),
                format!("container web: started again a moment ago, exit code 3, 4 restarts {logs}"),
            ),
            (
                json!({"state": {"running": {"startedAt": "2026-01-01T00:00:50Z"}}, "restartCount": 4, "lastState": crashed}),
                String::new(),
            ),
            (
                json!({"state": {"running": {"startedAt": "2026-01-01T00:00:58Z"}}, "restartCount": 0}),
                "container web: started a moment ago, and has no readinessProbe".to_owned(),
            ),
            (json!({"state": {"running": {"startedAt": "2026-01-01T00:00:57Z"}}, "restartCount": 0}), String::new()),
            // A clock that is wrong by hours keeps nobody waiting.
            (json!({"state": {"running": {"startedAt": "2026-01-01T03:00:00Z"}}, "restartCount": 0}), String::new()),
        ] {
            let mut status = status;
            status["name"] = json!("web");
            let mut pod = json!({"metadata": {"name": "web-1", "namespace": "demo"}, "spec": {"containers": [{"name": "web"}]},
                "status": {"phase": "Running", "containerStatuses": [status]}});
            assert_eq!(unsteady(&pod, now).unwrap_or_default(), expected, "{pod}");
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:01:00Z");
            assert_eq!(unsteady(&pod, now), None);
        }
    }

    #[test]
    fn one_with_a_probe_is_believed() {
        let now: Timestamp = "2026-01-01T00:00:01Z".parse().unwrap();
        let status = json!({"name": "a", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}});
        let mut pod = json!({"spec": {"containers": [{"name": "a"}]}, "status": {"containerStatuses": [status]}});
        assert!(unsteady(&pod, now).is_some());
        pod["spec"]["containers"][0]["readinessProbe"] = json!({});
        assert_eq!(unsteady(&pod, now), None);
    }
}
