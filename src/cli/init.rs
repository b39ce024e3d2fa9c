//! `kubewright init`.

use super::{Exit, Failure};

/// Print a commented starter inventory
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        Ok(Exit::Done)
    }
}
