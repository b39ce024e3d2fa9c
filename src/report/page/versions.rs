//! Which versions run where.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judge::State;
use crate::cluster::listed;
use crate::run::Overview;

/// Hosts that a line names.
const NAMED: usize = 6;

/// A version of a component, and who runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The component; empty where the line above has the same.
    pub component: String,
    /// Its version.
    pub version: String,
    /// Number of hosts.
    pub count: usize,
    /// The hosts.
    pub hosts: String,
    /// Whether it is what the cluster image has.
    pub state: State,
    /// What the cluster image has instead; empty where it is that.
    pub wanted: String,
}

/// Every component with every version of it, then kernels and systems.
pub(super) fn versions(overview: &Overview) -> Vec<Version> {
    let mut lines = Vec::new();
    for step in &overview.path.steps {
        let hosts = |names: &[crate::cluster::HostName]| names.iter().map(ToString::to_string).collect();
        let now = step.now.iter().map(|(version, names)| (version.as_str(), hosts(names))).collect();
        lines.extend(group(step.component, now, Some(&step.after)));
    }
    let kernels = by(overview, |facts| &facts.kernel);
    lines.extend(group("Linux", kernels, None));
    lines.extend(group("System", by(overview, |facts| &facts.os), None));
    lines
}

fn by(overview: &Overview, what: impl Fn(&crate::cluster::Facts) -> &String) -> BTreeMap<&str, Vec<String>> {
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (host, facts) in &overview.facts {
        let what = what(facts);
        if !what.is_empty() {
            all.entry(what).or_default().push(host.to_string());
        }
    }
    all
}

fn group(component: &str, now: BTreeMap<&str, Vec<String>>, wanted: Option<&String>) -> Vec<Version> {
    let alone = now.len() == 1;
    let line = |(index, (version, hosts)): (usize, (&str, Vec<String>))| {
        let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let other = wanted.filter(|wanted| *wanted != version);
        Version {
            component: if index == 0 { component.to_owned() } else { String::new() },
            version: version.to_owned(),
            count: names.len(),
            hosts: if alone && names.len() > NAMED { "all of them".to_owned() } else { listed(names.iter().copied()) },
            state: if other.is_some() { State::Warn } else { State::Good },
            wanted: other.cloned().unwrap_or_default(),
        }
    };
    now.into_iter().enumerate().map(line).collect()
}
