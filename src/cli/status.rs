//! `kubewright status`.

use super::session::SessionArgs;
use super::{Exit, Failure};
use crate::report::{self, Format, Style};
use crate::run::{self, HostStatus, Status};

/// Show members of etcd, masters, nodes, certificates and drift
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all well, 1 something is not, 65 invalid inventory")]
pub(super) struct Args {
    #[command(flatten)]
    session: SessionArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        let status = session.run("status", async |subject, events| Ok(run::status(subject, events).await))?;
        match session.output {
            Format::Json => report::print(&serde_json::to_string(&status)?),
            Format::Human => report::print(&human(&status, Style::stdout())),
        }
        Ok(if status.is_well() { Exit::Done } else { Exit::Code(1) })
    }
}

fn human(status: &Status, style: Style) -> String {
    let header = ["HOST", "ROLES", "ETCD", "APISERVER", "KUBELET", "NODE", "VERSION", "CERTIFICATES", "DRIFT"];
    let rows: Vec<_> = status.hosts.iter().map(row).collect();
    let mut text = report::table(&header, &rows);
    for host in &status.hosts {
        if let Some(why) = &host.unreachable {
            text.push_str(&format!("\n{} {}: {why}", style.red("✗"), host.name));
        }
    }
    if let Some(by) = &status.running {
        text.push_str(&format!("\na run is at work: {by}"));
    }
    if let Some(why) = &status.api_unknown {
        text.push_str(&format!("\nthe API does not answer: {why}"));
    }
    if let Some(why) = &status.drift_unknown {
        text.push_str(&format!("\ndrift is unknown: {why}"));
    }
    if let Some(changes @ 1..) = status.api_drift {
        text.push_str(&format!("\n{changes} objects or labels at the API differ; `kubewright plan` shows them"));
    }
    if let Some(why) = &status.other_versions {
        text.push_str(&format!("\n{why}"));
    } else if status.hosts.iter().any(|host| host.drift.is_some_and(|changes| changes > 0)) {
        text.push_str("\nhosts differ from the inventory; `kubewright plan` shows how, `kubewright install` mends it");
    }
    let verdict = if status.is_well() { style.green("well") } else { style.red("not well") };
    text.push_str(&format!("\n{} {}: {verdict}", status.cluster, status.kubernetes));
    text
}

fn row(host: &HostStatus) -> Vec<String> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let certificate =
        host.certificate.as_ref().map(|dates| format!("until {}", dates.not_after.get(..10).unwrap_or("?")));
    vec![
        host.name.clone(),
        host.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(","),
        or_dash(&host.etcd),
        or_dash(&host.apiserver),
        or_dash(&host.kubelet),
        or_dash(&host.node),
        or_dash(&host.version),
        or_dash(&certificate),
        host.drift.map_or_else(|| "?".into(), |changes| if changes == 0 { "none".into() } else { changes.to_string() }),
    ]
}
