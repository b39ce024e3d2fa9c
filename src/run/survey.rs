//! Looks at everything before anything is done: facts, keys, what every host should be, and what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::addons;
use super::failure::{HostFailure, RunError};
use super::fleet::{Fleet, Member, Outcomes, unexpected};
use super::state::StateDirectory;
use super::subject::Subject;
use crate::cluster::{Cluster, Facts, HostName};
use crate::desired;
use crate::desired::state::{HostState, Part};
use crate::host::protocol::{Change, Failure, PartChanges, Reply, ToAgent};
use crate::image::ClusterImage;
use crate::pki::{self, Renewal};
use crate::regular_file;

/// Largest file that hosts get a copy of; certificate authorities of a whole distribution take a fifth of it.
const MOST: u64 = 1 << 20;

/// Everything known before a run acts.
#[derive(Debug)]
pub struct Survey {
    /// Facts of every host.
    pub facts: BTreeMap<HostName, Facts>,
    /// Keys, read back or new.
    pub keys: pki::Keys,
    /// What every host should be.
    pub states: BTreeMap<HostName, HostState>,
    /// What differs, by host; parts without difference are left out.
    pub changes: BTreeMap<HostName, Vec<PartChanges>>,
    /// What the API should hold, in order.
    pub objects: Vec<serde_json::Value>,
    /// Who peers with whom, where Calico speaks BGP.
    pub peering: Option<desired::Peering>,
    /// Add-ons, in groups that come one after the other.
    pub addons: Vec<Vec<desired::AddonObjects>>,
    /// What could not be rendered: hosts, which have no state then, and add-ons.
    pub unrenderable: Vec<HostFailure>,
    /// Labels, taints and subnets of nodes.
    pub nodes: Vec<desired::NodeMarks>,
}

/// Facts of hosts, and their files of keys by path. Secret.
pub(super) type Seen = BTreeMap<HostName, (Facts, BTreeMap<String, String>)>;

impl Survey {
    /// Looks at every host of `fleet`.
    pub async fn take(subject: &Subject<'_>, fleet: &Fleet, renewal: Renewal) -> Result<Self, RunError> {
        let seen = seen(subject.cluster, fleet).await.all().map_err(RunError::Failed)?;
        Self::of(subject, fleet, seen, renewal).await
    }

    /// The same, of what the hosts have said already.
    pub(super) async fn of(
        subject: &Subject<'_>,
        fleet: &Fleet,
        seen: Seen,
        renewal: Renewal,
    ) -> Result<Self, RunError> {
        let (cluster, image) = (subject.cluster, &subject.image.manifest);
        let (facts, keys) = facts_and_keys(subject, seen, renewal)?;
        let pod_cidrs =
            desired::pod_cidrs(cluster, &facts).map_err(|error| HostFailure::cluster("assign pod networks", error))?;
        let files = &files_for_hosts(cluster);
        let (manifests, unreadable) = addons::manifests(cluster, subject.image);
        let (facts_of, pod_cidrs) = (&facts, &pod_cidrs);
        let context =
            desired::Context { cluster, image, keys: &keys, facts: facts_of, pod_cidrs, files, manifests: &manifests };
        let (states, mut unrenderable) = states(&context);
        let objects =
            desired::objects(&context).map_err(|error| HostFailure::cluster("render the cluster's objects", error))?;
        let peering =
            desired::peering(&context).map_err(|error| HostFailure::cluster("render BGP's objects", error))?;
        let nodes = desired::nodes(&context);
        // One that cannot be read is told by who could not read it.
        let addons = desired::addons(&context).unwrap_or_else(|error| {
            unrenderable.extend(error.each().iter().map(|error| HostFailure::cluster("read the add-ons", error)));
            Vec::new()
        });
        unrenderable.extend(unreadable);

        let changes = compare(fleet, &states).await?;
        Ok(Self { facts, keys, states, changes, objects, peering, addons, unrenderable, nodes })
    }

    /// Keys alone, for who asks the API and changes no host: hosts that do not answer are no reason not to.
    pub async fn keys(subject: &Subject<'_>, fleet: &Fleet) -> Result<pki::Keys, RunError> {
        let seen = seen(subject.cluster, fleet).await.all().map_err(RunError::Failed)?;
        Self::keys_of(subject, seen)
    }

    /// The same, of what the hosts have said already.
    pub(super) fn keys_of(subject: &Subject<'_>, seen: Seen) -> Result<pki::Keys, RunError> {
        facts_and_keys(subject, seen, Renewal::Due).map(|(_, keys)| keys)
    }

    /// The same hosts, compared with other states than those that follow from inventory and image.
    pub async fn against(self, fleet: &Fleet, states: BTreeMap<HostName, HostState>) -> Result<Self, RunError> {
        let changes = compare(fleet, &states).await?;
        Ok(Self { states, changes, unrenderable: Vec::new(), ..self })
    }

    /// The survey, unless a host could not be rendered.
    pub fn complete(self) -> Result<Self, RunError> {
        if self.unrenderable.is_empty() { Ok(self) } else { Err(RunError::Failed(self.unrenderable)) }
    }

    /// Refuses hosts that stand in the middle of a restore of etcd: whatever is brought about now would start what must
    /// stand still.
    pub fn refuse_restoring(&self, verb: &str) -> Result<(), HostFailure> {
        let restoring = |(host, facts): (&HostName, &Facts)| Some(format!("{host}: {}", facts.restoring.as_ref()?));
        let found: Vec<_> = self.facts.iter().filter_map(restoring).collect();
        if found.is_empty() {
            return Ok(());
        }
        let why = format!("a restore of etcd was begun and has not ended ({})", found.join("; "));
        let hint =
            "go on with `kubewright etcd restore --resume`, or take it back with `kubewright etcd restore --undo`";
        Err(HostFailure::cluster(verb, why).hint(hint))
    }

    /// Refuses to begin anew where members have been, and none has its data any more.
    pub fn refuse_empty(&self, verb: &str) -> Result<(), HostFailure> {
        let joined = self.facts.iter().filter(|(_, facts)| facts.etcd_joined);
        let joined: Vec<_> = joined.map(|(host, _)| host.as_str()).collect();
        if joined.is_empty() || self.facts.values().any(|facts| facts.has_etcd_data) {
            return Ok(());
        }
        let why = format!("{} have been members of etcd, and no host has its data any more", joined.join(", "));
        let hint = "mount their disks again, or bring the cluster back with `kubewright etcd restore`; to give it up, \
                    `kubewright reset` comes first; nothing was changed";
        Err(HostFailure::cluster(verb, why).hint(hint))
    }

    /// Whether a cluster lives on these hosts already.
    pub fn cluster_exists(&self) -> bool {
        cluster_exists(&self.facts)
    }

    /// Names of the static pods whose manifests are about to change.
    pub fn changing_static_pods(&self) -> BTreeSet<String> {
        let changes = self.changes.iter().flat_map(|(host, parts)| {
            parts.iter().flat_map(|part| &part.changes).map(move |change| (host, change.resource.as_str()))
        });
        let manifest = |resource: &str| {
            Some(resource.strip_prefix("file /etc/kubernetes/manifests/")?.strip_suffix(".yaml")?.to_owned())
        };
        changes.filter_map(|(host, resource)| Some(format!("{}-{host}", manifest(resource)?))).collect()
    }

    /// What differs, by host and in order, whatever part it belongs to.
    pub fn host_changes(&self) -> Vec<(String, Vec<Change>)> {
        let all = |parts: &[PartChanges]| parts.iter().flat_map(|part| part.changes.clone()).collect();
        self.changes.iter().map(|(host, parts)| (host.to_string(), all(parts))).collect()
    }

    /// Whether any host has something to change.
    pub fn changes_hosts(&self) -> bool {
        self.changes.values().any(|changes| !changes.is_empty())
    }

    /// Whether `host` has something to change in any of `parts`.
    pub fn differs(&self, host: &HostName, parts: &[Part]) -> bool {
        self.changes.get(host).is_some_and(|changes| changes.iter().any(|part| parts.contains(&part.part)))
    }
}

/// What the hosts of `fleet` say of themselves.
pub(super) async fn seen(cluster: &Cluster, fleet: &Fleet) -> Outcomes<(Facts, BTreeMap<String, String>)> {
    fleet.look("read facts", async |member| look(cluster, member).await).await
}

/// What the hosts are, and the keys that they have or are to get.
fn facts_and_keys(
    subject: &Subject<'_>,
    seen: Seen,
    renewal: Renewal,
) -> Result<(BTreeMap<HostName, Facts>, pki::Keys), RunError> {
    let Subject { cluster, state, .. } = *subject;
    let (facts, files): (BTreeMap<_, _>, BTreeMap<_, _>) =
        seen.into_iter().map(|(name, (facts, files))| ((name.clone(), facts), (name, files))).unzip();
    let keys = keys(cluster, &subject.image.manifest, &facts, files, state, renewal)?;
    Ok((facts, keys))
}

/// What differs from `states`, by host. A host without a state has no difference.
async fn compare(
    fleet: &Fleet,
    states: &BTreeMap<HostName, HostState>,
) -> Result<BTreeMap<HostName, Vec<PartChanges>>, RunError> {
    let what = "compare the host with the inventory";
    let ask = async |member: &Member| {
        let parts = states.get(&member.host.name).map(|state| state.parts.clone()).unwrap_or_default();
        match member.ask(what, ToAgent::Diff { parts }).await? {
            Reply::Changes { parts } => Ok(parts),
            other => Err(unexpected(what, &other)),
        }
    };
    fleet.look("compare", ask).await.all().map_err(RunError::Failed)
}

async fn look(cluster: &Cluster, member: &Member) -> Result<(Facts, BTreeMap<String, String>), Failure> {
    let facts = match member.ask("read facts", ToAgent::Facts).await? {
        Reply::Facts(facts) => *facts,
        other => return Err(unexpected("read facts", &other)),
    };
    let paths = pki::paths(cluster, &member.host);
    let files = match member.ask("read keys back", ToAgent::Read { paths }).await? {
        Reply::Files { files } => files.into_iter().filter_map(|(path, content)| Some((path, content?))).collect(),
        other => return Err(unexpected("read keys back", &other)),
    };
    Ok((facts, files))
}

/// Files of this machine that hosts get copies of; one that cannot be read is told of the host that needs it.
fn files_for_hosts(cluster: &Cluster) -> BTreeMap<PathBuf, String> {
    let needed = desired::snapshots::files_needed(cluster).into_iter().chain(desired::bgp::files_needed(cluster));
    needed.filter_map(|path| Some((path.to_owned(), regular_file::read_text(path, MOST).ok()?))).collect()
}

fn cluster_exists(facts: &BTreeMap<HostName, Facts>) -> bool {
    facts.values().any(|facts| facts.has_etcd_data || facts.etcd_joined)
}

fn keys(
    cluster: &Cluster,
    image: &ClusterImage,
    facts: &BTreeMap<HostName, Facts>,
    hosts: BTreeMap<HostName, BTreeMap<String, String>>,
    state: &StateDirectory,
    renewal: Renewal,
) -> Result<pki::Keys, RunError> {
    let cache = state.keys().load();
    let cache = cache.map_err(|error| HostFailure::cluster("read the keys in the local state directory", error))?;
    let existing = pki::Existing { hosts, cache, cluster_exists: cluster_exists(facts) };
    pki::resolve(cluster, image.kubernetes, &existing, jiff::Timestamp::now(), renewal).map_err(|errors| {
        let failures = errors.iter().map(|error| HostFailure::cluster("resolve keys and certificates", error));
        RunError::Failed(failures.collect())
    })
}

fn states(context: &desired::Context<'_>) -> (BTreeMap<HostName, HostState>, Vec<HostFailure>) {
    let mut states = BTreeMap::new();
    let mut failures = Vec::new();
    for host in &context.cluster.hosts {
        match desired::host_state(context, host) {
            Ok(state) => {
                states.insert(host.name.clone(), state);
            }
            Err(error) => {
                let failure = Failure { what: "render the host's files".into(), why: error.to_string(), hint: None };
                failures.push(HostFailure::of(&host.name, failure));
            }
        }
    }
    (states, failures)
}
