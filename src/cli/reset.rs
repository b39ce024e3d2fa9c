//! `kubewright reset`.

use std::io::IsTerminal;

use super::session::SessionArgs;
use super::{Exit, Failure, confirm};
use crate::report::{self, Format, Style};
use crate::run;

/// Return the hosts of an inventory to bare: stops and removes the cluster with all of its data
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        if !self.yes {
            confirmed(session.cluster.name.as_str(), session.cluster.hosts.len())?;
        }
        let removed = session.run("reset", async |subject, events| run::reset(subject, events).await)?;
        if session.output == Format::Human {
            let style = Style::stdout();
            for (host, changes) in &removed {
                report::print(&format!("{} {} removed or stopped", style.bold(host), changes.len()));
            }
        }
        Ok(Exit::Done)
    }
}

fn confirmed(cluster: &str, hosts: usize) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("reset destroys the cluster; without a terminal to ask on, give --yes"));
    }
    report::print_error(&format!(
        "This stops the cluster {cluster} on {hosts} hosts and removes all of its data, etcd included."
    ));
    if confirm::is_typed(cluster)? { Ok(()) } else { Err(Failure::new("not confirmed; nothing was changed")) }
}
