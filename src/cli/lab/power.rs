//! `kubewright lab kill`, `start`, `cut` and `heal`.

use clap_complete::ArgValueCompleter;

use super::{Exit, Failure, Which, progress};
use crate::cli::grammar::hosts_of_lab;

/// Which host of which lab.
#[derive(Debug, clap::Args)]
struct Host {
    #[command(flatten)]
    lab: Which,
    /// Host
    #[arg(add = ArgValueCompleter::new(hosts_of_lab))]
    host: String,
}

/// Cut the power of a host; it stays off until `start`
#[derive(Debug, clap::Args)]
pub(super) struct KillArgs {
    #[command(flatten)]
    target: Host,
}

impl KillArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        self.target.lab.open()?.kill(&self.target.host)?;
        Ok(Exit::Done)
    }
}

/// Switch on a host that was killed or shut down, and wait until it answers
#[derive(Debug, clap::Args)]
pub(super) struct StartArgs {
    #[command(flatten)]
    target: Host,
}

impl StartArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        if !self.target.lab.open()?.start(&self.target.host, &progress)? {
            progress(&format!("{} was on already", self.target.host));
        }
        Ok(Exit::Done)
    }
}

/// Pull the network cable of a host
#[derive(Debug, clap::Args)]
pub(super) struct CutArgs {
    #[command(flatten)]
    target: Host,
}

impl CutArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        self.target.lab.open()?.cut(&self.target.host)?;
        Ok(Exit::Done)
    }
}

/// Plug in the network cable of a host
#[derive(Debug, clap::Args)]
pub(super) struct HealArgs {
    #[command(flatten)]
    target: Host,
}

impl HealArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        self.target.lab.open()?.heal(&self.target.host)?;
        Ok(Exit::Done)
    }
}
