//! What an upgrade is about to do, on one screen.

use super::{Style, table};
use crate::cluster::{HostName, listed};
use crate::plan::{Preview, Turn};

/// Renders a preview for people.
pub fn render_preview(cluster: &str, preview: &Preview, style: Style) -> String {
    let mut out = format!("{}\n\n", style.bold(&format!("{cluster}: what will happen")));
    let rows = preview.path.steps.iter().flat_map(|step| {
        step.now.iter().map(move |(now, hosts)| {
            let after = if *now == step.after { "unchanged".to_owned() } else { step.after.clone() };
            vec![step.component.to_owned(), now.clone(), after, names(hosts)]
        })
    });
    out.push_str(&table(&["COMPONENT", "NOW", "AFTER", "HOSTS"], &rows.collect::<Vec<_>>()));
    out.push_str("\n\n");
    let order: Vec<Vec<String>> = preview.order.iter().map(turn).collect();
    out.push_str(&table(&["STAGE", "HOSTS, IN ORDER"], &order));
    out.push_str("\n\n");
    for (what, hosts) in &preview.restarts {
        out.push_str(&format!("restarts {what} on {}\n", names(hosts)));
    }
    out.push_str(&format!("sends at most {:.1} MB in all\n", preview.bytes as f64 / 1e6));
    for warning in &preview.warnings {
        let host = warning.host.as_ref().map_or("cluster", HostName::as_str);
        let mark = style.yellow("warning");
        out.push_str(&format!("{mark}: {host}: {}\n    → {}\n", warning.message, warning.hint));
    }
    out
}

fn turn(turn: &Turn) -> Vec<String> {
    let waves: Vec<String> = turn.waves.iter().map(|wave| names(wave)).collect();
    let shown = match waves.len() {
        0..=8 => waves.join(" | "),
        many => format!("{} | … {} waves in all", waves[..6].join(" | "), many),
    };
    let drained = if turn.drained { ", each emptied before" } else { "" };
    vec![turn.stage.to_owned(), format!("{shown}{drained}")]
}

fn names(hosts: &[HostName]) -> String {
    listed(hosts.iter().map(HostName::as_str))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plan::path::{Path, Step};
    use crate::plan::preflight::{Finding, Severity};

    #[test]
    fn a_preview_fits_on_a_screen() {
        let host = |name: &str| HostName::parse(name).unwrap();
        let hosts = |names: &[&str]| names.iter().map(|name| host(name)).collect::<Vec<_>>();
        let many: Vec<HostName> = (1..=40).map(|number| host(&format!("n{number}"))).collect();
        let now = |version: &str, names: Vec<HostName>| BTreeMap::from([(version.to_owned(), names)]);
        let preview = Preview {
            path: Path {
                steps: vec![
                    Step { component: "etcd", now: now("3.4.23", hosts(&["m1", "m2", "m3"])), after: "3.5.16".into() },
                    Step { component: "runc", now: now("1.1.5", many.clone()), after: "1.1.5".into() },
                ],
                bare: Vec::new(),
            },
            order: vec![
                Turn { stage: "etcd", waves: vec![hosts(&["m2"]), hosts(&["m3"]), hosts(&["m1"])], drained: false },
                Turn { stage: "workers", waves: many.chunks(4).map(<[HostName]>::to_vec).collect(), drained: true },
            ],
            restarts: now("etcd.service", hosts(&["m1", "m2", "m3"])),
            bytes: 123_456_789,
            warnings: vec![Finding {
                check: "budgets",
                severity: Severity::Warning,
                host: None,
                message: "PodDisruptionBudget a/b allows no disruption".into(),
                hint: "add a replica".into(),
            }],
        };
        insta::assert_snapshot!(render_preview("prod", &preview, Style::Plain));
    }
}
