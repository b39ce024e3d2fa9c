//! The control plane on one screen: members of etcd, API servers, and how many of everything are well.

use serde::Serialize;

use super::super::words;
use super::certificates::Certificate;
use super::judge::State;
use super::topology::Judged;
use crate::cluster::{Cluster, Role};
use crate::run::{HostStatus, Overview};

/// A host of the control plane or of etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Master {
    /// Its name.
    pub host: String,
    /// Its member of etcd.
    pub etcd: Option<Part>,
    /// Size of its database, what of it is in use, and its part of the quota, of 100.
    pub database: Option<Database>,
    /// Its API server.
    pub apiserver: Option<Part>,
    /// Its kubelet.
    pub kubelet: Option<Part>,
    /// Its node.
    pub node: Option<Part>,
}

/// Something that runs, and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// How it is.
    pub state: State,
    /// In words.
    pub text: String,
}

/// The database of a member of etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Database {
    /// Its size.
    pub size: String,
    /// What of it is in use.
    pub in_use: String,
    /// Percent of the quota.
    pub share: u64,
    /// Whether that leaves room.
    pub state: State,
    /// Revision of its keys.
    pub revision: u64,
}

/// A number at the top of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tile {
    /// What is counted.
    pub label: &'static str,
    /// The number.
    pub value: String,
    /// What belongs to it.
    pub note: String,
    /// Whether it is as it should be.
    pub state: State,
}

/// Hosts with a member of etcd or an API server.
pub(super) fn masters(cluster: &Cluster, overview: &Overview, judged: &[Judged<'_>]) -> Vec<Master> {
    let quota = cluster.etcd.quota_bytes;
    let is_one = |judged: &&Judged<'_>| judged.host.roles.iter().any(|role| role != Role::Worker);
    let master = |judged: &Judged<'_>| {
        let status = judged.status;
        let gone = status.unreachable.is_some();
        let part = |is_there: bool, text: &Option<String>, good: &[&str]| is_there.then(|| part(text, good, gone));
        let roles = &judged.host.roles;
        let (is_member, is_master) = (roles.contains(Role::Etcd), roles.contains(Role::ControlPlane));
        Master {
            host: judged.host.name.to_string(),
            etcd: part(is_member, &status.etcd, &["leader", "follower"]),
            database: overview.members.get(&judged.host.name).map(|member| Database {
                size: words::mebibytes(member.db_size),
                in_use: words::mebibytes(member.db_in_use),
                share: share(member.db_size, quota),
                state: if share(member.db_size, quota) >= 80 { State::Warn } else { State::Good },
                revision: member.revision,
            }),
            apiserver: part(is_master, &status.apiserver, &["ready"]),
            kubelet: part(roles.is_node(), &status.kubelet, &["healthy"]),
            // The API tells of nodes, whether they answer here or not.
            node: roles.is_node().then(|| self::part(&status.node, &["Ready", "Ready,SchedulingDisabled"], false)),
        }
    };
    judged.iter().filter(is_one).map(master).collect()
}

fn part(text: &Option<String>, good: &[&str], gone: bool) -> Part {
    match text {
        Some(text) if good.contains(&text.as_str()) => Part { state: State::Good, text: text.clone() },
        Some(text) => Part { state: State::Bad, text: text.clone() },
        None => Part { state: if gone { State::Gone } else { State::Warn }, text: "unknown".to_owned() },
    }
}

fn share(size: u64, quota: u64) -> u64 {
    size.saturating_mul(100).checked_div(quota).unwrap_or(0).min(100)
}

/// How many of everything are well.
pub(super) fn tiles(judged: &[Judged<'_>], overview: &Overview, certificates: &[Certificate]) -> Vec<Tile> {
    let answering = judged.iter().filter(|judged| judged.status.unreachable.is_none()).count();
    let leader = judged.iter().find(|judged| judged.status.etcd.as_deref() == Some("leader"));
    let leader = leader.map_or_else(|| "no leader known".to_owned(), |judged| format!("{} leads", judged.host.name));
    let is_cordoned =
        |judged: &&Judged<'_>| judged.status.node.as_ref().is_some_and(|node| node.ends_with("SchedulingDisabled"));
    let cordoned = match judged.iter().filter(is_cordoned).count() {
        0 => String::new(),
        some => format!("{some} cordoned"),
    };
    let of = |label, role: &dyn Fn(&Judged<'_>) -> bool, is_well: &dyn Fn(&HostStatus) -> bool, word: &str| {
        let all: Vec<_> = judged.iter().filter(|judged| role(judged)).collect();
        let well = all.iter().filter(|judged| is_well(judged.status)).count();
        let state = if well == all.len() { State::Good } else { State::Bad };
        Tile { label, value: format!("{well} of {}", all.len()), note: word.to_owned(), state }
    };
    let is = |text: &Option<String>, good: &[&str]| text.as_deref().is_some_and(|text| good.contains(&text));
    let mut tiles = vec![
        Tile { note: "answer".to_owned(), ..of("Hosts", &|_| true, &|host| host.unreachable.is_none(), "") },
        of(
            "etcd members",
            &|judged| judged.host.roles.contains(Role::Etcd),
            &|host| is(&host.etcd, &["leader", "follower"]),
            &leader,
        ),
        of(
            "API servers",
            &|judged| judged.host.roles.contains(Role::ControlPlane),
            &|host| is(&host.apiserver, &["ready"]),
            "ready",
        ),
        of("Kubelets", &|judged| judged.host.roles.is_node(), &|host| is(&host.kubelet, &["healthy"]), "healthy"),
        nodes(judged, overview, cordoned),
    ];
    if answering == 0 {
        tiles.truncate(1);
    }
    if let Some(first) = certificates.first() {
        let note =
            format!("left to the first certificate, on {}", first.hosts.split([',', ';']).next().unwrap_or_default());
        tiles.push(Tile { label: "Certificates", value: first.left.clone(), note, state: first.state });
    }
    tiles
}

fn nodes(judged: &[Judged<'_>], overview: &Overview, cordoned: String) -> Tile {
    let all: Vec<_> = judged.iter().filter(|judged| judged.host.roles.is_node()).collect();
    let is_ready = |judged: &&&Judged<'_>| judged.status.node.as_ref().is_some_and(|node| node.starts_with("Ready"));
    let ready = all.iter().filter(is_ready).count();
    let (label, known) = ("Nodes", overview.status.api_unknown.is_none());
    let state = if ready == all.len() { State::Good } else { State::Bad };
    let value = if known { format!("{ready} of {}", all.len()) } else { "unknown".to_owned() };
    let note = match (known, cordoned.is_empty()) {
        (false, _) => "the API does not answer".to_owned(),
        (true, true) => "Ready".to_owned(),
        (true, false) => format!("Ready, {cordoned}"),
    };
    Tile { label, value, note, state }
}
