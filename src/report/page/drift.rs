//! What `install` would change, as `plan` tells it: hosts with the same changes share a list. Diffs come from `plan`,
//! secrets are left out of them there. A page must stay one that a browser can open, so that there is an end to them.

use serde::Serialize;

use crate::cluster::listed;
use crate::host::protocol::{Action, Change};

/// Most changes of a list, changes of all lists, and lines of diffs in all lists.
const CHANGES: usize = 200;
const ALL_CHANGES: usize = 3000;
const LINES: usize = 3000;
/// Longest line of a diff, in characters.
const LENGTH: usize = 300;

/// The same changes on some hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Who they are.
    pub hosts: String,
    /// How many they are; 1 for the API.
    pub places: usize,
    /// How many changes each of them has.
    pub count: usize,
    /// The changes, or the first of them.
    pub changes: Vec<Pending>,
    /// How many there are beside those.
    pub left_out: usize,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// What is done: `create`, `update`, ….
    pub action: &'static str,
    /// To what.
    pub resource: String,
    /// In one line.
    pub summary: String,
    /// Lines of its diff.
    pub diff: Vec<DiffLine>,
    /// How many lines there are beside those.
    pub left_out: usize,
}

/// A line of a diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffLine {
    /// `added`, `removed`, `place` or `same`.
    pub kind: &'static str,
    /// The line.
    pub text: String,
}

/// Lists of changes, in the order in which their first host comes.
pub(super) fn drift(changes: &[(String, Vec<Change>)]) -> Vec<Drift> {
    let mut groups: Vec<(Vec<&str>, &Vec<Change>)> = Vec::new();
    for (host, list) in changes.iter().filter(|(_, list)| !list.is_empty()) {
        match groups.iter_mut().find(|(_, known)| *known == list) {
            Some((hosts, _)) => hosts.push(host),
            None => groups.push((vec![host], list)),
        }
    }
    let (mut rows, mut lines) = (ALL_CHANGES, LINES);
    let group = |(hosts, list): (Vec<&str>, &Vec<Change>)| {
        let shown = list.len().min(CHANGES).min(rows);
        rows -= shown;
        Drift {
            hosts: listed(hosts.iter().copied()),
            places: hosts.len(),
            count: list.len(),
            changes: list.iter().take(shown).map(|change| pending(change, &mut lines)).collect(),
            left_out: list.len() - shown,
        }
    };
    groups.into_iter().map(group).collect()
}

fn pending(change: &Change, room: &mut usize) -> Pending {
    let lines: Vec<&str> = change.diff.iter().flat_map(|diff| diff.lines()).collect();
    let shown = lines.len().min(*room);
    *room -= shown;
    Pending {
        action: action(change.action),
        resource: change.resource.clone(),
        summary: change.summary.clone(),
        diff: lines.iter().take(shown).map(|line| diff_line(line)).collect(),
        left_out: lines.len() - shown,
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Remove => "remove",
        Action::Start => "start",
        Action::Restart => "restart",
        Action::Stop => "stop",
    }
}

fn diff_line(line: &str) -> DiffLine {
    let kind = match line.as_bytes().first() {
        Some(b'+') => "added",
        Some(b'-') => "removed",
        Some(b'@') => "place",
        _ => "same",
    };
    let cut: String = line.chars().take(LENGTH).collect();
    let text = if cut.len() < line.len() { format!("{cut}…") } else { cut };
    DiffLine { kind, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(resource: &str, diff: Option<String>) -> Change {
        Change { resource: resource.into(), action: Action::Update, summary: String::new(), diff }
    }

    #[test]
    fn hosts_with_the_same_changes_share_a_list() {
        let sysctl = vec![change("sysctl a", None)];
        let file = vec![change("file b", Some("@@ -1 +1 @@\n-x\n+y".into()))];
        let all = [("m1", &sysctl), ("m2", &file), ("m3", &sysctl)].map(|(host, list)| (host.to_owned(), list.clone()));
        let groups = drift(&all);
        let hosts: Vec<_> = groups.iter().map(|group| (group.hosts.as_str(), group.places, group.count)).collect();
        assert_eq!(hosts, [("m1, m3", 2, 1), ("m2", 1, 1)]);
        let kinds: Vec<_> = groups[1].changes[0].diff.iter().map(|line| line.kind).collect();
        assert_eq!(kinds, ["place", "removed", "added"]);
    }

    #[test]
    fn however_much_there_is_a_page_stays_small() {
        let long = format!("+{}\n", "é".repeat(5000)).repeat(LINES);
        let all =
            [1, 2].map(|host| (format!("n{host}"), vec![change(&format!("file {host}"), Some(long.clone())); 300]));
        let groups = drift(&all);
        assert_eq!((groups[0].changes.len(), groups[0].left_out, groups[0].count), (CHANGES, 100, 300));
        let shown = groups.iter().flat_map(|group| &group.changes).map(|change| change.diff.len()).sum::<usize>();
        assert_eq!(shown, LINES);
        assert_eq!(
            (groups[1].changes[0].left_out, groups[0].changes[0].diff[0].text.chars().count()),
            (LINES, LENGTH + 1)
        );
    }
}
