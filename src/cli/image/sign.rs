//! `kubewright image sign`.

use std::path::PathBuf;

use super::super::{Exit, Failure};
use super::{RegistryArgs, with_progress};
use crate::image::{self, Location, Signed};
use crate::report;

/// Sign an image with a private key
///
/// The signature is put beside the image, in a directory or registry, in the format of cosign. Inventories demand it by
/// `imageTrust`. Make keys with openssl:
/// openssl ecparam -name prime256v1 -genkey -noout -out KEY; openssl pkey -in KEY -pubout -out KEY.pub
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The image: REGISTRY/NAME:TAG or oci:DIR[:TAG]
    #[arg(value_name = "IMAGE")]
    reference: String,
    /// The private key: PEM, ECDSA on P-256, not encrypted
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    registries: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let access = self.registries.access();
        let location = Location::parse(&self.reference)?;
        let (digest, signed) = with_progress(&access.progress, image::sign(&location, &self.key, &access))?;
        let how = match signed {
            Signed::Now => "signed",
            Signed::Before => "was signed with this key before",
        };
        report::print(&format!("{location}\n{digest}\n{how}"));
        Ok(Exit::Done)
    }
}
