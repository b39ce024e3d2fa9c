//! `kubewright etcd`.

mod verify;

use super::{Exit, Failure};

/// Look after etcd and its snapshots
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Look after snapshots of etcd
    #[command(subcommand)]
    Snapshot(Snapshot),
}

#[derive(Debug, clap::Subcommand)]
enum Snapshot {
    Verify(verify::Args),
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Snapshot(Snapshot::Verify(args)) => args.run(),
        }
    }
}
