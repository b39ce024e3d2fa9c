//! `kubewright image load`.

use std::path::PathBuf;

use super::super::{Exit, Failure};
use super::{RegistryArgs, with_progress};
use crate::cluster::RegistryReference;
use crate::image::{self, Location};
use crate::report;

/// Take the image in a file into the store of this machine
///
/// The file is what `image save`, `docker save` or skopeo wrote.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The file
    file: PathBuf,
    /// Its name in the store [default: the one in the file, or localhost/NAME:TAG]
    #[arg(value_name = "REGISTRY/NAME:TAG")]
    name: Option<String>,
    #[command(flatten)]
    registries: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let access = self.registries.access();
        let name = self.name.as_deref().map(RegistryReference::parse).transpose();
        let name = name.map_err(|reason| Failure::usage(format!("the name of the image: {reason}")))?;
        let source = Location::DockerArchive { file: self.file };
        let moved = with_progress(&access.progress, image::load(&source, name.as_ref(), &access))?;
        let signed = if moved.signed { ", signed" } else { "" };
        report::print(&format!("{}@{}{signed}", moved.reference, moved.digest));
        Ok(Exit::Done)
    }
}
