//! A canary: a pod of ours on one node, to prove that the node still takes pods, starts them and gives them a network.
//!
//! The scheduler places it, as it places others. It tolerates everything, so that it can prove a node which is still
//! cordoned. First it reaches for a service, then it serves its node's name over HTTP for whoever asks from elsewhere.

use std::net::IpAddr;

use ::kube::api::ListParams;
use serde_json::{Value, json};

use super::api::Api;
use super::grace_period::GracePeriod;
use super::operation::Operation;
use super::{KubeError, concurrency, pods};

/// Where a canary serves its node's name.
pub const CANARY_PORT: u16 = 8080;

const NAMESPACE: &str = "kube-system";
const PODS: &str = "/api/v1/namespaces/kube-system/pods";
const PREFIX: &str = "kubewright-canary-";
const LABEL: (&str, &str) = ("app.kubernetes.io/name", "kubewright-canary");

/// How far a canary is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canary {
    /// Not there yet, and why.
    Waiting(String),
    /// It has reached its service and serves.
    Ready {
        /// Its address, to be asked at [`CANARY_PORT`].
        ip: IpAddr,
    },
}

impl Api {
    /// Starts a canary on `node`, in place of one that an earlier run left there. `image` has a busybox. The canary is
    /// not ready before it has reached `service`, a name or address and a port: with a name that proves DNS as well.
    pub async fn canary_start(&self, node: &str, image: &str, service: Option<(&str, u16)>) -> Result<(), KubeError> {
        self.canary_remove(node).await?;
        let pod = pod(node, image, service);
        let name = name(node);
        self.send(PODS, &object(&name), Operation::Apply { name: &name, object: &pod }).await?;
        Ok(())
    }

    /// How far the canary on `node` is. One observation.
    pub async fn canary_missing(&self, node: &str) -> Result<Canary, KubeError> {
        let name = name(node);
        match self.send(PODS, &object(&name), Operation::Read { name: &name }).await {
            Ok(pod) => Ok(progress(&pod)),
            Err(error) if error.is_not_found() => Ok(Canary::Waiting("somebody has removed it".into())),
            Err(error) => Err(error),
        }
    }

    /// Removes the canary of `node` at once; none is as good.
    pub async fn canary_remove(&self, node: &str) -> Result<(), KubeError> {
        let name = name(node);
        match self.send(PODS, &object(&name), Operation::Read { name: &name }).await {
            Ok(pod) => self.delete_at_once(&pod).await,
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The nodes that have a canary, of this run or left behind.
    pub async fn canaries(&self) -> Result<Vec<String>, KubeError> {
        Ok(self.canary_pods().await?.iter().filter_map(|pod| Some(node(pod)?.to_owned())).collect())
    }

    /// Removes every canary and returns the nodes that had one.
    pub async fn canaries_remove(&self) -> Result<Vec<String>, KubeError> {
        let pods = self.canary_pods().await?;
        let done = concurrency::all(pods.iter().map(|pod| self.delete_at_once(pod)).collect()).await;
        KubeError::collect(done.into_iter().map(|result| result.map(|()| Vec::new())))?;
        Ok(pods.iter().filter_map(|pod| Some(node(pod)?.to_owned())).collect())
    }

    async fn canary_pods(&self) -> Result<Vec<Value>, KubeError> {
        let params = ListParams::default().labels(&format!("{}={}", LABEL.0, LABEL.1));
        let mut pods = self.list(PODS, "the canaries", params).await?;
        pods.retain(is_one);
        Ok(pods)
    }

    /// Deletes this very pod, and no other that may have taken its name.
    async fn delete_at_once(&self, pod: &Value) -> Result<(), KubeError> {
        let metadata = &pod["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        let operation = Operation::Delete { name, uid: metadata["uid"].as_str(), grace: GracePeriod::Seconds(0) };
        match self.send(PODS, &object(name), operation).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn name(node: &str) -> String {
    format!("{PREFIX}{node}")
}

fn object(name: &str) -> String {
    format!("Pod {NAMESPACE}/{name}")
}

fn node(pod: &Value) -> Option<&str> {
    pod["metadata"]["name"].as_str()?.strip_prefix(PREFIX)
}

/// Whether a pod is a canary of ours.
pub(super) fn is_one(pod: &Value) -> bool {
    let metadata = &pod["metadata"];
    metadata["namespace"] == NAMESPACE && metadata["labels"][LABEL.0] == LABEL.1 && node(pod).is_some()
}

fn pod(node: &str, image: &str, service: Option<(&str, u16)>) -> Value {
    let container = |name: &str, command: &[&str]| {
        json!({"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": command,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "32Mi"}}})
    };
    let mut server = container(
        "canary",
        &[
            "/bin/busybox",
            "sh",
            "-c",
            "/bin/busybox mkdir -p /www && echo \"$NODE\" >/www/index.html && exec /bin/busybox httpd -f -p 8080 -h /www",
        ],
    );
    server["env"] = json!([{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]);
    server["ports"] = json!([{"name": "http", "containerPort": CANARY_PORT, "protocol": "TCP"}]);
    server["readinessProbe"] =
        json!({"httpGet": {"path": "/", "port": CANARY_PORT, "scheme": "HTTP"}, "periodSeconds": 1});
    let reach = service.map(|(host, port)| {
        // Its input is at its end from the start, so it ends as soon as it is connected.
        container("reach", &["/bin/busybox", "timeout", "5", "/bin/busybox", "nc", host, &port.to_string()])
    });
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name(node), "namespace": NAMESPACE,
            "labels": {LABEL.0: LABEL.1, "app.kubernetes.io/managed-by": "kubewright"}},
        "spec": {
            // By the node's name, as a DaemonSet does it: the scheduler still decides.
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms":
                [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]}}},
            "tolerations": [{"operator": "Exists"}],
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 0,
            "initContainers": reach.into_iter().collect::<Vec<_>>(),
            "containers": [server]}})
}

fn progress(pod: &Value) -> Canary {
    if pods::is_ending(pod) {
        return Canary::Waiting("somebody is removing it".into());
    }
    match (pods::problem(pod), pod["status"]["podIP"].as_str().and_then(|ip| ip.parse().ok())) {
        (None, Some(ip)) => Canary::Ready { ip },
        (None, None) => Canary::Waiting("it has no address".into()),
        (Some(problem), _) => Canary::Waiting(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Scripted, conflict, not_found};
    use super::*;

    const POD: &str = "/api/v1/namespaces/kube-system/pods/kubewright-canary-n1";

    #[test]
    fn what_it_waits_for_is_told() {
        let waiting = |text: &str| Canary::Waiting(text.into());
        let unscheduled = json!([{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]);
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let unreachable = json!([{"name": "reach", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "message": "nc: bad address 'kubernetes.default'\n"}}}]);
        let cases = [
            (json!({"phase": "Pending"}), waiting("it is Pending")),
            (json!({"phase": "Pending", "conditions": unscheduled}), waiting("0/3 nodes are available")),
            (
                json!({"phase": "Pending", "initContainerStatuses": unreachable}),
                waiting("container reach: CrashLoopBackOff (last exit code 1: nc: bad address 'kubernetes.default')"),
            ),
            (json!({"phase": "Running", "conditions": ready}), waiting("it has no address")),
            (
                json!({"phase": "Running", "conditions": ready, "podIP": "10.244.1.7"}),
                Canary::Ready { ip: "10.244.1.7".parse().unwrap() },
            ),
        ];
        for (status, expected) in cases {
            assert_eq!(progress(&json!({"status": status})), expected, "{status}");
        }
        let ending = json!({"metadata": {"deletionTimestamp": "t"},
            "status": {"podIP": "10.244.1.7", "conditions": [{"type": "Ready", "status": "True"}]}});
        assert_eq!(progress(&ending), waiting("somebody is removing it"));
    }

    #[tokio::test]
    async fn a_leftover_is_replaced_and_only_itself() {
        let (read, delete) = (format!("GET {POD}"), format!("DELETE {POD}?"));
        let apply = format!("PATCH {POD}?&force=true&fieldManager=kubewright&fieldValidation=Strict");
        let old = json!({"metadata": {"name": "kubewright-canary-n1", "namespace": "kube-system", "uid": "old"}});
        let server = Scripted::new([
            (read.as_str(), 200, old),
            // Another run was faster.
            (delete.as_str(), 409, conflict("kubewright-canary-n1")),
            (apply.as_str(), 201, json!({})),
            (read.as_str(), 404, not_found("kubewright-canary-n1")),
        ]);
        let api = server.api();
        api.canary_start("n1", "busybox:1", Some(("kubernetes.default", 443))).await.unwrap();
        assert_eq!(api.canary_missing("n1").await.unwrap(), Canary::Waiting("somebody has removed it".into()));
        let bodies = server.done();
        assert_eq!(bodies[1], json!({"gracePeriodSeconds": 0, "preconditions": {"uid": "old"}}));
        let command = &bodies[2]["spec"]["initContainers"][0]["command"];
        assert_eq!(command.as_array().unwrap()[5..], ["kubernetes.default", "443"]);
    }

    #[test]
    fn only_ours_are_canaries() {
        let canary = pod("n1", "busybox:1", None);
        assert!(is_one(&canary) && node(&canary) == Some("n1"));
        for (pointer, value) in [
            ("/metadata/namespace", json!("default")),
            ("/metadata/name", json!("other")),
            ("/metadata/labels", json!({})),
        ] {
            let mut other = canary.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            assert!(!is_one(&other), "{pointer}");
        }
    }
}
