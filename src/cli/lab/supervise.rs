//! `kubewright lab supervise`, which `lab up` and `lab start` run for each host.

use std::path::PathBuf;

use super::{Exit, Failure};
use crate::lab;

/// Watch over one host of a lab
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// This process is apart from the caller's terminal already
    #[arg(long)]
    detached: bool,
    /// Directory of the lab
    lab: PathBuf,
    /// Host
    host: String,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        if self.detached {
            lab::supervise(&self.lab, &self.host)?;
        } else {
            lab::detach(&self.lab, &self.host)?;
        }
        Ok(Exit::Done)
    }
}
