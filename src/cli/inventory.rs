//! The flag that every verb with an inventory has.

use std::io::IsTerminal;
use std::path::PathBuf;

use super::Failure;
use crate::cluster::Cluster;
use crate::inventory::{self, Style};

/// Where the inventory is.
#[derive(Debug, clap::Args)]
pub struct InventoryArgs {
    /// Inventory file, or - for standard input
    #[arg(short, long, value_name = "FILE", env = "KUBEWRIGHT_INVENTORY")]
    pub inventory: PathBuf,
}

impl InventoryArgs {
    /// The flag as it is needed again for the next command; empty where the environment names the file.
    pub(super) fn flags(&self) -> String {
        let path = self.inventory.as_os_str();
        if std::env::var_os("KUBEWRIGHT_INVENTORY").is_some_and(|named| named == path) {
            return String::new();
        }
        format!(" -i {}", self.inventory.display())
    }

    /// The cluster of the inventory; a report of all errors is the failure.
    pub fn load(&self) -> Result<Cluster, Failure> {
        inventory::load(&self.inventory).map_err(failure)
    }
}

/// What is printed about an inventory that is none; exit code 65.
pub(super) fn failure(error: inventory::Error) -> Failure {
    match error {
        inventory::Error::Invalid(report) => Failure::inventory(report.render(style())),
        error @ inventory::Error::Read { .. } => Failure::inventory(format!("error: {error}")),
    }
}

fn style() -> Style {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if colour { Style::Colour } else { Style::Plain }
}
