//! How a host is, and why: what its box, its row and the verdict have in common.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::certificates;
use crate::cluster::Role;
use crate::run::HostStatus;

/// How something is. The worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    #[default]
    Good,
    /// Nothing is broken, and somebody should look at it.
    Warn,
    /// Broken.
    Bad,
    /// Nobody knows: it does not answer.
    Gone,
}

/// Something that runs on a host. In the order in which it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Etcd,
    ApiServer,
    Kubelet,
    Node,
}

impl Part {
    fn as_str(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "API server",
            Self::Kubelet => "kubelet",
            Self::Node => "node",
        }
    }
}

/// Why a host is not well. In the order in which it matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// It does not answer.
    Gone,
    /// Something that runs on it, and what is wrong with it.
    Part(Part, String),
    /// A certificate ends in so many days; has ended where that is negative.
    Certificate(i64),
    /// So many changes are pending.
    Changes(usize),
    /// Nothing is scheduled on it.
    Cordoned,
}

impl Reason {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Gone => State::Gone,
            Self::Part(..) => State::Bad,
            Self::Certificate(days) if *days < 0 => State::Bad,
            Self::Certificate(_) | Self::Changes(_) | Self::Cordoned => State::Warn,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("does not answer"),
            Self::Part(part, what) => write!(f, "{} {what}", part.as_str()),
            Self::Certificate(days) if *days < 0 => f.write_str("certificate has ended"),
            Self::Certificate(days) => write!(f, "certificate: {days} d left"),
            Self::Changes(1) => f.write_str("1 change pending"),
            Self::Changes(changes) => write!(f, "{changes} changes pending"),
            Self::Cordoned => f.write_str("cordoned"),
        }
    }
}

/// Everything that is not as it should be with a host, the worst first. Without the API nothing is said of nodes.
pub(super) fn host(status: &HostStatus, is_api_known: bool, now: Timestamp) -> Vec<Reason> {
    if status.unreachable.is_some() {
        return vec![Reason::Gone];
    }
    let mut reasons = Vec::new();
    let parts = [
        (Part::Etcd, &status.etcd, &["leader", "follower"][..]),
        (Part::ApiServer, &status.apiserver, &["ready"]),
        (Part::Kubelet, &status.kubelet, &["healthy"]),
    ];
    for (part, state, good) in parts {
        let bad = state.iter().filter(|text| !good.contains(&text.as_str()));
        reasons.extend(bad.map(|text| Reason::Part(part, text.clone())));
    }
    if status.roles.iter().any(|role| *role != Role::Etcd) && is_api_known {
        match status.node.as_deref() {
            None => reasons.push(Reason::Part(Part::Node, "missing".to_owned())),
            Some(node) if !node.starts_with("Ready") => reasons.push(Reason::Part(Part::Node, "NotReady".to_owned())),
            Some(_) => {}
        }
    }
    if status.node.as_ref().is_some_and(|node| node.ends_with("SchedulingDisabled")) {
        reasons.push(Reason::Cordoned);
    }
    reasons.extend(status.drift.filter(|changes| *changes > 0).map(Reason::Changes));
    let days = status.certificate.as_ref().and_then(|dates| certificates::days_left(dates, now));
    reasons.extend(days.filter(|days| *days < certificates::SOON).map(Reason::Certificate));
    reasons.sort();
    reasons
}

/// The worst of `reasons`.
pub(super) fn worst(reasons: &[Reason]) -> State {
    reasons.iter().map(Reason::state).max().unwrap_or_default()
}
