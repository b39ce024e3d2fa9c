//! `kubewright image verify`.

use std::path::PathBuf;

use super::super::{Exit, Failure, block_on};
use super::{RegistryArgs, megabytes};
use crate::image::{self, Access, Location};
use crate::report;

/// Read every layer of an image and compare digests; with keys, also demand a signature
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    reference: String,
    /// A public key; one of those that are given must have signed the image
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    registries: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let access = Access { keys: self.keys, ..self.registries.access() };
        let location = Location::parse(&self.reference)?;
        match block_on(image::verify(&location, &access))? {
            Ok(good) => {
                let signed = good.key.map_or(String::new(), |key| format!(", signed with {}", key.display()));
                let size = megabytes(good.size);
                report::print(&format!("{location}\n{}\n{} parts, {size}: good{signed}", good.digest, good.parts));
                Ok(Exit::Done)
            }
            Err(errors) => Err(Failure::all(errors)),
        }
    }
}
