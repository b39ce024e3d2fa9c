//! `kubewright lab down`.

use super::{Exit, Failure, Which, progress};
use crate::lab::{Lab, Places};

/// End a lab and remove everything of it; the base image stays in the cache
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    lab: Which,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let name = &self.lab.name;
        let was_there = Lab::down(&Places::from_environment()?, name)?;
        progress(&if was_there { format!("the lab {name} is gone") } else { format!("there is no lab {name}") });
        Ok(Exit::Done)
    }
}
