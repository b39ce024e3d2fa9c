//! `kubewright image pull`.

use super::super::{Exit, Failure};
use super::{RegistryArgs, summary, with_progress};
use crate::image::{self, Location};
use crate::report;

/// Fetch an image with all of its architectures and signatures into the store of this machine
///
/// An interrupted pull goes on where it stopped. `install` and the other verbs take the image from the store.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The image
    #[arg(value_name = "REGISTRY/NAME:TAG[@DIGEST]")]
    reference: String,
    /// Also copy it there: oci:DIR:TAG or oci-archive:FILE
    #[arg(short, long, value_name = "LOCATION")]
    output: Option<String>,
    #[command(flatten)]
    registries: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let access = self.registries.access();
        let source = Location::parse(&self.reference)?;
        let destination = self.output.as_deref().map(Location::parse).transpose()?;
        let Location::Registry(reference) = &source else {
            let hint = "use `kubewright image load` or `kubewright image save`";
            return Err(Failure::usage(format!("{source} is on this machine; {hint}")));
        };
        let moved = with_progress(&access.progress, image::pull(reference, &access))?;
        let signed = if moved.signed { ", signed" } else { "" };
        report::print(&format!("{}@{}{signed}\n{}", moved.reference, moved.digest, summary(&access.progress)));
        if let Some(destination) = destination {
            let copied = with_progress(&access.progress, image::copy(&source, &destination, &access))?;
            report::print(&copied.reference);
        }
        Ok(Exit::Done)
    }
}
