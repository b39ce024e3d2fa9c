//! `kubewright image inspect`.

use super::super::{Exit, Failure, block_on};
use super::{RegistryArgs, megabytes, with_progress};
use crate::cluster::{ImageReference, Role};
use crate::image::{self, Access, Architecture, ComponentKind, Location, OpenImage};
use crate::report::{self, Format};

/// Show what a cluster image contains
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    reference: String,
    /// How to show it
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
    /// Also read every layer and compare its digest
    #[arg(long)]
    verify: bool,
    /// Which variant to show [default: the one for this machine]
    #[arg(long, value_name = "ARCH", value_enum)]
    architecture: Option<Architecture>,
    #[command(flatten)]
    registries: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let access = Access { architecture: self.architecture, ..self.registries.access() };
        let image = with_progress(&access.progress, image::open(&ImageReference(self.reference), &access))?;
        if self.verify {
            match Location::parse(image.reference())? {
                // What was unpacked of it before says nothing about the file.
                location @ Location::Archive { .. } => {
                    block_on(image::verify(&location, &access))?.map(drop).map_err(Failure::all)?;
                }
                _ => verify(&image)?,
            }
        }
        match self.output {
            Format::Human => report::print(&as_table(&image)),
            Format::Json => report::print(&serde_json::to_string_pretty(&as_json(&image))?),
        }
        Ok(Exit::Done)
    }
}

/// Every damaged layer is told, not only the first.
fn verify(image: &OpenImage) -> Result<(), Failure> {
    let failures = image.manifest.components.iter().filter_map(|component| image.verify(&component.blob).err());
    let failures: Vec<_> = failures.collect();
    if failures.is_empty() { Ok(()) } else { Err(Failure::all(failures)) }
}

fn as_table(image: &OpenImage) -> String {
    let rows = image.manifest.components.iter().map(|component| {
        let roles: Vec<_> = component.roles.iter().map(Role::as_str).collect();
        let kind = match &component.kind {
            ComponentKind::Files => "files".to_owned(),
            ComponentKind::Manifests => "objects of Kubernetes".to_owned(),
            ComponentKind::Program => "kubewright".to_owned(),
            ComponentKind::Images(references) => references.join("\n"),
        };
        let (name, version) = (component.name.clone(), component.version.clone());
        [name, version, megabytes(component.blob.size), roles.join(", "), kind]
    });
    let table =
        report::table(&["COMPONENT", "VERSION", "SIZE", "ROLES", "CONTENT"], &rows.map(Vec::from).collect::<Vec<_>>());
    let total: u64 = image.manifest.components.iter().map(|component| component.blob.size).sum();
    let (name, kubernetes) = (&image.manifest.name, image.manifest.kubernetes);
    format!("{name}: Kubernetes {kubernetes}, {}\n{}\n\n{table}", megabytes(total), image.digest)
}

fn as_json(image: &OpenImage) -> serde_json::Value {
    serde_json::json!({ "reference": image.reference(), "digest": image.digest, "image": image.manifest })
}
