//! `kubewright schema`.

use super::{Exit, Failure};
use crate::{inventory, report};

/// Print the JSON Schema of the inventory
///
/// Editors complete and check inventories with it; what `kubewright init` prints begins with the line by which the YAML
/// language server finds the published one. Without internet, write it to a file and name that: # yaml-language-server:
/// $schema=inventory.json
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        report::print(&serde_json::to_string_pretty(&inventory::schema())?);
        Ok(Exit::Done)
    }
}
