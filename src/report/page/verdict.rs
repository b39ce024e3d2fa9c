//! The verdict: what is not well, in words, the worst first. Whatever makes `status` fail is among it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::words;
use super::certificates::{Certificate, SOON};
use super::history::Shown;
use super::judge::{Reason, State};
use super::topology::Judged;
use crate::cluster::{Role, listed};
use crate::run::Overview;

/// How the cluster is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The worst of all.
    pub state: State,
    /// In a few words.
    pub word: String,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// How bad that is.
    pub state: State,
    /// In words.
    pub text: String,
    /// Where the page tells more: the name of a section.
    pub section: &'static str,
}

pub(super) fn verdict(
    judged: &[Judged<'_>],
    overview: &Overview,
    certificates: &[Certificate],
    runs: &[Shown],
) -> Verdict {
    let mut problems = cluster(judged, overview);
    problems.extend(hosts(judged));
    problems.extend(drift(overview));
    problems.extend(ending(certificates));
    problems.extend(backups(overview));
    if let Some(last) = runs.first().filter(|last| ["failed", "cut off"].contains(&last.end)) {
        let text = format!("the last run, {} of {}, {}", last.verb, last.began, ended(last.end));
        problems.push(Problem { state: State::Warn, text, section: "runs" });
    }
    // Stable: the order above is that of what matters.
    problems.sort_by_key(|problem| problem.state == State::Warn);
    let bad = problems.iter().filter(|problem| problem.state == State::Bad).count();
    let (state, word) = match (bad, problems.len() - bad) {
        (0, 0) => (State::Good, "Everything is well".to_owned()),
        (0, 1) => (State::Warn, "Well, with one thing to be looked at".to_owned()),
        (0, more) => (State::Warn, format!("Well, with {more} things to be looked at")),
        _ => (State::Bad, "Not well".to_owned()),
    };
    Verdict { state, word, problems }
}

fn ended(end: &str) -> &'static str {
    if end == "failed" { "failed" } else { "was cut off" }
}

fn bad(section: &'static str, text: String) -> Problem {
    Problem { state: State::Bad, text, section }
}

/// What is about more than one host.
fn cluster(judged: &[Judged<'_>], overview: &Overview) -> Vec<Problem> {
    let mut problems = Vec::new();
    let members: Vec<_> = judged.iter().filter(|judged| judged.host.roles.contains(Role::Etcd)).collect();
    let is_well = |judged: &&&Judged<'_>| matches!(judged.status.etcd.as_deref(), Some("leader" | "follower"));
    let well = members.iter().filter(is_well).count();
    if well * 2 <= members.len() && !members.is_empty() {
        let text = format!("etcd has no majority that is known to be well: {well} of {} members", members.len());
        problems.push(bad("control-plane", text));
    }
    if let Some(why) = &overview.status.api_unknown {
        problems.push(bad("control-plane", format!("the API does not answer: {why}")));
    }
    problems
}

/// What is wrong with hosts, once for all that have the same.
fn hosts(judged: &[Judged<'_>]) -> Vec<Problem> {
    let mut by_reason: BTreeMap<&Reason, Vec<&str>> = BTreeMap::new();
    for one in judged {
        for reason in one.reasons.iter().filter(|reason| matches!(reason, Reason::Gone | Reason::Part(..))) {
            by_reason.entry(reason).or_default().push(one.host.name.as_str());
        }
    }
    let all = judged.len();
    let problem = |(reason, names): (&Reason, Vec<&str>)| match reason {
        Reason::Gone => {
            let verb = if names.len() == 1 { "does" } else { "do" };
            let text = format!("{} of {all} hosts {verb} not answer: {}", names.len(), listed(names.iter().copied()));
            bad("topology", text)
        }
        reason => bad("topology", format!("{reason}: {}", listed(names.iter().copied()))),
    };
    by_reason.into_iter().map(problem).collect()
}

fn drift(overview: &Overview) -> Vec<Problem> {
    let status = &overview.status;
    let mut problems = Vec::new();
    let differ: Vec<&str> = status.hosts.iter().filter(|host| host.drift > Some(0)).map(|host| &*host.name).collect();
    if !differ.is_empty() {
        let changes = status.hosts.iter().filter_map(|host| host.drift).sum();
        let verb = if differ.len() == 1 { "differs" } else { "differ" };
        let text = format!(
            "{} {verb} from the inventory ({}): {}",
            words::count(differ.len(), "host"),
            words::count(changes, "change"),
            listed(differ.iter().copied())
        );
        problems.push(bad("changes", text));
    }
    if let Some(changes @ 1..) = status.api_drift {
        let verb = if changes == 1 { "differs" } else { "differ" };
        problems.push(bad("changes", format!("{} at the API {verb}", words::count(changes, "object or label"))));
    }
    if let Some(why) = &status.other_versions {
        problems.push(Problem { state: State::Warn, text: why.clone(), section: "versions" });
    }
    if let Some(why) = unknown_drift(overview) {
        let text = format!("whether hosts differ from the inventory is unknown: {why}");
        problems.push(Problem { state: State::Warn, text, section: "changes" });
    }
    problems
}

/// Why hosts could not be compared with the inventory. What follows from one that does not answer is not told of.
pub(super) fn unknown_drift(overview: &Overview) -> Option<&str> {
    let why = overview.status.drift_unknown.as_deref()?;
    let gone = overview.status.hosts.iter().any(|host| host.unreachable.is_some());
    Some(if gone { "not every host answers" } else { why })
}

fn ending(certificates: &[Certificate]) -> Vec<Problem> {
    let ended = certificates.iter().filter(|one| one.days < 0).count();
    let ending = certificates.iter().filter(|one| (0..SOON).contains(&one.days)).count();
    let mut problems = Vec::new();
    let first = |of: &dyn Fn(&&Certificate) -> bool| certificates.iter().find(|one| of(one)).cloned();
    if let Some(first) = first(&|one| one.days < 0) {
        let text = format!("{} ended, {} first ({})", have(ended), first.path, first.hosts);
        problems.push(bad("certificates", text));
    }
    if let Some(first) = first(&|one| (0..SOON).contains(&one.days)) {
        let within = if ending == 1 { "ends" } else { "end" };
        let text = format!(
            "{} {within} within {SOON} days, {} first: {} left ({})",
            words::count(ending, "certificate"),
            first.path,
            first.left,
            first.hosts
        );
        problems.push(Problem { state: State::Warn, text, section: "certificates" });
    }
    problems
}

fn have(certificates: usize) -> String {
    let verb = if certificates == 1 { "has" } else { "have" };
    format!("{} {verb}", words::count(certificates, "certificate"))
}

fn backups(overview: &Overview) -> Vec<Problem> {
    let Some(saved) = &overview.saved else { return Vec::new() };
    let old = saved.places.iter().filter(|place| place.too_old).map(|place| match place.age {
        Some(seconds) => {
            let age = words::age(i64::try_from(seconds).unwrap_or(i64::MAX));
            format!("the last good snapshot of etcd in {} is too old: {age}", place.place)
        }
        None => format!("no good snapshot of etcd is known in {}", place.place),
    });
    old.chain(saved.failures.iter().cloned()).map(|text| bad("backups", text)).collect()
}
