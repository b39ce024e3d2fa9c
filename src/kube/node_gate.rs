//! The gate that a node is back after its kubelet was replaced: the new kubelet reports it Ready, goes on reporting,
//! and the daemons that every node needs run on it.

use serde_json::Value;

use super::api::Api;
use super::leases::NODE_LIMIT;
use super::watch::Watch;
use super::{KubeError, nodes, pods};

/// What a node must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeExpected {
    /// The whole version that its kubelet must report, as the component `kubelet` of the cluster image has it. A build
    /// suffix counts (`v1.20.2+deb12u1` is not `v1.20.2`), a leading `v` does not. Any when absent.
    pub kubelet: Option<String>,
    /// DaemonSets of which a pod must be ready on it, as `namespace/name`: kube-proxy and the network's.
    pub daemon_sets: Vec<String>,
}

impl Api {
    /// What is missing until `node` is as expected; each line begins with its name. One observation of several: that
    /// its kubelet lives is known when it renews the node's lease, which takes up to ten seconds.
    pub async fn node_missing(
        &self,
        node: &str,
        expected: &NodeExpected,
        watch: &Watch,
    ) -> Result<Vec<String>, KubeError> {
        let live = match self.read_node(node).await {
            Ok(live) => live,
            Err(error) if error.is_not_found() => return Ok(vec![format!("{node}: it has not registered")]),
            Err(error) => return Err(error),
        };
        let mut missing = gaps(&live, expected);
        let lease = self.lease_missing("kube-node-lease", node, NODE_LIMIT, watch).await?;
        missing.extend(lease.map(|gap| gap.text));
        if !expected.daemon_sets.is_empty() {
            let pods = self.pods_on(node).await?;
            missing.extend(expected.daemon_sets.iter().filter_map(|daemon_set| daemon_gap(&pods, daemon_set)));
        }
        Ok(missing.into_iter().map(|line| format!("{node}: {line}")).collect())
    }
}

/// What the node lacks by its own account.
fn gaps(node: &Value, expected: &NodeExpected) -> Vec<String> {
    let view = nodes::view(node);
    let mut gaps = Vec::new();
    if let Some(wanted) = &expected.kubelet
        && plain(wanted) != plain(&view.kubelet)
    {
        gaps.push(match view.kubelet.as_str() {
            "" => format!("its kubelet has not reported its version, {wanted} is wanted"),
            found => format!("its kubelet is {found}, {wanted} is wanted"),
        });
    }
    if !view.ready {
        gaps.push(format!("it is not Ready: {}", view.reasons.join("; ")));
    }
    gaps
}

fn plain(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

fn daemon_gap(pods: &[Value], daemon_set: &str) -> Option<String> {
    let (namespace, name) = daemon_set.split_once('/').unwrap_or(("kube-system", daemon_set));
    let is_its = |pod: &&Value| {
        pod["metadata"]["namespace"] == namespace
            && pods::controller(pod).is_some_and(|owner| owner["kind"] == "DaemonSet" && owner["name"] == name)
    };
    // While it is replaced, the old one may still be listed.
    let Some(pod) = pods.iter().filter(is_its).find(|pod| !pods::is_ending(pod)) else {
        return Some(format!("no pod of DaemonSet {namespace}/{name} is on it"));
    };
    Some(format!("pod {}: {}", pods::name(pod), pods::problem(pod)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scripted::{Scripted, not_found};
    use super::*;

    fn node(version: &str, ready: &str) -> Value {
        json!({"metadata": {"name": "n1"}, "status": {"nodeInfo": {"kubeletVersion": version}, "conditions":
            [{"type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": "no network"}]}})
    }

    #[test]
    fn the_whole_version_counts() {
        let gaps = |found: &str, wanted: &str| {
            gaps(&node(found, "True"), &NodeExpected { kubelet: Some(wanted.into()), daemon_sets: Vec::new() })
        };
        assert!(gaps("v1.20.2+deb12u1", "v1.20.2+deb12u1").is_empty());
        assert!(gaps("v1.36.4", "1.36.4").is_empty());
        assert_eq!(gaps("v1.20.2", "v1.20.2+deb12u1"), ["its kubelet is v1.20.2, v1.20.2+deb12u1 is wanted"]);
        assert_eq!(gaps("v1.20.2+deb12u1", "v1.20.2"), ["its kubelet is v1.20.2+deb12u1, v1.20.2 is wanted"]);
        assert_eq!(gaps("", "v1.20.2"), ["its kubelet has not reported its version, v1.20.2 is wanted"]);
    }

    #[tokio::test]
    async fn everything_that_is_missing_is_told() {
        let node_path = "GET /api/v1/nodes/n1";
        let lease_path = "GET /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1";
        let pods_path = "GET /api/v1/pods?&fieldSelector=spec.nodeName%3Dn1&limit=500";
        let lease = |renewed: &str| json!({"spec": {"holderIdentity": "n1", "renewTime": renewed}});
        let pod = |name: &str, status: &str, deleted: Option<&str>| {
            json!({"metadata": {"name": format!("{name}-{status}"), "namespace": "kube-system",
                    "deletionTimestamp": deleted,
                    "ownerReferences": [{"kind": "DaemonSet", "name": name, "controller": true}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": status, "message": "starts"}]}})
        };
        let list = |pods: &[Value]| json!({"metadata": {}, "items": pods});
        let server = Scripted::new([
            (node_path, 404, not_found("n1")),
            (node_path, 200, node("v1.36.3", "False")),
            (lease_path, 404, not_found("n1")),
            (pods_path, 200, list(&[pod("kube-proxy", "True", Some("t"))])),
            (node_path, 200, node("v1.36.4", "True")),
            (lease_path, 200, lease("1")),
            (pods_path, 200, list(&[pod("kube-proxy", "True", Some("t")), pod("kube-proxy", "False", None)])),
            (node_path, 200, node("v1.36.4", "True")),
            (lease_path, 200, lease("2")),
            (pods_path, 200, list(&[pod("kube-proxy", "True", None)])),
        ]);
        let expected =
            NodeExpected { kubelet: Some("v1.36.4".into()), daemon_sets: vec!["kube-system/kube-proxy".into()] };
        let (api, watch) = (server.api(), Watch::default());
        let mut looks = Vec::new();
        for _ in 0..4 {
            looks.push(api.node_missing("n1", &expected, &watch).await.unwrap().join("\n"));
        }
        server.done();
        insta::assert_snapshot!(looks.join("\n--\n"), @r"
        n1: it has not registered
        --
        n1: its kubelet is v1.36.3, v1.36.4 is wanted
        n1: it is not Ready: KubeletNotReady: no network
        n1: it has no lease yet
        n1: no pod of DaemonSet kube-system/kube-proxy is on it
        --
        n1: its lease has not been renewed since we look
        n1: pod kube-system/kube-proxy-False: starts
        --
        ");
    }
}
