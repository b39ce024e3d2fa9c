//! Hosts where they stand: data centre, rack, one box each.

use serde::Serialize;

use super::judge::{self, Reason, State};
use crate::cluster::{Cluster, Host, Role};
use crate::run::HostStatus;

/// A data centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Idc {
    /// Its name.
    pub name: String,
    /// Number of hosts in it.
    pub hosts: usize,
    /// Racks, in order of name.
    pub racks: Vec<Rack>,
}

/// A rack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rack {
    /// Its name.
    pub name: String,
    /// Hosts, in the order of the inventory.
    pub boxes: Vec<HostBox>,
}

/// A host in its rack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostBox {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// Its roles.
    pub roles: Vec<&'static str>,
    /// What it runs; empty where nobody knows.
    pub version: String,
    /// Why it is not well; empty where it is.
    pub note: String,
}

/// How many hosts are in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The state.
    pub state: State,
    /// What it is called.
    pub word: &'static str,
    /// How many.
    pub hosts: usize,
}

/// A host, what was seen of it, and what is wrong.
pub(super) struct Judged<'a> {
    pub(super) host: &'a Host,
    pub(super) status: &'a HostStatus,
    pub(super) reasons: Vec<Reason>,
}

impl Judged<'_> {
    /// What it runs: its kubelet's version as the API has it, or as its unit says; etcd's where it is no node.
    fn version(&self, set: Option<&std::collections::BTreeMap<String, String>>) -> String {
        let component = if self.host.roles.is_node() { "kubelet" } else { "etcd" };
        let set = set.and_then(|versions| versions.get(component));
        self.status.version.as_ref().or(set).cloned().unwrap_or_default()
    }
}

/// Data centres in order of name; hosts without one come last.
pub(super) fn idcs(hosts: &[Judged<'_>], overview: &crate::run::Overview) -> Vec<Idc> {
    let mut places: Vec<(Option<&str>, Option<&str>)> =
        hosts.iter().map(|judged| (judged.host.idc.as_deref(), judged.host.rack.as_deref())).collect();
    // None is the least, and comes last here.
    places.sort_by_key(|(idc, rack)| (idc.is_none(), natural(*idc), rack.is_none(), natural(*rack)));
    places.dedup();
    let mut idcs: Vec<(Option<&str>, Idc)> = Vec::new();
    for (idc, rack) in places {
        let there =
            hosts.iter().filter(|judged| (judged.host.idc.as_deref(), judged.host.rack.as_deref()) == (idc, rack));
        let boxes: Vec<HostBox> = there
            .map(|judged| {
                let set = overview.facts.get(&judged.host.name).map(|facts| &facts.versions);
                host_box(judged, judged.version(set))
            })
            .collect();
        if idcs.last().is_none_or(|(last, _)| *last != idc) {
            let name = idc.unwrap_or("no data centre").to_owned();
            idcs.push((idc, Idc { name, hosts: 0, racks: Vec::new() }));
        }
        if let Some((_, last)) = idcs.last_mut() {
            last.hosts += boxes.len();
            last.racks.push(Rack { name: rack.unwrap_or("no rack").to_owned(), boxes });
        }
    }
    idcs.into_iter().map(|(_, idc)| idc).collect()
}

/// So that r10 comes after r9: digits count as the number that they are.
fn natural(name: Option<&str>) -> Vec<(u64, String)> {
    let name = name.unwrap_or_default();
    let mut parts: Vec<(u64, String)> = vec![(0, String::new())];
    for character in name.chars() {
        let Some((number, text)) = parts.last_mut() else { break };
        match character.to_digit(10) {
            Some(digit) if text.is_empty() => *number = number.saturating_mul(10).saturating_add(digit.into()),
            Some(digit) => parts.push((digit.into(), String::new())),
            None => text.push(character),
        }
    }
    parts
}

fn host_box(judged: &Judged<'_>, version: String) -> HostBox {
    let reasons: Vec<String> = judged.reasons.iter().map(ToString::to_string).collect();
    HostBox {
        name: judged.host.name.to_string(),
        state: judge::worst(&judged.reasons),
        roles: judged.host.roles.iter().map(Role::as_str).collect(),
        version,
        note: reasons.join(", "),
    }
}

/// How many hosts are in each state; those that are well always stand there.
pub(super) fn legend(hosts: &[Judged<'_>]) -> Vec<Count> {
    let all = [
        (State::Good, "well"),
        (State::Warn, "to be looked at"),
        (State::Bad, "not well"),
        (State::Gone, "not answering"),
    ];
    let counts = all.map(|(state, word)| {
        let hosts = hosts.iter().filter(|judged| judge::worst(&judged.reasons) == state).count();
        Count { state, word, hosts }
    });
    counts.into_iter().filter(|count| count.hosts > 0 || count.state == State::Good).collect()
}

/// Every host of the inventory with what was seen of it.
pub(super) fn judged<'a>(
    cluster: &'a Cluster,
    overview: &'a crate::run::Overview,
    now: jiff::Timestamp,
) -> Vec<Judged<'a>> {
    let is_api_known = overview.status.api_unknown.is_none();
    let judged = |host: &'a Host| {
        let status = overview.status.hosts.iter().find(|status| status.name == host.name.as_str())?;
        Some(Judged { host, status, reasons: judge::host(status, is_api_known, now) })
    };
    cluster.hosts.iter().filter_map(judged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_ordered_as_numbers() {
        let mut names = ["r10", "r9", "a", "r1-2", "r1-10", ""].map(Some);
        names.sort_by_key(|name| natural(*name));
        assert_eq!(names.map(Option::unwrap), ["", "a", "r1-2", "r1-10", "r9", "r10"]);
    }
}
