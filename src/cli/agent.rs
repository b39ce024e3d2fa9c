//! `kubewright agent`.

use super::{Exit, Failure};

/// Serve one installer on standard input and output (run on hosts, by the installer)
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        Ok(Exit::Done)
    }
}
