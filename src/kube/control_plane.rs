//! The gate that the control plane runs: on each master its three static pods, new ones, of the version wanted.

use std::collections::BTreeMap;

use ::kube::api::ListParams;
use serde_json::Value;

use super::api::Api;
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
    /// Version of Kubernetes.
    pub version: KubeVersion,
    /// Hashes that the pods had before they were changed, from [`Api::static_pod_hashes`]: a pod that still has its
    /// own is the old one. Empty when nothing is being replaced.
    pub replaced: BTreeMap<String, String>,
}

impl Api {
    /// What is missing until the control plane runs as expected. One observation.
    pub async fn control_plane(&self, expected: &ControlPlaneExpected) -> Result<Vec<String>, KubeError> {
        Ok(missing(&self.static_pods().await?, expected))
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

fn missing(found: &[Value], expected: &ControlPlaneExpected) -> Vec<String> {
    let mut missing = Vec::new();
    for node in &expected.nodes {
        for component in COMPONENTS {
            let name = format!("{component}-{node}");
            let gap = match found.iter().find(|pod| pod["metadata"]["name"] == name.as_str()) {
                Some(pod) => gap(pod, component, expected.version, expected.replaced.get(&name)),
                None => Some("its kubelet has not reported it yet".to_owned()),
            };
            missing.extend(gap.map(|gap| format!("{component} on {node}: {gap}")));
        }
    }
    missing
}

fn gap(pod: &Value, component: &str, version: KubeVersion, replaced: Option<&String>) -> Option<String> {
    if annotation(pod, MIRROR).is_none() {
        return Some("the pod of that name is no static pod".to_owned());
    }
    let Some(hash) = annotation(pod, HASH) else {
        return Some("its kubelet has not said which manifest it runs".to_owned());
    };
    if replaced.is_some_and(|old| old == hash) {
        return Some("it is still the old pod".to_owned());
    }
    let containers = pod["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(container) = containers.iter().find(|container| container["name"] == component) else {
        return Some(format!("it has no container {component}"));
    };
    let image = container["image"].as_str().unwrap_or_default();
    if tag(image) != Some(version) {
        return Some(format!("its image is {image}, not of {version}"));
    }
    pods::problem(pod)
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

    #[test]
    fn every_pod_must_be_there_new_of_the_version_and_ready() {
        let pods = [
            pod("kube-apiserver", "k8s.gcr.io/kube-apiserver:v1.20.2", "new", "True"),
            pod("kube-controller-manager", "registry:5000/kube-controller-manager:v1.19.0", "new", "True"),
        ];
        let mut expected = ControlPlaneExpected {
            nodes: vec!["m1".into()],
            version: KubeVersion::new(1, 20, 2),
            replaced: [("kube-apiserver-m1".to_owned(), "old".to_owned())].into(),
        };
        assert_eq!(
            missing(&pods, &expected),
            [
                "kube-controller-manager on m1: its image is registry:5000/kube-controller-manager:v1.19.0, not of v1.20.2",
                "kube-scheduler on m1: its kubelet has not reported it yet",
            ]
        );
        expected.replaced = [("kube-apiserver-m1".to_owned(), "new".to_owned())].into();
        assert_eq!(missing(&pods, &expected)[0], "kube-apiserver on m1: it is still the old pod");
        let unready = pod("kube-apiserver", "kube-apiserver:v1.20.2", "new", "False");
        expected.replaced.clear();
        assert_eq!(missing(&[unready], &expected)[0], "kube-apiserver on m1: containers with unready status");
    }

    #[test]
    fn a_registrys_port_is_no_tag() {
        assert_eq!(tag("registry:5000/kube-apiserver"), None);
        assert_eq!(tag("kube-apiserver:v1.20.2-1@sha256:abc"), Some(KubeVersion::new(1, 20, 2)));
    }
}
