//! `kubewright validate`.

use std::path::Path;

use super::inventory::failure;
use super::{Exit, Failure, InventoryArgs};
use crate::cluster::{Cluster, EndpointMode, Role};
use crate::image::{self, Location, OpenImage};
use crate::report::Format;
use crate::run::{self, AddonsChecked};
use crate::{inventory, report};

/// Check an inventory and its add-ons, and report every error
///
/// Exits with 0 when the inventory is valid, and with 65 when it is not. Nothing is contacted; files that the inventory names
/// are looked at where they are on this machine.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    inventory: InventoryArgs,
    /// Output format: for people, or one JSON object per error
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let (cluster, named_files) = match (inventory::validate(&self.inventory.inventory), self.output) {
            (Ok(valid), _) => valid,
            (Err(inventory::Error::Invalid(report)), Format::Json) => {
                for finding in report.findings() {
                    report::print(&serde_json::to_string(finding)?);
                }
                report.left_out().into_iter().for_each(|told| report::print_error(&format!("note: {told}")));
                return Ok(Exit::Code(65));
            }
            (Err(error), Format::Human) => {
                let left_out = match &error {
                    inventory::Error::Invalid(report) => report.left_out(),
                    inventory::Error::Read { .. } => None,
                };
                let failed = failure(error);
                return Err(match left_out {
                    Some(told) => Failure::inventory(format!("{}\nnote: {told}", failed.message.trim_end())),
                    None => failed,
                });
            }
            (Err(error), Format::Json) => return Err(failure(error)),
        };
        let AddonsChecked { faults, notes } = run::check_addons(&cluster, image_at_hand(&cluster).as_ref());
        match self.output {
            Format::Json => {
                for fault in &faults {
                    report::print(&serde_json::to_string(fault)?);
                }
                Ok(if faults.is_empty() { Exit::Done } else { Exit::Code(65) })
            }
            Format::Human if faults.is_empty() => {
                report::print(&summary(&cluster));
                named_files.findings().map(note).for_each(|told| report::print_error(&told));
                notes.iter().for_each(|told| report::print_error(&format!("note: {told}")));
                Ok(Exit::Done)
            }
            Format::Human => {
                let lines: Vec<String> = faults.iter().map(|fault| format!("error: {}", fault.message)).collect();
                Err(Failure::inventory(lines.join("\n")))
            }
        }
    }
}

/// The cluster image, where it lies on this machine unpacked; nothing is fetched or unpacked to check an inventory.
fn image_at_hand(cluster: &Cluster) -> Option<OpenImage> {
    match Location::parse(&cluster.image.0).ok()? {
        location @ Location::Layout { .. } => image::open_with_cache(&location, Path::new("")).ok(),
        _ => None,
    }
}

/// The cluster at a glance.
fn summary(cluster: &Cluster) -> String {
    let endpoint = &cluster.endpoint;
    let mode = match &endpoint.mode {
        EndpointMode::Local => "local".to_owned(),
        EndpointMode::Vip { vip, .. } => format!("vip {vip}"),
        EndpointMode::External { .. } => "external".to_owned(),
    };
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.add_row(["cluster", cluster.name.as_str()]);
    table.add_row(["image", &cluster.image.0]);
    table.add_row(["endpoint", &format!("{}:{} ({mode})", endpoint.host, endpoint.port)]);
    table.add_row([
        "networks",
        &format!("pods {}, services {}", cluster.network.pod_cidr, cluster.network.service_cidr),
    ]);
    for role in Role::ALL {
        table.add_row([role.as_str(), &hosts(cluster, role)]);
    }
    table.trim_fmt()
}

/// What somebody should know of an inventory that is valid.
fn note(finding: &inventory::Finding) -> String {
    let inventory::Finding { file, line, column, message, hint, .. } = finding;
    format!("note: {file}:{line}:{column}: {message}; {hint}")
}

/// How many hosts have a role, and which: all of a few, the ends of many.
fn hosts(cluster: &Cluster, role: Role) -> String {
    let names: Vec<&str> = cluster.with_role(role).map(|host| host.name.as_str()).collect();
    let list = match names.as_slice() {
        [first, second, .., last] if names.len() > 7 => format!("{first}, {second}, …, {last}"),
        few => few.join(", "),
    };
    format!("{} ({list})", names.len())
}
