//! `kubewright check`: looks at a living cluster by trying it.

mod network;

use clap::Subcommand;

use super::{Exit, Failure};

/// Try a living cluster
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Network(network::Args),
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.what {
            What::Network(args) => args.run(),
        }
    }
}
