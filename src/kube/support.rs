//! What a helper needs to see of a cluster's objects: only the fields that tell how it is, and never a Secret, an
//! annotation, a variable or an argument, which may hold one.

use ::kube::api::ListParams;
use serde_json::{Map, Value, json};

use super::KubeError;
use super::api::Api;

/// A list, and what stays of each of its objects.
#[derive(Debug, Clone, Copy)]
pub struct Glance {
    /// What it is called.
    pub name: &'static str,
    path: &'static str,
    keep: fn(&mut Value) -> Option<Value>,
}

/// Every list that is looked at.
pub const GLANCES: &[Glance] = &[
    Glance { name: "nodes", path: "/api/v1/nodes", keep: node },
    Glance { name: "pods", path: "/api/v1/pods", keep: pod },
    Glance { name: "events", path: "/api/v1/events", keep: event },
    Glance { name: "daemonsets", path: "/apis/apps/v1/daemonsets", keep: workload },
    Glance { name: "deployments", path: "/apis/apps/v1/deployments", keep: workload },
    Glance { name: "configmaps", path: "/api/v1/namespaces/kube-system/configmaps", keep: config_map },
];

/// ConfigMaps in kube-system whose data are shown: those of kubewright's own components. Others may hold anything.
const CONFIG_MAPS: &[&str] = &["coredns", "node-local-dns", "kube-proxy", "dns-autoscaler", "calico-config"];
/// Objects of a list beyond this are counted, and not shown.
const MOST: usize = 5000;

impl Api {
    /// What a list tells, as one document.
    pub async fn glance(&self, glance: &Glance) -> Result<Value, KubeError> {
        let (mut kept, mut left_out) = (Vec::new(), 0_usize);
        let object = format!("the {}", glance.name);
        self.list_pages(glance.path, &object, ListParams::default(), &mut |page| {
            for mut item in page {
                match (glance.keep)(&mut item) {
                    Some(item) if kept.len() < MOST => kept.push(item),
                    _ => left_out += 1,
                }
            }
        })
        .await?;
        Ok(json!({ "items": kept, "leftOut": left_out }))
    }
}

/// The fields of an object, each by its path; what is not there is left out.
fn fields(object: &mut Value, paths: &[&str]) -> Value {
    let mut kept = Value::Object(Map::new());
    for path in paths {
        let Some(found) = object.pointer_mut(path).map(Value::take).filter(|found| !found.is_null()) else { continue };
        let mut place = &mut kept;
        for key in path.trim_start_matches('/').split('/') {
            place = &mut place[key];
        }
        *place = found;
    }
    kept
}

const NAMES: [&str; 5] = [
    "/metadata/namespace",
    "/metadata/name",
    "/metadata/uid",
    "/metadata/creationTimestamp",
    "/metadata/deletionTimestamp",
];

fn with_names(object: &mut Value, paths: &[&str]) -> Value {
    fields(object, &[&NAMES, paths].concat())
}

fn node(node: &mut Value) -> Option<Value> {
    let own = ["/metadata/labels", "/spec/taints", "/spec/unschedulable", "/spec/podCIDR", "/status/conditions"];
    let status = ["/status/addresses", "/status/capacity", "/status/allocatable", "/status/nodeInfo"];
    Some(with_names(node, &[&own[..], &status].concat()))
}

/// Pods of the cluster itself, and others that are not well.
fn pod(pod: &mut Value) -> Option<Value> {
    let ours = pod["metadata"]["namespace"] == "kube-system";
    let ready = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = ready.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
    let well = ready || pod["status"]["phase"] == "Succeeded";
    if well && !ours && pod["metadata"]["deletionTimestamp"].is_null() {
        return None;
    }
    let images: Vec<Value> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| json!({ "name": c["name"], "image": c["image"] }))
        .collect();
    let status = ["/spec/nodeName", "/spec/priorityClassName", "/metadata/ownerReferences", "/status"];
    let mut kept = with_names(pod, &status);
    kept["spec"]["containers"] = images.into();
    Some(kept)
}

fn event(event: &mut Value) -> Option<Value> {
    let told = ["/type", "/reason", "/message", "/count", "/firstTimestamp", "/lastTimestamp", "/eventTime"];
    let about = ["/involvedObject/kind", "/involvedObject/namespace", "/involvedObject/name", "/source"];
    Some(with_names(event, &[&told[..], &about].concat()))
}

fn workload(workload: &mut Value) -> Option<Value> {
    Some(with_names(workload, &["/metadata/generation", "/spec/replicas", "/spec/updateStrategy", "/status"]))
}

fn config_map(map: &mut Value) -> Option<Value> {
    let ours = map["metadata"]["name"].as_str().is_some_and(|name| CONFIG_MAPS.contains(&name));
    Some(with_names(map, if ours { &["/data"] } else { &[] }))
}

#[cfg(test)]
mod tests {
    use super::super::scripted::Scripted;
    use super::*;

    async fn glance(name: &str, items: Value) -> Value {
        let glance = GLANCES.iter().find(|glance| glance.name == name).unwrap();
        let request = format!("GET {}?&limit=500", glance.path);
        let server = Scripted::new([(request.as_str(), 200, json!({ "items": items }))]);
        let answer = server.api().glance(glance).await.unwrap();
        server.done();
        answer
    }

    #[tokio::test]
    async fn of_pods_only_what_tells_how_they_are_is_kept() {
        let pod = |namespace: &str, ready: &str| {
            json!({
                "metadata": { "namespace": namespace, "name": "a", "annotations": { "x": "hunter2" } },
                "spec": { "nodeName": "n1", "containers": [{ "name": "c", "image": "i", "env": [{ "value": "hunter2" }],
                    "args": ["--x=hunter2"] }] },
                "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": ready }] },
            })
        };
        let answer =
            glance("pods", json!([pod("kube-system", "True"), pod("shop", "True"), pod("shop", "False")])).await;
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
        assert_eq!((answer["items"].as_array().unwrap().len(), &answer["leftOut"]), (2, &json!(1)));
        assert_eq!(
            answer["items"][0]["spec"],
            json!({ "nodeName": "n1", "containers": [{ "name": "c", "image": "i" }] })
        );
    }

    #[tokio::test]
    async fn the_data_of_configmaps_are_shown_of_our_own_alone() {
        let map = |name: &str| json!({ "metadata": { "name": name }, "data": { "x": name } });
        let answer = glance("configmaps", json!([map("coredns"), map("aws-auth")])).await;
        assert_eq!(answer["items"][0]["data"]["x"], "coredns");
        assert_eq!(answer["items"][1], json!({ "metadata": { "name": "aws-auth" } }));
    }

    #[tokio::test]
    async fn events_and_nodes_keep_what_they_say() {
        let event =
            json!({ "metadata": { "name": "e" }, "message": "m", "involvedObject": { "kind": "Pod", "uid": "u" } });
        let answer = glance("events", json!([event])).await;
        let expected = json!({ "metadata": { "name": "e" }, "message": "m", "involvedObject": { "kind": "Pod" } });
        assert_eq!(answer["items"][0], expected);
        let node =
            json!({ "metadata": { "name": "n1", "labels": { "a": "b" } }, "spec": {}, "status": { "images": [1] } });
        let answer = glance("nodes", json!([node])).await;
        assert_eq!(answer["items"][0], json!({ "metadata": { "name": "n1", "labels": { "a": "b" } } }));
    }

    #[test]
    fn no_list_is_one_of_secrets() {
        assert!(GLANCES.iter().all(|glance| !glance.path.contains("secret")));
    }
}
