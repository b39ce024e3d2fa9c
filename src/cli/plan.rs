//! `kubewright plan`.

use super::prune::PruneArgs;
use super::session::SessionArgs;
use super::{Exit, Failure};
use crate::report::{self, Format, Style};
use crate::run;

/// Show what install would change, per host and object, with diffs; changes nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 nothing to change, 2 changes pending, 1 failed, 65 invalid inventory")]
pub(super) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    prune: PruneArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        let pruning = self.prune.pruning();
        let pending = session.run("plan", async |subject, events| run::plan(subject, pruning, events).await)?;
        let changes = &pending.changes;
        match session.output {
            // Nothing found is no answer where not all was seen.
            Format::Human if changes.is_empty() && pending.api_unknown.is_some() => {}
            Format::Human => report::print(&report::render_plan(changes, Style::stdout())),
            Format::Json => {
                for (host, change) in changes.iter().flat_map(|(host, changes)| changes.iter().map(move |c| (host, c)))
                {
                    report::print(&serde_json::json!({ "host": host, "change": change }).to_string());
                }
            }
        }
        if let Some(error) = pending.api_unknown {
            return Err(Failure::new(error.to_string()));
        }
        Ok(if changes.is_empty() { Exit::Done } else { Exit::Pending })
    }
}
