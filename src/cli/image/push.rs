//! `kubewright image push`.

use super::super::{Exit, Failure};
use super::{RegistryArgs, summary, with_progress};
use crate::image::{self, Location};
use crate::report;

/// Push an image with all of its architectures and signatures to a registry
///
/// Layers that the registry has are not sent again. Logins are those of `docker login`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    source: String,
    /// Where it goes
    #[arg(value_name = "REGISTRY/NAME:TAG")]
    destination: String,
    #[command(flatten)]
    registries: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let access = self.registries.access();
        let (source, destination) = (Location::parse(&self.source)?, Location::parse(&self.destination)?);
        let moved = with_progress(&access.progress, image::push(&source, &destination, &access))?;
        let signed = if moved.signed { ", signed" } else { "" };
        report::print(&format!("{}@{}{signed}\n{}", moved.reference, moved.digest, summary(&access.progress)));
        Ok(Exit::Done)
    }
}
