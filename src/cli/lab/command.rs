//! `kubewright lab ssh` and `kubewright lab exec`.

use std::ffi::OsString;

use clap_complete::ArgValueCompleter;

use super::{Exit, Failure, Which};
use crate::cli::grammar::hosts_of_lab;

/// Log in to a host, or run a command on it
#[derive(Debug, clap::Args)]
pub(super) struct SshArgs {
    #[command(flatten)]
    lab: Which,
    /// Host, as root unless told otherwise; ops has sudo without a password, opspw with one
    #[arg(value_name = "[USER@]HOST", add = ArgValueCompleter::new(hosts_of_lab))]
    host: String,
    /// Command to run there
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl SshArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let lab = self.lab.open()?;
        Err(lab.become_command(&lab.ssh(&self.host, &self.command)?).into())
    }
}

/// Run a command that sees the hosts, with the lab's inventory and kubeconfig in its environment
#[derive(Debug, clap::Args)]
pub(super) struct ExecArgs {
    #[command(flatten)]
    lab: Which,
    /// Command to run
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl ExecArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        Err(self.lab.open()?.become_command(&self.command).into())
    }
}
