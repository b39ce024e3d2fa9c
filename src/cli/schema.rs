//! `kubewright schema`.

use super::{Exit, Failure};

/// Print the JSON Schema of the inventory
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        Ok(Exit::Done)
    }
}
