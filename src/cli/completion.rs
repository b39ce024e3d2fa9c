//! `kubewright completion`.

use super::{Exit, Failure, grammar};
use crate::report;

/// Print shell completions
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Shell to complete for
    shell: clap_complete::Shell,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut grammar(), "kubewright", &mut script);
        report::print(&String::from_utf8_lossy(&script));
        Ok(Exit::Done)
    }
}
