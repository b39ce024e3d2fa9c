//! `kubewright agent`.

use std::path::PathBuf;

use super::{Exit, Failure, block_on};
use crate::host::agent::{self, End};

const BUFFER: usize = 1 << 20;

/// Serve one installer on standard input and output (run on hosts, by the installer)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Directory that stands for the host's root
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let code = block_on(async {
            // Each read of standard input costs a switch to another thread, so it takes what there is.
            let stdin = tokio::io::BufReader::with_capacity(BUFFER, tokio::io::stdin());
            // Dropped by the end of the process only: the run lock goes with it, and work on other threads must not
            // go on without the lock.
            let ended = agent::serve(self.root, stdin, tokio::io::stdout()).await;
            let code = match &ended.why {
                End::Closed => 0,
                why => {
                    crate::report::print_error(&format!("agent: {why}"));
                    1
                }
            };
            std::process::exit(code)
        })?;
        Ok(code)
    }
}
