//! `kubewright install`.

use super::preflight::IgnoreArgs;
use super::prune::PruneArgs;
use super::session::SessionArgs;
use super::{Exit, Failure};
use crate::report::{self, Format};
use crate::run;

/// Bring the hosts of an inventory to a running cluster, and a cluster to what the inventory says now
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Safe to repeat: a run that was cut off goes on where it stopped, and a second run changes nothing.\n\n\
    Exit codes: 0 done or nothing to do, 1 failed, 65 invalid inventory, 75 locked by another run"
)]
pub(super) struct Args {
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    ignore: IgnoreArgs,
    #[command(flatten)]
    prune: PruneArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        let ignored = self.ignore.names();
        let pruning = self.prune.pruning();
        let work = async |subject: &run::Subject<'_>, events: &report::Events| {
            run::install(subject, &ignored, pruning, events).await
        };
        let summary = session.run("install", work)?;
        if session.output == Format::Human {
            let hosts = session.cluster.hosts.len();
            let seconds = summary.took.as_secs_f64();
            report::print(&format!("{} changed on {hosts} hosts in {seconds:.1} s", summary.changed));
            if summary.changed > 0 {
                let flags = &session.flags;
                report::print(&format!("next: kubewright status{flags}; kubewright kubeconfig{flags} --to admin.conf"));
            }
        }
        Ok(Exit::Done)
    }
}
