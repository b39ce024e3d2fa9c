//! `kubewright image save`.

use std::path::PathBuf;

use super::super::{Exit, Failure};
use super::{RegistryArgs, with_progress};
use crate::image::{self, Location};
use crate::report;

/// Write an image with all of its architectures and signatures into one file
///
/// The file is an OCI archive, and `docker load` reads it, too: oci-archive:FILE names it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    source: String,
    /// The file; what has that name is replaced
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    registries: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let access = self.registries.access();
        let source = Location::parse(&self.source)?;
        let destination = Location::Archive { file: self.output };
        let moved = with_progress(&access.progress, image::copy(&source, &destination, &access))?;
        report::print(&format!("{}\n{}", moved.reference, moved.digest));
        Ok(Exit::Done)
    }
}
