//! Looks at a cluster: one connection per host, those that do not answer named, nothing changed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::api::ApiAccess;
use super::failure::{HostFailure, RunError};
use super::fleet::{Fleet, Member, Outcomes};
use super::install::OtherVersions;
use super::saved::{SavedStatus, saved_on};
use super::status::{HostStatus, Status};
use super::subject::Subject;
use super::survey::{self, Survey};
use super::{etcd, gate, lock};
use crate::cluster::{Facts, HostName, Role};
use crate::host::protocol::{CertificateDates, Change, EtcdMember, Failure, Probe, Probed};
use crate::kube::{NodeView, Pruning};
use crate::pki::Renewal;
use crate::plan::path::{self, Path};
use crate::report::Events;

/// All that can be seen of a cluster without changing it.
#[derive(Debug, Clone)]
pub struct Overview {
    /// It in few words.
    pub status: Status,
    /// Where the cluster image is.
    pub image: String,
    /// Its digest.
    pub digest: String,
    /// What the members of etcd that answer say.
    pub members: BTreeMap<HostName, EtcdMember>,
    /// Certificates on the hosts.
    pub certificates: BTreeMap<HostName, Vec<CertificateDates>>,
    /// What the hosts are.
    pub facts: BTreeMap<HostName, Facts>,
    /// What the hosts run, beside what the image has.
    pub path: Path,
    /// What the API knows of nodes.
    pub nodes: Vec<NodeView>,
    /// What `install` would change, by host and at the API (`api`), as far as it is known; none of them is empty.
    pub changes: Vec<(String, Vec<Change>)>,
    /// Snapshots of etcd, where the inventory names places for them.
    pub saved: Option<SavedStatus>,
}

/// Looks at every host, in few words.
pub async fn status(subject: &Subject<'_>, events: &Events) -> Status {
    let (fleet, unreachable) =
        Fleet::connect(&subject.cluster.hosts, subject.connector, subject.parallel, events).await;
    look(subject, &fleet, &unreachable).await.status
}

/// Looks at every host, and at the snapshots of etcd.
pub async fn overview(subject: &Subject<'_>, now: Timestamp, events: &Events) -> Overview {
    let (fleet, unreachable) =
        Fleet::connect(&subject.cluster.hosts, subject.connector, subject.parallel, events).await;
    let mut overview = look(subject, &fleet, &unreachable).await;
    if !subject.cluster.etcd.snapshots.places.is_empty() {
        overview.saved = Some(saved_on(subject.cluster, &fleet, now).await);
    }
    overview
}

/// What a host says of what runs on it.
struct Glance {
    status: HostStatus,
    member: Option<EtcdMember>,
    certificates: Vec<CertificateDates>,
}

/// Looks at the hosts of `fleet`.
pub(super) async fn look(subject: &Subject<'_>, fleet: &Fleet, unreachable: &[HostFailure]) -> Overview {
    let (glances, seen) = (fleet.look("look", glance).await, survey::seen(subject.cluster, fleet).await);
    let (mut members, mut certificates) = (BTreeMap::new(), BTreeMap::new());
    let mut hosts: Vec<HostStatus> = Vec::new();
    let mut ok = glances.ok;
    for host in &subject.cluster.hosts {
        let mut status = HostStatus::default();
        if let Some(glance) = ok.remove(&host.name) {
            status = glance.status;
            members.extend(glance.member.map(|member| (host.name.clone(), member)));
            certificates.insert(host.name.clone(), glance.certificates);
        }
        status.name = host.name.to_string();
        status.roles = host.roles.iter().collect();
        // One without a host is about all of them.
        let about = |failure: &&HostFailure| failure.host.as_ref().is_none_or(|name| *name == host.name);
        let failure = unreachable.iter().chain(&glances.failed).find(about);
        status.unreachable = failure.map(|failure| failure.failure.to_string());
        hosts.push(status);
    }
    let manifest = &subject.image.manifest;
    let facts = seen.ok.iter().map(|(name, (facts, _))| (name.clone(), facts.clone())).collect();
    let mut overview = Overview {
        status: Status {
            cluster: subject.cluster.name.to_string(),
            kubernetes: manifest.kubernetes.to_string(),
            hosts,
            running: lock::holder_now(fleet).await,
            api_drift: None,
            api_unknown: None,
            drift_unknown: (!unreachable.is_empty()).then(|| "not every host answers".to_owned()),
            other_versions: None,
        },
        image: subject.image.reference().to_owned(),
        digest: subject.image.digest.clone(),
        members,
        certificates,
        path: path::path(subject.cluster, manifest, &facts),
        facts,
        nodes: Vec::new(),
        changes: Vec::new(),
        saved: None,
    };
    compare(subject, fleet, seen, &mut overview).await;
    overview
}

/// Adds what the API knows of nodes, and how far hosts are from the inventory.
async fn compare(
    subject: &Subject<'_>,
    fleet: &Fleet,
    seen: Outcomes<(Facts, BTreeMap<String, String>)>,
    overview: &mut Overview,
) {
    let answers = seen.ok.clone();
    let survey = match seen.all() {
        Ok(seen) => Survey::of(subject, fleet, seen, Renewal::Due).await.and_then(Survey::complete),
        Err(failures) => Err(RunError::Failed(failures)),
    };
    let survey = match survey {
        Ok(survey) => survey,
        Err(error) => {
            overview.status.drift_unknown = Some(error.to_string());
            // Nodes can be told of all the same.
            match Survey::keys_of(subject, answers) {
                Ok(keys) => ask_for_nodes(&ApiAccess::new(subject.cluster, fleet, &keys), overview).await,
                Err(error) => overview.status.api_unknown = Some(error.to_string()),
            }
            return;
        }
    };
    let other = OtherVersions::of(subject, &survey);
    overview.status.other_versions = other.map(|found| format!("{}\n{}", found.what, found.hint));
    for host in &mut overview.status.hosts {
        let changes = survey.changes.iter().find(|(name, _)| name.as_str() == host.name);
        host.drift = changes.map(|(_, parts)| parts.iter().map(|part| part.changes.len()).sum());
    }
    overview.changes = survey.host_changes();
    let api = ApiAccess::new(subject.cluster, fleet, &survey.keys);
    ask_for_nodes(&api, overview).await;
    if survey.cluster_exists() {
        match api.pending(&survey, Pruning::default()).await {
            Ok((changes, _)) => {
                overview.status.api_drift = Some(changes.len());
                overview.changes.push(("api".to_owned(), changes));
            }
            Err(failures) => overview.status.api_unknown = Some(RunError::Failed(failures).to_string()),
        }
    }
    overview.changes.retain(|(_, changes)| !changes.is_empty());
}

async fn ask_for_nodes(api: &ApiAccess<'_>, overview: &mut Overview) {
    let nodes = match api.nodes().await {
        Ok(nodes) => nodes,
        Err(failures) => {
            overview.status.api_unknown = Some(RunError::Failed(failures).to_string());
            return;
        }
    };
    for host in &mut overview.status.hosts {
        if let Some(node) = nodes.iter().find(|node| node.name == host.name) {
            host.version = node.version.map(|version| version.to_string());
            let ready = if node.ready { "Ready" } else { "NotReady" };
            // As kubectl writes it.
            host.node = Some(if node.unschedulable { format!("{ready},SchedulingDisabled") } else { ready.into() });
        }
    }
    overview.nodes = nodes;
}

async fn glance(member: &Member) -> Result<Glance, Failure> {
    let host = &member.host;
    let mut glance = Glance { status: HostStatus::default(), member: None, certificates: Vec::new() };
    let status = &mut glance.status;
    if host.roles.contains(Role::Etcd) {
        let probed = member.probe(Probe::Etcd { endpoint: etcd::endpoint(host) }).await?;
        status.etcd = Some(match &probed {
            Probed::Etcd(view) if !view.errors.is_empty() => view.errors.join(", "),
            Probed::Etcd(view) if etcd::leads(view) => "leader".into(),
            Probed::Etcd(view) if view.leader.is_some() => "follower".into(),
            Probed::Etcd(_) => "no leader".into(),
            _ => "down".into(),
        });
        if let Probed::Etcd(view) = probed {
            glance.member = Some(view);
        }
    }
    if host.roles.contains(Role::ControlPlane) {
        status.apiserver = Some(answer(&member.probe(gate::readyz(member)).await?, "ready"));
    }
    if host.roles.is_node() {
        let probe = Probe::Http { url: "http://127.0.0.1:10248/healthz".into() };
        status.kubelet = Some(answer(&member.probe(probe).await?, "healthy"));
    }
    if let Probed::Certificates { certificates } = member.probe(Probe::Certificates).await? {
        status.certificate = certificates.iter().min_by(|a, b| a.not_after.cmp(&b.not_after)).cloned();
        glance.certificates = certificates;
    }
    Ok(glance)
}

fn answer(probed: &Probed, good: &str) -> String {
    match probed {
        Probed::Http { status: 200, .. } => good.to_owned(),
        Probed::Http { status, .. } => format!("answers {status}"),
        _ => "down".to_owned(),
    }
}
