//! How a cluster is: every host looked at, those that do not answer named, nothing changed.

use std::net::SocketAddr;

use serde::Serialize;

use super::api::ApiAccess;
use super::fleet::{Fleet, Member};
use super::install::OtherVersions;
use super::subject::Subject;
use super::survey::Survey;
use super::{gate, lock};
use crate::cluster::Role;
use crate::host::protocol::{CertificateDates, Failure, Holder, Probe, Probed};
use crate::kube::Pruning;
use crate::pki::Renewal;

/// State of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Name.
    pub cluster: String,
    /// Version of Kubernetes in the cluster image.
    pub kubernetes: String,
    /// Every host of the inventory.
    pub hosts: Vec<HostStatus>,
    /// Who works on it right now.
    pub running: Option<Holder>,
    /// Number of changes that `install` would make at the API, where it answers.
    pub api_drift: Option<usize>,
    /// Why the comparison with the inventory could not be made, when it could not.
    pub drift_unknown: Option<String>,
    /// What it runs in other versions than the cluster image has, and what to do about that.
    pub other_versions: Option<String>,
}

/// State of a host. Parts that the host has not, or that could not be asked, are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HostStatus {
    /// Name.
    pub name: String,
    /// Roles.
    pub roles: Vec<Role>,
    /// Why the host does not answer.
    pub unreachable: Option<String>,
    /// `leader`, `follower`, or what is wrong.
    pub etcd: Option<String>,
    /// `ready`, or what is wrong.
    pub apiserver: Option<String>,
    /// `healthy`, or what is wrong.
    pub kubelet: Option<String>,
    /// `Ready`, `NotReady`, `Ready,SchedulingDisabled`, …, as the API says.
    pub node: Option<String>,
    /// The kubelet's version, as the API says.
    pub version: Option<String>,
    /// The certificate that ends first.
    pub certificate: Option<CertificateDates>,
    /// Number of changes that `install` would make.
    pub drift: Option<usize>,
}

impl Status {
    /// Whether everything is as it should be.
    pub fn is_well(&self) -> bool {
        let well = |state: &Option<String>, good: &[&str]| state.as_deref().is_none_or(|text| good.contains(&text));
        self.hosts.iter().all(|host| {
            host.unreachable.is_none()
                && well(&host.etcd, &["leader", "follower"])
                && well(&host.apiserver, &["ready"])
                && well(&host.kubelet, &["healthy"])
                && (!host.roles.iter().any(|role| *role != Role::Etcd)
                    || host.node.as_deref().is_some_and(|node| node.starts_with("Ready")))
                && host.drift.is_none_or(|changes| changes == 0)
        }) && self.api_drift.is_none_or(|changes| changes == 0)
    }
}

/// Looks at every host.
pub async fn status(subject: &Subject<'_>) -> Status {
    let (fleet, unreachable) = Fleet::connect(&subject.cluster.hosts, subject.connector, subject.parallel).await;
    let seen = fleet.each(|_| true, look).await;
    let mut hosts: Vec<HostStatus> = Vec::new();
    for host in &subject.cluster.hosts {
        let mut status = seen.ok.get(&host.name).cloned().unwrap_or_default();
        status.name = host.name.to_string();
        status.roles = host.roles.iter().collect();
        let failure = unreachable.iter().chain(&seen.failed).find(|failure| failure.host.as_ref() == Some(&host.name));
        status.unreachable = failure.map(|failure| failure.failure.to_string());
        hosts.push(status);
    }
    let kubernetes = subject.image.manifest.kubernetes.to_string();
    let mut status = Status {
        cluster: subject.cluster.name.to_string(),
        kubernetes,
        hosts,
        running: lock::holder_now(&fleet).await,
        api_drift: None,
        drift_unknown: None,
        other_versions: None,
    };
    if !unreachable.is_empty() {
        status.drift_unknown = Some("not every host answers".into());
    }
    compare(subject, &fleet, &mut status).await;
    status
}

/// Adds what the API knows of nodes, and how far hosts are from the inventory.
async fn compare(subject: &Subject<'_>, fleet: &Fleet, status: &mut Status) {
    let survey = Survey::take(subject, fleet, Renewal::Due).await;
    let survey = match survey.and_then(Survey::complete) {
        Ok(survey) => survey,
        Err(error) => {
            status.drift_unknown = Some(error.to_string());
            return;
        }
    };
    status.other_versions = OtherVersions::of(subject, &survey).map(|found| format!("{}\n{}", found.what, found.hint));
    let api = ApiAccess::new(subject.cluster, fleet, &survey.keys);
    let nodes = api.nodes().await.unwrap_or_default();
    if survey.cluster_exists() {
        status.api_drift = api.pending(&survey, Pruning::default()).await.ok().map(|(changes, _)| changes.len());
    }
    for host in &mut status.hosts {
        if let Some(node) = nodes.iter().find(|node| node.name == host.name) {
            host.version = node.version.map(|version| version.to_string());
            let ready = if node.ready { "Ready" } else { "NotReady" };
            // As kubectl writes it.
            host.node = Some(if node.unschedulable { format!("{ready},SchedulingDisabled") } else { ready.into() });
        }
        let changes = survey.changes.iter().find(|(name, _)| name.as_str() == host.name);
        host.drift = changes.map(|(_, parts)| parts.iter().map(|part| part.changes.len()).sum());
    }
}

async fn look(member: &Member) -> Result<HostStatus, Failure> {
    let host = &member.host;
    let mut status = HostStatus::default();
    if host.roles.contains(Role::Etcd) {
        let endpoint = format!("https://{}", SocketAddr::new(host.address, 2379));
        status.etcd = Some(match member.probe(Probe::Etcd { endpoint }).await? {
            Probed::Etcd(view) if !view.errors.is_empty() => view.errors.join(", "),
            Probed::Etcd(view) => match view.leader {
                Some(leader) if leader == view.member => "leader".into(),
                Some(_) => "follower".into(),
                None => "no leader".into(),
            },
            _ => "down".into(),
        });
    }
    if host.roles.contains(Role::ControlPlane) {
        status.apiserver = Some(answer(&member.probe(gate::readyz(member)).await?, "ready"));
    }
    if host.roles.is_node() {
        let probe = Probe::Http { url: "http://127.0.0.1:10248/healthz".into() };
        status.kubelet = Some(answer(&member.probe(probe).await?, "healthy"));
    }
    if let Probed::Certificates { certificates } = member.probe(Probe::Certificates).await? {
        status.certificate = certificates.into_iter().min_by(|a, b| a.not_after.cmp(&b.not_after));
    }
    Ok(status)
}

fn answer(probed: &Probed, good: &str) -> String {
    match probed {
        Probed::Http { status: 200, .. } => good.to_owned(),
        Probed::Http { status, .. } => format!("answers {status}"),
        _ => "down".to_owned(),
    }
}
