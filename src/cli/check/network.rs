//! `kubewright check network`.

use super::super::session::SessionArgs;
use super::super::{Exit, Failure};
use crate::report::{self, Format, Style};
use crate::run;

/// Try the network between pods: every node to every other, Services, NodePorts, DNS
///
/// A pod of kubewright's own serves on every node for as long as the check takes, from an image of the cluster image.
/// Ways are tried from within these pods and from the nodes themselves; between pods with packets of full size, so that
/// an MTU that does not fit is seen. With more than 50 nodes each tries a few of its own rack and one of each other.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 all ways work, 1 some do not, 65 invalid inventory, 75 a run is at work

Examples:
  kubewright check network -i inventory.yaml
  kubewright check network -i inventory.yaml -o json | jq '.tried[]? | select(.broken)'")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    session: SessionArgs,
}

impl Args {
    pub(in crate::cli) fn run(self) -> Result<Exit, Failure> {
        let session = self.session.load()?;
        let seen = session.run("check-network", run::check_network)?;
        match session.output {
            Format::Json => report::print(&serde_json::to_string(&seen)?),
            Format::Human => report::print(&report::connectivity(&seen, Style::stdout())),
        }
        Ok(if seen.is_whole() { Exit::Done } else { Exit::Code(1) })
    }
}
