//! The gate that the control plane runs: on each master its three static pods, new ones, of the version wanted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use ::kube::api::ListParams;
use serde_json::Value;

use super::api::Api;
use super::watch::Watch;
use super::{KubeError, pods};
use crate::cluster::KubeVersion;

const COMPONENTS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];
/// The kubelet's hash of a static pod's manifest: another hash is another pod.
const HASH: &str = "kubernetes.io/config.hash";
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Masters and what must run on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlaneExpected {
    /// Names of the masters' nodes.
    pub nodes: Vec<String>,
    /// Version of Kubernetes; any when absent.
    pub version: Option<KubeVersion>,
    /// The image that each component's container must have: the whole reference, by component. Where there is none,
    /// an image of the version will do.
    pub images: BTreeMap<String, String>,
    /// Hashes that the pods had before they were changed, from [`Api::static_pod_hashes`]: a pod that still has its
    /// own is the old one. Empty when nothing is being replaced.
    pub replaced: BTreeMap<String, String>,
}

/// What a master still lacks. Its text begins with the name of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlaneGap {
    /// Name of the master's node.
    pub node: String,
    /// The component.
    pub component: &'static str,
    /// What is known of its pod.
    pub pod: StaticPod,
}

/// A static pod that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaticPod {
    /// The API has never heard of it. The kubelet tells when it looks at the pod the next time with an API at hand, which
    /// is up to a minute after it has started it.
    Unreported,
    /// What is wrong with it.
    Lacking(String),
}

impl fmt::Display for ControlPlaneGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match &self.pod {
            StaticPod::Unreported => "its kubelet has not reported it yet",
            StaticPod::Lacking(why) => why,
        };
        write!(f, "{}: {}: {why}", self.node, self.component)
    }
}

impl Api {
    /// What is missing until the control plane runs as expected. One observation.
    pub async fn control_plane(&self, expected: &ControlPlaneExpected) -> Result<Vec<ControlPlaneGap>, KubeError> {
        Ok(missing(&self.static_pods().await?, expected))
    }

    /// Control-plane pods on `nodes` that have not run undisturbed for `settle`, as far as `watch` saw: each line begins
    /// with the name of the node. A pod that is ready for a moment and then ends again is not up.
    pub async fn static_pods_unsettled(
        &self,
        nodes: &[String],
        settle: Duration,
        watch: &Watch,
    ) -> Result<Vec<String>, KubeError> {
        let pods = self.static_pods().await?;
        Ok(unsettled(&pods, nodes, settle, watch, Instant::now()))
    }

    /// The hash of each control-plane pod by the pod's name, to be told from those of its successor.
    pub async fn static_pod_hashes(&self) -> Result<BTreeMap<String, String>, KubeError> {
        let hash =
            |pod: &Value| Some((pod["metadata"]["name"].as_str()?.to_owned(), annotation(pod, HASH)?.to_owned()));
        Ok(self.static_pods().await?.iter().filter_map(hash).collect())
    }

    async fn static_pods(&self) -> Result<Vec<Value>, KubeError> {
        let params = ListParams::default().labels("tier=control-plane");
        self.list("/api/v1/namespaces/kube-system/pods", "the control-plane pods", params).await
    }
}

fn annotation<'a>(pod: &'a Value, key: &str) -> Option<&'a str> {
    pod["metadata"]["annotations"][key].as_str()
}

fn missing(found: &[Value], expected: &ControlPlaneExpected) -> Vec<ControlPlaneGap> {
    let mut missing = Vec::new();
    for node in &expected.nodes {
        for component in COMPONENTS {
            let name = format!("{component}-{node}");
            let pod = match found.iter().find(|pod| pod["metadata"]["name"] == name.as_str()) {
                Some(pod) => gap(pod, component, expected, &name).map(StaticPod::Lacking),
                None => Some(StaticPod::Unreported),
            };
            missing.extend(pod.map(|pod| ControlPlaneGap { node: node.clone(), component, pod }));
        }
    }
    missing
}

fn gap(pod: &Value, component: &str, expected: &ControlPlaneExpected, name: &str) -> Option<String> {
    if annotation(pod, MIRROR).is_none() {
        return Some("the pod of that name is no static pod".to_owned());
    }
    let Some(hash) = annotation(pod, HASH) else {
        return Some("its kubelet has not said which manifest it runs".to_owned());
    };
    if expected.replaced.get(name).is_some_and(|old| old == hash) {
        return Some("it is still the old pod".to_owned());
    }
    let containers = pod["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(container) = containers.iter().find(|container| container["name"] == component) else {
        return Some(format!("it has no container {component}"));
    };
    let image = container["image"].as_str().unwrap_or_default();
    match expected.images.get(component) {
        Some(wanted) if wanted != image => Some(format!("its image is {image}, not {wanted}")),
        None => match expected.version.filter(|version| tag(image) != Some(*version)) {
            Some(version) => Some(format!("its image is {image}, not of {version}")),
            None => pods::problem(pod),
        },
        Some(_) => pods::problem(pod),
    }
}

fn unsettled(found: &[Value], nodes: &[String], settle: Duration, watch: &Watch, now: Instant) -> Vec<String> {
    let mut unsettled = Vec::new();
    for node in nodes {
        for component in COMPONENTS {
            let name = format!("{component}-{node}");
            let pod = found.iter().find(|pod| pod["metadata"]["name"] == name.as_str()).unwrap_or(&Value::Null);
            let restarts: u64 =
                pods::container_statuses(pod).filter_map(|status| status["restartCount"].as_u64()).sum();
            let instance = format!(
                "{} {restarts} {}",
                annotation(pod, HASH).unwrap_or_default(),
                if pods::is_ready(pod) { "ready" } else { "not ready" }
            );
            let seen = watch.look(&format!("Pod {name}"), &instance, now);
            if !pods::is_ready(pod) {
                unsettled.push(format!("{node}: {component}: it is not ready, after {restarts} restarts"));
            } else if seen.unchanged < settle {
                unsettled.push(format!("{node}: {component}: it has not run for {} s yet", settle.as_secs()));
            }
        }
    }
    unsettled
}

/// The version in an image's tag; the port of a registry is none.
fn tag(image: &str) -> Option<KubeVersion> {
    let name = image.split('@').next().unwrap_or(image);
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(component: &str, image: &str, hash: &str, ready: &str) -> Value {
        json!({"metadata": {"name": format!("{component}-m1"), "annotations": {HASH: hash, MIRROR: hash}},
            "spec": {"containers": [{"name": component, "image": image}]},
            "status": {"phase": "Running", "conditions":
                [{"type": "Ready", "status": ready, "message": "containers with unready status"}]}})
    }

    fn missing(found: &[Value], expected: &ControlPlaneExpected) -> Vec<String> {
        super::missing(found, expected).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_pod_must_be_there_new_of_the_version_and_ready() {
        let pods = [
            pod("kube-apiserver", "k8s.gcr.io/kube-apiserver:v1.20.2", "new", "True"),
            pod("kube-controller-manager", "registry:5000/kube-controller-manager:v1.19.0", "new", "True"),
        ];
        let mut expected = ControlPlaneExpected {
            nodes: vec!["m1".into()],
            version: Some(KubeVersion::new(1, 20, 2)),
            images: BTreeMap::new(),
            replaced: [("kube-apiserver-m1".to_owned(), "old".to_owned())].into(),
        };
        assert_eq!(
            missing(&pods, &expected),
            [
                "m1: kube-controller-manager: its image is registry:5000/kube-controller-manager:v1.19.0, not of v1.20.2",
                "m1: kube-scheduler: its kubelet has not reported it yet",
            ]
        );
        expected.replaced = [("kube-apiserver-m1".to_owned(), "new".to_owned())].into();
        assert_eq!(missing(&pods, &expected)[0], "m1: kube-apiserver: it is still the old pod");
        let unready = pod("kube-apiserver", "kube-apiserver:v1.20.2", "new", "False");
        expected.replaced.clear();
        assert_eq!(missing(&[unready], &expected)[0], "m1: kube-apiserver: containers with unready status");
    }

    #[test]
    fn a_whole_reference_is_compared_as_a_whole() {
        let pods = [pod("kube-apiserver", "registry.example/kube-apiserver:v1.20.2-deb12u1", "new", "True")];
        let wanted = |reference: &str| ControlPlaneExpected {
            nodes: vec!["m1".into()],
            version: Some(KubeVersion::new(1, 20, 2)),
            images: [("kube-apiserver".to_owned(), reference.to_owned())].into(),
            replaced: BTreeMap::new(),
        };
        let about = |reference: &str| missing(&pods, &wanted(reference)).remove(0);
        assert!(about("registry.example/kube-apiserver:v1.20.2-deb12u1").starts_with("m1: kube-controller-manager:"));
        assert_eq!(
            about("registry.example/kube-apiserver:v1.20.2"),
            "m1: kube-apiserver: its image is registry.example/kube-apiserver:v1.20.2-deb12u1, \
             not registry.example/kube-apiserver:v1.20.2"
        );
    }

    #[test]
    fn a_pod_settles_when_nothing_happens_to_it() {
        let (watch, start) = (Watch::default(), Instant::now());
        let look = |seconds: u64, restarts: u32, ready: &str| {
            let mut pods: Vec<_> = COMPONENTS.iter().map(|name| pod(name, "a", "new", "True")).collect();
            pods[0] = pod("kube-apiserver", "a", "new", ready);
            pods[0]["status"]["containerStatuses"] = json!([{"name": "kube-apiserver", "restartCount": restarts}]);
            let now = start + Duration::from_secs(seconds);
            unsettled(&pods, &["m1".to_owned()], Duration::from_secs(10), &watch, now)
        };
        let not_yet = |name: &str| format!("m1: {name}: it has not run for 10 s yet");
        assert_eq!(look(0, 0, "True"), COMPONENTS.map(not_yet));
        assert_eq!(
            look(8, 1, "False"),
            [
                "m1: kube-apiserver: it is not ready, after 1 restarts".to_owned(),
                not_yet(COMPONENTS[1]),
                not_yet(COMPONENTS[2])
            ]
        );
        assert_eq!(look(12, 1, "True"), [not_yet("kube-apiserver")]);
        // It ended and came back between two looks.
        assert_eq!(look(22, 2, "True"), [not_yet("kube-apiserver")]);
        assert_eq!(look(32, 2, "True"), Vec::<String>::new());
    }

    #[test]
    fn a_registrys_port_is_no_tag() {
        assert_eq!(tag("registry:5000/kube-apiserver"), None);
        assert_eq!(tag("kube-apiserver:v1.20.2-1@sha256:abc"), Some(KubeVersion::new(1, 20, 2)));
    }
}
