//! The flag that every verb with an inventory has.

use std::path::PathBuf;

/// Where the inventory is.
#[derive(Debug, clap::Args)]
pub struct InventoryArgs {
    /// Inventory file, or - for standard input
    #[arg(short, long, value_name = "FILE", env = "KUBEWRIGHT_INVENTORY")]
    pub inventory: PathBuf,
}
