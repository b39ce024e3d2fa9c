//! `kubewright validate`.

use super::{Exit, Failure};

/// Check an inventory and report every error
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        Ok(Exit::Done)
    }
}
