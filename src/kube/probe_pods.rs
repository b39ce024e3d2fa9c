//! Pods on every node that serve over HTTP, and a Service in front of them: what the network between pods is proven
//! with. They are the installer's own and go when it has seen enough.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ::kube::api::ListParams;
use serde_json::{Value, json};

use super::api::Api;
use super::change::{Action, ObjectChange};
use super::operation::Operation;
use super::{KubeError, pods};

/// Where such a pod serves.
pub const PROBE_PORT: u16 = 8080;
/// Path of a body that fills many packets of full size, and its length in bytes.
pub const PROBE_BODY: (&str, usize) = ("/full", 65_536);

const NAME: &str = "kubewright-check";
const NAMESPACE: &str = "kube-system";
const DAEMON_SETS: &str = "/apis/apps/v1/namespaces/kube-system/daemonsets";
const SERVICES: &str = "/api/v1/namespaces/kube-system/services";
const PODS: &str = "/api/v1/namespaces/kube-system/pods";
const LABEL: (&str, &str) = ("app.kubernetes.io/name", NAME);

/// How far the pod of a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbePod {
    /// Not there yet, and why.
    Waiting(String),
    /// It serves.
    Ready {
        /// Its address.
        ip: IpAddr,
        /// Its UID.
        uid: String,
    },
}

/// The Service in front of the pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeService {
    /// Its address.
    pub address: IpAddr,
    /// Its port on every node.
    pub node_port: u16,
}

impl Api {
    /// Has pods started on every node, from an `image` that has a busybox.
    pub async fn probe_pods_start(&self, image: &str) -> Result<ProbeService, KubeError> {
        let apply = async |path: &str, kind: &str, object: &Value| {
            let operation = Operation::Apply { name: NAME, object };
            self.send(path, &format!("{kind} {NAMESPACE}/{NAME}"), operation).await
        };
        let service = apply(SERVICES, "Service", &service()).await?;
        apply(DAEMON_SETS, "DaemonSet", &daemon_set(image)).await?;
        let address = service["spec"]["clusterIP"].as_str().and_then(|address| address.parse().ok());
        let port = service["spec"]["ports"][0]["nodePort"].as_u64().and_then(|port| u16::try_from(port).ok());
        address.zip(port).map(|(address, node_port)| ProbeService { address, node_port }).ok_or_else(|| {
            let attempt = super::Attempt { verb: "apply", object: format!("Service {NAMESPACE}/{NAME}") };
            KubeError::Answer { attempt, message: "it has no address or no port on the nodes".into() }
        })
    }

    /// How far the pods are, by node. One observation.
    pub async fn probe_pods(&self) -> Result<BTreeMap<String, ProbePod>, KubeError> {
        let params = ListParams::default().labels(&format!("{}={}", LABEL.0, LABEL.1));
        let listed = self.list(PODS, "the pods of the check", params).await?;
        let of_node = |pod: &Value| Some((node(pod)?.to_owned(), progress(pod)));
        // Those of an earlier check may still be ending.
        Ok(listed.iter().filter(|pod| !pods::is_ending(pod)).filter_map(of_node).collect())
    }

    /// What a check that was killed has left: its Service is open on every node.
    pub async fn probe_pods_left(&self) -> Result<Vec<ObjectChange>, KubeError> {
        let mut left = Vec::new();
        for (path, kind) in [(DAEMON_SETS, "DaemonSet"), (SERVICES, "Service")] {
            let summary = format!("{kind} {NAMESPACE}/{NAME}");
            if self.find(path, &summary, NAME).await?.is_some() {
                let (kind, namespace, name) = (kind.to_owned(), Some(NAMESPACE.to_owned()), NAME.to_owned());
                let summary = format!("remove {summary}");
                left.push(ObjectChange { kind, namespace, name, action: Action::Remove, summary, diff: None });
            }
        }
        Ok(left)
    }

    /// Removes the pods and their Service; none are as good.
    pub async fn probe_pods_remove(&self) -> Result<(), KubeError> {
        for (path, kind) in [(DAEMON_SETS, "DaemonSet"), (SERVICES, "Service")] {
            self.remove(path, &format!("{kind} {NAMESPACE}/{NAME}"), NAME).await?;
        }
        Ok(())
    }
}

/// The node that a pod is for, as long as it is not scheduled by the rule that its DaemonSet has given it.
fn node(pod: &Value) -> Option<&str> {
    let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let field = || pod.pointer(terms)?[0]["matchFields"][0]["values"][0].as_str();
    pod["spec"]["nodeName"].as_str().or_else(field)
}

fn progress(pod: &Value) -> ProbePod {
    let address = pod["status"]["podIP"].as_str().and_then(|ip| ip.parse().ok());
    match (pods::problem(pod), address, pod["metadata"]["uid"].as_str()) {
        (None, Some(ip), Some(uid)) => ProbePod::Ready { ip, uid: uid.to_owned() },
        (None, ..) => ProbePod::Waiting("its pod has no address".into()),
        (Some(problem), ..) => ProbePod::Waiting(problem),
    }
}

fn labels() -> Value {
    json!({LABEL.0: LABEL.1, "app.kubernetes.io/managed-by": "kubewright"})
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels()},
        "spec": {"type": "NodePort", "selector": {LABEL.0: LABEL.1},
            "ports": [{"name": "http", "port": 80, "targetPort": PROBE_PORT, "protocol": "TCP"}]}})
}

fn daemon_set(image: &str) -> Value {
    let (path, bytes) = PROBE_BODY;
    let command = format!(
        "/bin/busybox mkdir -p /www && echo \"$NODE\" >/www/index.html && \
         /bin/busybox head -c {bytes} /dev/zero >/www{path} && exec /bin/busybox httpd -f -p {PROBE_PORT} -h /www"
    );
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels()},
        "spec": {
            "selector": {"matchLabels": {LABEL.0: LABEL.1}},
            "template": {
                "metadata": {"labels": labels()},
                "spec": {
                    "tolerations": [{"operator": "Exists"}],
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{
                        "name": "serve", "image": image, "imagePullPolicy": "IfNotPresent",
                        "command": ["/bin/busybox", "sh", "-c", command],
                        "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                        "ports": [{"name": "http", "containerPort": PROBE_PORT, "protocol": "TCP"}],
                        "readinessProbe": {
                            "httpGet": {"path": "/", "port": PROBE_PORT, "scheme": "HTTP"}, "periodSeconds": 1},
                        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "32Mi"}}}]}}}})
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Scripted, not_found};
    use super::*;

    #[tokio::test]
    async fn the_service_is_asked_for_its_address_and_everything_goes_again() {
        let apply =
            |path: &str| format!("PATCH {path}/{NAME}?&force=true&fieldManager=kubewright&fieldValidation=Strict");
        let (service, daemons) = (apply(SERVICES), apply(DAEMON_SETS));
        let gone = [format!("DELETE {DAEMON_SETS}/{NAME}?"), format!("DELETE {SERVICES}/{NAME}?")];
        let server = Scripted::new([
            (service.as_str(), 201, json!({"spec": {"clusterIP": "10.96.7.7", "ports": [{"nodePort": 31234}]}})),
            (daemons.as_str(), 201, json!({})),
            (gone[0].as_str(), 200, json!({})),
            (gone[1].as_str(), 404, not_found(NAME)),
        ]);
        let api = server.api();
        let started = api.probe_pods_start("busybox:1").await.unwrap();
        assert_eq!(started, ProbeService { address: "10.96.7.7".parse().unwrap(), node_port: 31234 });
        api.probe_pods_remove().await.unwrap();
        server.done();
    }

    #[tokio::test]
    async fn what_a_killed_check_has_left_is_named() {
        let gets = [format!("GET {DAEMON_SETS}/{NAME}"), format!("GET {SERVICES}/{NAME}")];
        let server = Scripted::new([
            (gets[0].as_str(), 404, not_found(NAME)),
            (gets[1].as_str(), 200, json!({"kind": "Service"})),
        ]);
        let left = server.api().probe_pods_left().await.unwrap();
        assert_eq!(
            left.iter().map(|change| change.summary.as_str()).collect::<Vec<_>>(),
            ["remove Service kube-system/kubewright-check"]
        );
        server.done();
    }

    #[test]
    fn a_pod_is_its_nodes_before_it_is_scheduled() {
        let field = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]});
        let affinity =
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [field]}}});
        assert_eq!(node(&json!({"spec": {"affinity": affinity}})), Some("n1"));
        assert_eq!(node(&json!({"spec": {"nodeName": "n2", "affinity": affinity}})), Some("n2"));
        assert_eq!(node(&json!({"spec": {}})), None);
    }

    #[test]
    fn only_one_with_an_address_is_ready() {
        let status =
            json!({"phase": "Running", "podIP": "10.244.1.7", "conditions": [{"type": "Ready", "status": "True"}]});
        let ready = json!({"metadata": {"uid": "u"}, "status": status});
        let expected = ProbePod::Ready { ip: "10.244.1.7".parse().unwrap(), uid: "u".into() };
        assert_eq!(progress(&ready), expected);
        assert_eq!(progress(&json!({"status": {"phase": "Pending"}})), ProbePod::Waiting("it is Pending".into()));
    }
}
