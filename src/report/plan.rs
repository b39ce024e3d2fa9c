//! What a plan looks like: per host and object, what would change, with diffs of content.

use std::collections::BTreeMap;

use super::Style;
use crate::host::protocol::{Action, Change};

/// Renders the pending changes of hosts and of the API, in the order given. Hosts without changes are left out.
pub fn render_plan(pending: &[(String, Vec<Change>)], style: Style) -> String {
    let mut out = String::new();
    // Where a difference was shown first: forty workers differ in the same way.
    let mut shown: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (host, changes) in pending.iter().filter(|(_, changes)| !changes.is_empty()) {
        out.push_str(&format!("{}\n", style.bold(host)));
        for change in changes {
            let title = format!("  {} {}{}", mark(change.action, style), change.resource, summary(change));
            let diff = change.diff.as_deref().unwrap_or_default();
            if let Some(first) = shown.get(&(change.resource.as_str(), diff)).filter(|_| !diff.is_empty()) {
                out.push_str(&format!("{title} {}\n", style.dim(&format!("(as on {first})"))));
                continue;
            }
            shown.insert((&change.resource, diff), host);
            out.push_str(&format!("{title}\n"));
            for line in change.diff.iter().flat_map(|diff| diff.lines()) {
                out.push_str(&format!("      {}\n", diff_line(line, style)));
            }
        }
    }
    let changes: usize = pending.iter().map(|(_, changes)| changes.len()).sum();
    let places = pending.iter().filter(|(_, changes)| !changes.is_empty()).count();
    match changes {
        0 => out.push_str("No changes. Hosts and objects are as the inventory says.\n"),
        1 => out.push_str("1 change.\n"),
        n => out.push_str(&format!("{n} changes in {places} {}.\n", if places == 1 { "place" } else { "places" })),
    }
    out
}

fn summary(change: &Change) -> String {
    if change.summary.is_empty() { String::new() } else { format!(": {}", change.summary) }
}

pub(super) fn mark(action: Action, style: Style) -> String {
    match action {
        Action::Create => style.green("+"),
        Action::Update => style.yellow("~"),
        Action::Remove => style.red("-"),
        Action::Start => style.green("start"),
        Action::Restart => style.yellow("restart"),
        Action::Stop => style.red("stop"),
    }
}

fn diff_line(line: &str, style: Style) -> String {
    match line.as_bytes().first() {
        Some(b'+') => style.green(line),
        Some(b'-') => style.red(line),
        Some(b'@') => style.dim(line),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_each_change_with_its_diff() {
        let change = |resource: &str, action, summary: &str, diff: Option<&str>| Change {
            resource: resource.into(),
            action,
            summary: summary.into(),
            diff: diff.map(str::to_owned),
        };
        let pending = vec![
            (
                "m1".to_owned(),
                vec![
                    change("file /etc/hosts", Action::Update, "content", Some("@@ -1 +1 @@\n-a\n+b")),
                    change("unit etcd.service", Action::Restart, "", None),
                ],
            ),
            (
                "m3".to_owned(),
                vec![
                    change("file /etc/hosts", Action::Update, "content", Some("@@ -1 +1 @@\n-a\n+b")),
                    change("unit etcd.service", Action::Restart, "", None),
                ],
            ),
            ("m2".to_owned(), Vec::new()),
        ];
        insta::assert_snapshot!(render_plan(&pending, Style::Plain), @r"
        m1
          ~ file /etc/hosts: content
              @@ -1 +1 @@
              -a
              +b
          restart unit etcd.service
        m3
          ~ file /etc/hosts: content (as on m1)
          restart unit etcd.service
        4 changes in 2 places.
        ");
        assert!(render_plan(&[], Style::Plain).starts_with("No changes."));
    }
}
