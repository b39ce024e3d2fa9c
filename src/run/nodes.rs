//! What a run that goes from node to node asks of the API.

use std::time::{Duration, Instant};

use super::api::ApiAccess;
use super::failure::HostFailure;
use crate::cluster::{Drain, Evictable, HostName, Network};
use crate::host::protocol::Failure;
use crate::kube::{Api, Canary, DrainOptions, EmptyDirs, GracePeriod, KubeError, NodeExpected, UnmanagedPods, Watch};
use crate::report::{Event, Events};

/// Time between two rounds of evictions.
const ROUND: Duration = Duration::from_secs(2);
/// DaemonSets without whose pods a node is no node.
const DAEMON_SETS: &[&str] = &["kube-system/kube-proxy"];
/// Where the API itself is served in the cluster.
const HTTPS: u16 = 443;
/// How long static pods that were put back must run undisturbed.
const SETTLE: Duration = Duration::from_secs(10);

impl ApiAccess<'_> {
    /// Cordons a node and evicts what can run elsewhere, until nothing is left. What holds pods back is told while it
    /// goes on, and in the failure.
    pub(super) async fn drain(
        &self,
        node: &HostName,
        why: &str,
        how: &Drain,
        stage: &str,
        events: &Events,
    ) -> Result<(), Failure> {
        let options = options(how);
        let deadline = Instant::now() + how.timeout;
        let mut cordoned = false;
        loop {
            // A master that is just restarting may have been asked: that is no reason to give up.
            let left = if cordoned {
                match self.call("drain", async |api| api.drain_round(node.as_str(), &options).await).await {
                    Ok(left) if left.is_empty() => return Ok(()),
                    Ok(left) => left.iter().map(ToString::to_string).collect(),
                    Err(failures) => lines(&failures),
                }
            } else {
                let start = async |api: &Api| match api.drain_start(node.as_str(), why, &options).await {
                    Err(error @ KubeError::Undrainable { .. }) => Ok(Err(error)),
                    other => other.map(Ok),
                };
                match self.call("cordon", start).await {
                    Ok(Ok(_)) => {
                        cordoned = true;
                        continue;
                    }
                    Ok(Err(refused)) => return Err(failure(node, refused.to_string())),
                    Err(failures) => lines(&failures),
                }
            };
            if Instant::now() >= deadline {
                let why = format!("not empty within {} s: {}", how.timeout.as_secs(), left.join("; "));
                return Err(failure(node, why));
            }
            let gate = format!("{node} to be empty");
            events.send(Event::Waiting { stage: stage.into(), gate, missing: left });
            tokio::time::sleep(ROUND).await;
        }
    }

    /// Opens a node that we have cordoned; one that an administrator has cordoned stays as it is.
    pub(super) async fn open(&self, node: &HostName) -> Result<(), Vec<HostFailure>> {
        self.call("uncordon", async |api| api.uncordon_ours(node.as_str()).await).await.map(drop)
    }

    /// The host that canaries reach for: the API's own service, by its name where the cluster has a DNS, by its address
    /// where it has none.
    pub(super) async fn canary_service(&self, network: &Network) -> Result<Option<String>, String> {
        if let Some(dns) = network.dns_service_address() {
            let look = self.call("look for the cluster's DNS", async |api| api.serves_dns(dns).await).await;
            if look.map_err(|failures| lines(&failures).join("; "))? {
                // Not the whole name: that pods search the cluster's domains is to be proven, too.
                return Ok(Some("kubernetes.default".into()));
            }
        }
        Ok(network.api_service_address().map(|address| address.to_string()))
    }

    /// Has the scheduler put a pod on a node that reaches for `service` and serves its node's name.
    pub(super) async fn start_canary(&self, node: &HostName, image: &str, service: Option<&str>) -> Result<(), String> {
        let service = service.map(|service| (service, HTTPS));
        let start = async |api: &Api| api.canary_start(node.as_str(), image, service).await;
        self.call("start a canary", start).await.map_err(|failures| lines(&failures).join("; "))
    }

    /// Where the canary of a node serves, or why it does not yet.
    pub(super) async fn canary(&self, node: &HostName) -> Result<std::net::IpAddr, String> {
        let look = async |api: &Api| api.canary_missing(node.as_str()).await;
        match self.call("look at the canary", look).await.map_err(|failures| lines(&failures).join("; "))? {
            Canary::Ready { ip } => Ok(ip),
            Canary::Waiting(why) => Err(why),
        }
    }

    /// Takes the canary of a node away; none is as good.
    pub(super) async fn remove_canary(&self, node: &HostName) -> Result<(), Vec<HostFailure>> {
        self.call("remove the canary", async |api| api.canary_remove(node.as_str()).await).await
    }

    /// Nodes that have a canary.
    pub(super) async fn canaries(&self) -> Result<Vec<String>, Vec<HostFailure>> {
        self.call("look for canaries", async |api| api.canaries().await).await
    }

    /// Nodes that we have cordoned.
    pub(super) async fn cordoned_by_us(&self) -> Result<Vec<String>, Vec<HostFailure>> {
        let cordoned = self.call("look for cordoned nodes", async |api| api.cordoned_by_us().await).await?;
        Ok(cordoned.into_iter().map(|cordon| cordon.node).collect())
    }

    /// What a node still lacks: its kubelet of this version (any when absent) Ready and alive, its daemons up.
    pub(super) async fn node_missing(&self, node: &HostName, kubelet: Option<String>, watch: &Watch) -> Vec<String> {
        let daemon_sets = DAEMON_SETS.iter().map(|name| (*name).to_owned()).collect();
        let expected = NodeExpected { kubelet, daemon_sets };
        let look = self.call("look at the node", async |api| api.node_missing(node.as_str(), &expected, watch).await);
        look.await.unwrap_or_else(|failures| lines(&failures))
    }

    /// What is missing until a controller-manager and a scheduler lead.
    pub(super) async fn leaders_missing(&self, watch: &Watch) -> Vec<String> {
        let look = self.call("look for leaders", async |api| api.leaders_missing(watch).await).await;
        look.unwrap_or_else(|failures| lines(&failures))
    }

    /// Control-plane pods of a node that have not run undisturbed for a while.
    pub(super) async fn static_pods_missing(&self, node: &HostName, watch: &Watch) -> Vec<String> {
        let nodes = [node.to_string()];
        let look = async |api: &Api| api.static_pods_unsettled(&nodes, SETTLE, watch).await;
        self.call("look at the control plane", look).await.unwrap_or_else(|failures| lines(&failures))
    }

    /// Static pods of a node that will not come up by themselves, and why.
    pub(super) async fn hopeless_pods(&self, node: &HostName) -> Vec<String> {
        let look = self.call("look for crashes", async |api| api.crashing_static_pods(node.as_str()).await);
        // Where the API does not answer there is nothing to see; the wait goes on.
        let crashes = look.await.unwrap_or_default();
        crashes.iter().filter(|crash| crash.is_hopeless()).map(ToString::to_string).collect()
    }
}

fn failure(node: &HostName, why: String) -> Failure {
    let hint = "make room for the pods named, or see what their PodDisruptionBudgets wait for; `upgrade.drain` of the \
                inventory says what may be evicted and how long it may take";
    Failure { what: format!("drain {node}"), why, hint: Some(hint.into()) }
}

fn lines(failures: &[HostFailure]) -> Vec<String> {
    failures.iter().map(ToString::to_string).collect()
}

pub(super) fn options(how: &Drain) -> DrainOptions {
    DrainOptions {
        empty_dirs: match how.empty_dirs {
            Evictable::Evict => EmptyDirs::Delete,
            Evictable::Refuse => EmptyDirs::Refuse,
        },
        unmanaged: match how.unmanaged {
            Evictable::Evict => UnmanagedPods::Delete,
            Evictable::Refuse => UnmanagedPods::Refuse,
        },
        grace: GracePeriod::OfThePod,
    }
}
