//! `kubewright lab reap`, which `lab run` leaves to take its lab away.

use super::{Exit, Failure, Which};
use crate::lab::{self, Places};

/// Wait for the end of standard input, and take a lab away
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    lab: Which,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        lab::reap(&Places::from_environment()?, &self.lab.name)?;
        Ok(Exit::Done)
    }
}
