//! `kubewright man`.

use std::path::PathBuf;

use super::grammar::grammar;
use super::{Exit, Failure};
use crate::report;

/// Write the manual pages to a directory
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: kubewright man /usr/local/share/man/man1")]
pub(super) struct Args {
    /// Directory, made where it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(format!("cannot write manual pages to {}: {error}", self.directory.display()))
        };
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        clap_mangen::generate_to(grammar(), &self.directory).map_err(failed)?;
        report::print_error(&format!(
            "written to {}; man -l {}/kubewright.1 shows the first",
            self.directory.display(),
            self.directory.display()
        ));
        Ok(Exit::Done)
    }
}
