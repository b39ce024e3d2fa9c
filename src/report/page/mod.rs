//! A cluster on one page, for people who would rather look than read: a [`Page`] is made from what was seen and from the
//! logs of runs, and one file of HTML from that. Nothing here asks a host, and nothing on the page asks for anything: no
//! scripts, no fonts, no pictures from elsewhere. Whatever comes from hosts, inventory or logs is escaped.

mod backups;
mod certificates;
mod drift;
mod health;
mod history;
mod judge;
mod render;
#[cfg(test)]
mod tests;
mod topology;
mod verdict;
mod versions;

use jiff::Timestamp;
use serde::Serialize;

pub use super::log::{End, Run, Stage};
pub use history::History;
pub use judge::State;

use super::words;
use crate::cluster::{Cluster, Role};
use crate::run::Overview;
use topology::Judged;

/// All that the page shows, in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// Name of the cluster.
    pub cluster: String,
    /// Version of Kubernetes in the cluster image.
    pub kubernetes: String,
    /// Where the image is.
    pub image: String,
    /// Its digest.
    pub digest: String,
    /// When all of this was seen.
    pub made: String,
    /// Version of this program.
    pub program: &'static str,
    /// How the cluster is.
    pub verdict: verdict::Verdict,
    /// Who works on it right now; empty where nobody does.
    pub running: String,
    /// How many of everything are well.
    pub tiles: Vec<health::Tile>,
    /// How many hosts are in which state.
    pub legend: Vec<topology::Count>,
    /// Hosts where they stand.
    pub idcs: Vec<topology::Idc>,
    /// Every host in words.
    pub hosts: Vec<Row>,
    /// Hosts of the control plane and of etcd.
    pub masters: Vec<health::Master>,
    /// Which versions run where.
    pub versions: Vec<versions::Version>,
    /// Certificates, the one that ends first on top.
    pub certificates: Vec<certificates::Certificate>,
    /// Snapshots of etcd by place.
    pub backups: Vec<backups::Backup>,
    /// What failed with them.
    pub backup_failures: Vec<String>,
    /// What `install` would change.
    pub drift: Vec<drift::Drift>,
    /// Why that is not known, where it is not; empty where it is.
    pub drift_unknown: String,
    /// The last runs.
    pub runs: Vec<history::Shown>,
    /// Logs that could not be read.
    pub skipped: Vec<String>,
    /// Runs that only looked.
    pub looked: usize,
}

/// A host in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// How it is.
    pub state: State,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Data centre and rack.
    pub place: String,
    /// Roles.
    pub roles: String,
    /// Labels of the inventory.
    pub labels: String,
    /// What is wrong with it.
    pub notes: Vec<String>,
    /// Its node's state as the API has it.
    pub node: String,
    /// Its kernel.
    pub kernel: String,
    /// Number of changes that `install` would make; `?` where nobody knows.
    pub drift: String,
}

impl Page {
    /// What is shown of `cluster`, as it was seen at `now`.
    pub fn new(cluster: &Cluster, overview: &Overview, history: &History, now: Timestamp) -> Self {
        let judged = topology::judged(cluster, overview, now);
        let certificates = certificates::certificates(overview, now);
        let runs: Vec<_> = history.runs.iter().map(history::shown).collect();
        let status = &overview.status;
        Self {
            cluster: status.cluster.clone(),
            kubernetes: status.kubernetes.clone(),
            image: overview.image.clone(),
            digest: overview.digest.clone(),
            made: now.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            program: env!("CARGO_PKG_VERSION"),
            verdict: verdict::verdict(&judged, overview, &certificates, &runs),
            running: status.running.as_ref().map(ToString::to_string).unwrap_or_default(),
            tiles: health::tiles(&judged, overview, &certificates),
            legend: topology::legend(&judged),
            idcs: topology::idcs(&judged, overview),
            hosts: judged.iter().map(|judged| row(judged, overview)).collect(),
            masters: health::masters(cluster, overview, &judged),
            versions: versions::versions(overview),
            certificates,
            backups: backups::backups(overview, cluster.etcd.snapshots.max_age),
            backup_failures: overview.saved.iter().flat_map(|saved| saved.failures.clone()).collect(),
            drift: drift::drift(&overview.changes),
            drift_unknown: verdict::unknown_drift(overview).unwrap_or_default().to_owned(),
            runs,
            skipped: history.skipped.clone(),
            looked: history.looked,
        }
    }

    /// The page as one file.
    pub fn html(&self) -> Result<String, minijinja::Error> {
        render::html(self)
    }

    /// The verdict in one line, for a terminal.
    pub fn summary(&self) -> String {
        let problems = match self.verdict.problems.len() {
            0 => String::new(),
            some => format!(" ({})", words::count(some, "finding")),
        };
        format!("{} {}: {}{problems}", self.cluster, self.kubernetes, self.verdict.word.to_lowercase())
    }
}

fn row(judged: &Judged<'_>, overview: &Overview) -> Row {
    let Judged { host, status, reasons } = judged;
    let place: Vec<&str> = [&host.idc, &host.rack].into_iter().flatten().map(String::as_str).collect();
    let mut notes: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    // The whole of it, instead of that it does not answer.
    if let Some(why) = &status.unreachable {
        notes = vec![why.clone()];
    }
    let node = overview.nodes.iter().find(|node| node.name == status.name);
    notes.extend(node.filter(|node| !node.ready).into_iter().flat_map(|node| node.reasons.clone()));
    let facts = overview.facts.get(&host.name);
    Row {
        state: judge::worst(reasons),
        name: host.name.to_string(),
        address: host.address.to_string(),
        place: place.join(" / "),
        roles: host.roles.iter().map(Role::as_str).collect::<Vec<_>>().join(", "),
        labels: host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "),
        notes,
        node: status.node.clone().unwrap_or_default(),
        kernel: facts.map(|facts| facts.kernel.clone()).unwrap_or_default(),
        drift: status.drift.map_or_else(|| "?".to_owned(), |changes| changes.to_string()),
    }
}
