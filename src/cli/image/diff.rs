//! `kubewright image diff`.

use super::super::{Exit, Failure};
use super::{RegistryArgs, megabytes, with_progress};
use crate::cluster::ImageReference;
use crate::image::{self, Changed, Component, Difference, OpenImage};
use crate::report::{self, Format};

/// Show what changes from one image to another, and what an upgrade sends
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The image before
    #[arg(value_name = "BEFORE")]
    before: String,
    /// The image after
    #[arg(value_name = "AFTER")]
    after: String,
    /// How to show it
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
    #[command(flatten)]
    registries: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let access = self.registries.access();
        let open =
            |reference: String| with_progress(&access.progress, image::open(&ImageReference(reference), &access));
        let (before, after) = (open(self.before)?, open(self.after)?);
        let difference = image::compare(&before.manifest, &after.manifest);
        match self.output {
            Format::Human => report::print(&as_text(&before, &after, &difference)),
            Format::Json => report::print(&serde_json::to_string_pretty(&as_json(&before, &after, &difference))?),
        }
        Ok(Exit::Done)
    }
}

fn version(component: Option<&Component>) -> String {
    component.map_or("-".to_owned(), |component| component.version.clone())
}

fn as_text(before: &OpenImage, after: &OpenImage, difference: &Difference) -> String {
    let row = |one: &Changed| {
        let size = one.after.as_ref().map_or(String::new(), |after| megabytes(after.blob.size));
        let versions = [version(one.before.as_ref()), version(one.after.as_ref())];
        [vec![one.name.clone()], versions.to_vec(), vec![one.fate().as_str().to_owned(), size]].concat()
    };
    let table = report::table(
        &["COMPONENT", "BEFORE", "AFTER", "LAYER", "SIZE"],
        &difference.components.iter().map(row).collect::<Vec<_>>(),
    );
    let head = |image: &OpenImage| format!("{} (Kubernetes {})", image.digest, image.manifest.kubernetes);
    let sent: Vec<_> = difference.sent.iter().map(|(role, bytes)| format!("{role} {}", megabytes(*bytes))).collect();
    format!("- {}\n+ {}\n\n{table}\n\nan upgrade sends, by role: {}", head(before), head(after), sent.join(", "))
}

fn as_json(before: &OpenImage, after: &OpenImage, difference: &Difference) -> serde_json::Value {
    let side = |image: &OpenImage| {
        serde_json::json!({
            "reference": image.reference(), "digest": image.digest, "kubernetes": image.manifest.kubernetes,
        })
    };
    let component = |one: &Changed| {
        serde_json::json!({
            "name": one.name, "before": one.before, "after": one.after, "layer": one.fate().as_str(),
        })
    };
    let sent: serde_json::Map<_, _> =
        difference.sent.iter().map(|(role, bytes)| (role.as_str().to_owned(), (*bytes).into())).collect();
    serde_json::json!({
        "before": side(before),
        "after": side(after),
        "components": difference.components.iter().map(component).collect::<Vec<_>>(),
        "sent": sent,
    })
}
