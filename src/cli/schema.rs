//! `kubewright schema`.

use super::{Exit, Failure};
use crate::{inventory, report};

/// Print the JSON Schema of the inventory
///
/// Editors complete and check inventories with it. With the YAML language server, put this line at the top of the
/// inventory: # yaml-language-server: $schema=kubewright.schema.json
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        report::print(&serde_json::to_string_pretty(&inventory::schema())?);
        Ok(Exit::Done)
    }
}
