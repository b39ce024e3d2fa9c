//! A cluster that another tool has made, as far as an inventory can be made of it. Everything is read, nothing changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use thiserror::Error;

use super::operation::Operation;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What kubeadm leaves in kube-system; the kubelet's had the version in its name up to 1.23.
const CONFIG_MAPS: [&str; 4] = ["kubeadm-config", "kube-proxy", "kubelet-config", "coredns"];

/// Lists, and what is in them. What is not of Kubernetes itself may be missing.
const LISTS: [(&str, &str, Presence); 5] = [
    ("/api/v1/nodes", "Node", Presence::Sure),
    ("/apis/apps/v1/daemonsets", "DaemonSet", Presence::Sure),
    ("/apis/crd.projectcalico.org/v1/ippools", "IPPool", Presence::Possible),
    ("/apis/crd.projectcalico.org/v1/bgppeers", "BGPPeer", Presence::Possible),
    ("/apis/crd.projectcalico.org/v1/bgpconfigurations", "BGPConfiguration", Presence::Possible),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Sure,
    Possible,
}

/// Why a cluster could not be read.
#[derive(Debug, Error)]
pub enum ForeignError {
    /// There is no kubeconfig that can be used.
    #[error("cannot use the kubeconfig{}: {message}; name one with --from kubeadm:FILE", at(.path.as_deref()))]
    Kubeconfig {
        /// Its path; none where the environment names it.
        path: Option<PathBuf>,
        /// Why.
        message: String,
    },
    /// The server did not answer, or not with what was asked for.
    #[error("cannot read {object}: {message}; the kubeconfig's user must be allowed to, as an administrator is")]
    Answer {
        /// What was to be read.
        object: String,
        /// What came back.
        message: String,
    },
}

fn at(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!(" {}", path.display()))
}

/// The documents of a cluster, each with its kind: those of `kubeconfig`, or of the one that kubectl would take.
pub async fn documents(kubeconfig: Option<&Path>) -> Result<Vec<Value>, ForeignError> {
    read(&client(kubeconfig).await?).await
}

async fn client(path: Option<&Path>) -> Result<::kube::Client, ForeignError> {
    let refuse = |message: String| ForeignError::Kubeconfig { path: path.map(Path::to_owned), message };
    let file = path.map_or_else(Kubeconfig::read, Kubeconfig::read_from).map_err(|error| refuse(error.to_string()))?;
    let config = ::kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|error| refuse(error.to_string()))?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    ::kube::Client::try_from(config).map_err(|error| refuse(error.to_string()))
}

async fn read(client: &::kube::Client) -> Result<Vec<Value>, ForeignError> {
    let maps = list(client, "/api/v1/namespaces/kube-system/configmaps", "ConfigMap", Presence::Sure).await?;
    let wanted = |map: &Value| {
        let name = map["metadata"]["name"].as_str().unwrap_or_default();
        CONFIG_MAPS.iter().any(|wanted| name == *wanted || name.starts_with(&format!("{wanted}-1.")))
    };
    let mut documents: Vec<Value> = maps.into_iter().filter(wanted).collect();
    for (path, kind, presence) in LISTS {
        documents.extend(list(client, path, kind, presence).await?);
    }
    for node in documents.iter_mut().filter(|document| document["kind"] == "Node") {
        // The images and volumes of a node are most of it.
        let status = node["status"].take();
        node["status"] = serde_json::json!({"addresses": status["addresses"], "nodeInfo": status["nodeInfo"]});
    }
    Ok(documents)
}

async fn list(client: &::kube::Client, path: &str, kind: &str, presence: Presence) -> Result<Vec<Value>, ForeignError> {
    let object = format!("{kind}s at {path}");
    let answer = |message: String| ForeignError::Answer { object: object.clone(), message };
    let text = match Operation::Document.send(client, path).await {
        Ok(text) => text,
        Err(::kube::Error::Api(status)) if status.code == 404 && presence == Presence::Possible => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(answer(error.to_string())),
    };
    let mut list: Value = serde_json::from_str(&text).map_err(|error| answer(error.to_string()))?;
    let Value::Array(mut items) = list["items"].take() else { return Err(answer("there are no items in it".into())) };
    // The objects of a list do not say their kind.
    items.iter_mut().filter(|item| item.is_object()).for_each(|item| item["kind"] = Value::from(kind));
    Ok(items)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scripted::Scripted;
    use super::*;

    fn steps(nodes: u16) -> Vec<(&'static str, u16, Value)> {
        let maps = json!({"items": [
            {"metadata": {"name": "kubeadm-config"}}, {"metadata": {"name": "kubelet-config-1.23"}},
            {"metadata": {"name": "kube-root-ca.crt"}},
        ]});
        let node = json!({"metadata": {"name": "m1"}, "status": {"addresses": [], "images": [1], "nodeInfo": {}}});
        vec![
            ("GET /api/v1/namespaces/kube-system/configmaps?", 200, maps),
            ("GET /api/v1/nodes?", nodes, json!({"items": [node], "message": "no", "code": nodes})),
            ("GET /apis/apps/v1/daemonsets?", 200, json!({"items": []})),
            ("GET /apis/crd.projectcalico.org/v1/ippools?", 404, json!({"kind": "Status", "code": 404})),
            ("GET /apis/crd.projectcalico.org/v1/bgppeers?", 404, json!({"kind": "Status", "code": 404})),
            ("GET /apis/crd.projectcalico.org/v1/bgpconfigurations?", 404, json!({"kind": "Status", "code": 404})),
        ]
    }

    #[tokio::test]
    async fn only_what_is_needed_is_kept() {
        let server = Scripted::new(steps(200));
        let documents = read(&server.client()).await.unwrap();
        let found: Vec<(&str, &str)> = documents
            .iter()
            .map(|document| (document["kind"].as_str().unwrap(), document["metadata"]["name"].as_str().unwrap()))
            .collect();
        assert_eq!(found, [("ConfigMap", "kubeadm-config"), ("ConfigMap", "kubelet-config-1.23"), ("Node", "m1")]);
        assert_eq!(documents[2]["status"], json!({"addresses": [], "nodeInfo": {}}));
    }

    #[tokio::test]
    async fn what_must_be_there_is_named() {
        let server = Scripted::new(steps(403).into_iter().take(2));
        let error = read(&server.client()).await.unwrap_err().to_string();
        assert!(error.contains("Nodes at /api/v1/nodes"), "{error}");
    }
}
