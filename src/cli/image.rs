//! `kubewright image`.

use super::{Exit, Failure};

/// Build and inspect cluster images
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        Ok(Exit::Done)
    }
}
