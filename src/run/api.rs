//! The cluster's API as a run uses it: found through whichever master answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;

use super::failure::HostFailure;
use super::fleet::Fleet;
use super::survey::Survey;
use super::wait::Wait;
use crate::cluster::{Cluster, Endpoint, Host, KubeVersion, Role};
use crate::desired;
use crate::host::protocol::{Action, Change};
use crate::kube::{
    self, Api, ControlPlaneExpected, ControlPlaneGap, KubeError, NodeMarks, NodeView, NodesExpected, ObjectChange,
    Pruning,
};
use crate::pki::Keys;
use crate::remote::Tunnel;
use crate::report::{Event, Events};

/// How long nodes may take to register once their kubelets run.
const REGISTRATION: Duration = Duration::from_secs(180);

/// A way to the API, opened when it is first needed and anew after it failed.
pub(super) struct ApiAccess<'a> {
    cluster: &'a Cluster,
    fleet: &'a Fleet,
    keys: &'a Keys,
    open: Mutex<Option<Arc<OpenApi>>>,
}

struct OpenApi {
    api: Api,
    /// Ends with the access.
    _tunnel: Tunnel,
}

impl<'a> ApiAccess<'a> {
    /// Access through the masters of `fleet`; nothing is dialled yet.
    pub(super) fn new(cluster: &'a Cluster, fleet: &'a Fleet, keys: &'a Keys) -> Self {
        Self { cluster, fleet, keys, open: Mutex::default() }
    }

    /// The API through the first master that answers; the error says why each did not.
    async fn api(&self) -> Result<Arc<OpenApi>, String> {
        let mut open = self.open.lock().await;
        if let Some(open) = &*open {
            return Ok(open.clone());
        }
        let mut reasons = Vec::new();
        for host in self.cluster.with_role(Role::ControlPlane) {
            match self.through(host).await {
                Ok(found) => return Ok(open.insert(Arc::new(found)).clone()),
                Err(reason) => reasons.push(format!("{}: {reason}", host.name)),
            }
        }
        Err(reasons.join("; "))
    }

    /// Requests to `host`'s own API server for what `target` no longer serves.
    pub(super) async fn deprecated_apis(&self, host: &Host, target: KubeVersion) -> Result<Vec<kube::Finding>, String> {
        let own = self.through(host).await?;
        own.api.deprecated_apis_requested(target).await.map_err(|error| error.to_string())
    }

    async fn through(&self, host: &Host) -> Result<OpenApi, String> {
        let member = self.fleet.member(&host.name).ok_or("not connected")?;
        let address = host.address.to_string();
        let tunnel = Tunnel::open(member.connection.clone(), &address, Endpoint::APISERVER_PORT).await;
        let tunnel = tunnel.map_err(|error| error.to_string())?;
        let Keys { ca, admin, .. } = self.keys;
        let api = Api::connect(tunnel.local_address, "kubernetes", ca, &admin.certificate, &admin.key).await;
        Ok(OpenApi { api: api.map_err(|error| error.to_string())?, _tunnel: tunnel })
    }

    /// Runs one call; when it fails the way is forgotten, so that the next call looks for a living master.
    pub(super) async fn call<T>(
        &self,
        what: &str,
        work: impl AsyncFn(&Api) -> Result<T, KubeError>,
    ) -> Result<T, Vec<HostFailure>> {
        let failure = |why: String| vec![HostFailure::cluster(what, why)];
        let open = self.api().await.map_err(failure)?;
        match work(&open.api).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                *self.open.lock().await = None;
                Err(failure(error.to_string()))
            }
        }
    }

    /// What `install` would change at the API, and what of add-ons it would leave. Where no cluster lives yet, that is
    /// everything.
    pub(super) async fn pending(
        &self,
        survey: &Survey,
        pruning: Pruning,
    ) -> Result<(Vec<Change>, Vec<String>), Vec<HostFailure>> {
        if !survey.cluster_exists() {
            return Ok((everything(survey), Vec::new()));
        }
        let marks = marks(&survey.nodes);
        let objects: Vec<Value> = survey.objects.iter().cloned().chain(peering_objects(survey)).collect();
        let peering = match &survey.peering {
            Some(peering) => self.pending_peering(peering).await?,
            None => Vec::new(),
        };
        let changes = self
            .call("compare the API with the inventory", async |api| {
                let (objects, nodes) = futures::join!(api.diff(&objects), api.diff_nodes(&marks));
                Ok([objects?, nodes?].concat())
            })
            .await?;
        let (addons, left) = self.pending_addons(&survey.addons, pruning).await?;
        let checks = self.call("look for what a check has left", async |api| api.probe_pods_left().await).await?;
        Ok((changes.iter().chain(&checks).map(change).chain(peering).chain(addons).collect(), left))
    }

    /// Removes what a check of the network has left that was killed; whoever calls has the lock, so none is at work.
    pub(super) async fn remove_left_checks(&self, stage: &str, events: &Events) -> Result<usize, Vec<HostFailure>> {
        let left = self
            .call("remove what a check has left", async |api| {
                let left = api.probe_pods_left().await?;
                if !left.is_empty() {
                    api.probe_pods_remove().await?;
                }
                Ok(left)
            })
            .await?;
        Ok(tell(&left, stage, events))
    }

    /// Applies the cluster's objects; those that are right already are not written.
    pub(super) async fn apply_objects(
        &self,
        objects: &[Value],
        stage: &str,
        events: &Events,
    ) -> Result<usize, Vec<HostFailure>> {
        let changes = self.call("apply the cluster's objects", async |api| api.apply(objects).await).await?;
        Ok(tell(&changes, stage, events))
    }

    /// Applies those of the cluster's objects that say who may do what, before anything of the new version asks.
    pub(super) async fn apply_access(
        &self,
        objects: &[Value],
        stage: &str,
        events: &Events,
    ) -> Result<usize, Vec<HostFailure>> {
        let access: Vec<Value> = objects.iter().filter(|object| kube::is_rbac(object)).cloned().collect();
        self.apply_objects(&access, stage, events).await
    }

    /// Brings labels, taints and pod networks to nodes, once all of them have registered.
    pub(super) async fn apply_nodes(
        &self,
        nodes: &[desired::NodeMarks],
        stage: &str,
        events: &Events,
    ) -> Result<usize, Vec<HostFailure>> {
        let wait = Wait {
            stage,
            what: "nodes to register",
            limit: REGISTRATION,
            hint: "on the nodes named: journalctl -u kubelet; then run the same command again",
            fleet: self.fleet,
            events,
        };
        wait.until(async || {
            let known: BTreeSet<String> = self.nodes().await?.into_iter().map(|node| node.name).collect();
            let names = nodes.iter().map(|node| node.name.to_string());
            Ok(names.filter(|name| !known.contains(name)).map(|name| format!("{name}: no such node")).collect())
        })
        .await?;
        let marks = marks(nodes);
        let changes = self.call("label nodes", async |api| api.apply_nodes(&marks).await).await?;
        Ok(tell(&changes, stage, events))
    }

    /// Every node that the API knows.
    pub(super) async fn nodes(&self) -> Result<Vec<NodeView>, Vec<HostFailure>> {
        self.call("list nodes", async |api| api.nodes().await).await
    }

    /// Nodes that are missing or not Ready.
    pub(super) async fn nodes_missing(&self) -> Vec<String> {
        let nodes = self.cluster.hosts.iter().filter(|host| host.roles.is_node());
        let expected = NodesExpected { names: nodes.map(|host| host.name.to_string()).collect(), version: None };
        flat(self.call("look at nodes", async |api| api.readiness(&expected).await).await)
    }

    /// Names of the nodes of the inventory.
    pub(super) fn node_names(&self) -> Vec<&str> {
        let nodes = self.cluster.hosts.iter().filter(|host| host.roles.is_node());
        nodes.map(|host| host.name.as_str()).collect()
    }

    /// DaemonSets and Deployments among `objects` that are not rolled out.
    pub(super) async fn workloads_missing(&self, objects: &[Value]) -> Vec<String> {
        let nodes = self.node_names();
        flat(self.call("look at add-ons", async |api| api.workloads_missing(objects, &nodes).await).await)
    }

    /// Control-plane pods on `masters` that do not run from `images` (by component), or are still the ones in
    /// `replaced`.
    pub(super) async fn control_plane(
        &self,
        masters: &[&Host],
        images: BTreeMap<String, String>,
        replaced: BTreeMap<String, String>,
    ) -> Result<Vec<ControlPlaneGap>, Vec<HostFailure>> {
        let nodes = masters.iter().map(|host| host.name.to_string()).collect();
        let expected = ControlPlaneExpected { nodes, version: None, images, replaced };
        self.call("look at the control plane", async |api| api.control_plane(&expected).await).await
    }

    /// The hashes of the static pods that are about to be changed, by pod; none where no API answers.
    pub(super) async fn pods_to_replace(&self, survey: &Survey) -> BTreeMap<String, String> {
        let changing = survey.changing_static_pods();
        if changing.is_empty() || !survey.cluster_exists() {
            return BTreeMap::new();
        }
        let hashes = self.call("look at the control plane", async |api| api.static_pod_hashes().await).await;
        hashes.unwrap_or_default().into_iter().filter(|(pod, _)| changing.contains(pod)).collect()
    }
}

fn flat(result: Result<Vec<String>, Vec<HostFailure>>) -> Vec<String> {
    result.unwrap_or_else(|failures| failures.iter().map(ToString::to_string).collect())
}

fn marks(nodes: &[desired::NodeMarks]) -> Vec<NodeMarks> {
    nodes
        .iter()
        .map(|node| NodeMarks {
            name: node.name.to_string(),
            labels: node.labels.clone(),
            taints: node.taints.clone(),
            pod_cidr: node.pod_cidr,
        })
        .collect()
}

pub(super) fn tell(changes: &[ObjectChange], stage: &str, events: &Events) -> usize {
    for done in changes {
        events.send(Event::Changed { stage: stage.into(), host: "api".into(), change: change(done) });
    }
    changes.len()
}

pub(super) fn change(change: &ObjectChange) -> Change {
    let action = match change.action {
        kube::Action::Create => Action::Create,
        kube::Action::Update => Action::Update,
        kube::Action::Remove => Action::Remove,
    };
    Change { resource: change.summary.clone(), action, summary: String::new(), diff: change.diff.clone() }
}

/// The objects of BGP, whatever the order in which they come.
fn peering_objects(survey: &Survey) -> Vec<Value> {
    let Some(peering) = &survey.peering else { return Vec::new() };
    let peers = peering.peers.iter().flat_map(|group| &group.peers);
    peering.first.iter().chain([&peering.configuration]).chain(peers).cloned().collect()
}

/// Before there is an API, every object and mark is still to be made.
fn everything(survey: &Survey) -> Vec<Change> {
    let create = |resource| Change { resource, action: Action::Create, summary: String::new(), diff: None };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let addons = survey.addons.iter().flatten().flat_map(|addon| &addon.objects);
    let peering = peering_objects(survey);
    let objects = survey.objects.iter().chain(&peering).chain(addons).map(|object| {
        let (namespace, name) = (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        let slash = if namespace.is_empty() { "" } else { "/" };
        create(format!("{} {namespace}{slash}{name}", text(&object["kind"])))
    });
    let nodes = survey.nodes.iter().map(|node| create(format!("labels and taints of node {}", node.name)));
    objects.chain(nodes).collect()
}
