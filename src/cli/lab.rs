//! `kubewright lab`.

use super::{Exit, Failure};

/// Run real hosts on this machine, for demos, tests and CI
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        Ok(Exit::Done)
    }
}
