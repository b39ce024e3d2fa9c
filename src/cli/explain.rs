//! `kubewright explain`.

use serde_json::json;

use super::{Exit, Failure};
use crate::desired::kernel::profile::{ROWS, Row, Value};
use crate::desired::sysctl::Direction;
use crate::report::{self, Format};

/// Explain what kubewright sets on hosts, and why
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    topic: Topic,
}

#[derive(Debug, clap::Subcommand)]
enum Topic {
    /// Every kernel setting of the default profile: value, direction, kernels, hosts and the reason
    #[command(after_help = "A setting of the inventory wins: `spec.kernel.sysctls`, or `kernel.sysctls` of a host.\n\
        `kernel.profile: none` leaves only what is marked as required.")]
    Kernel {
        /// Output format
        #[arg(short, long, value_enum, default_value_t = Format::Human, env = "KUBEWRIGHT_OUTPUT")]
        output: Format,
    },
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let Topic::Kernel { output } = self.topic;
        match output {
            Format::Human => {
                let header = ["KEY", "VALUE", "KERNELS", "HOSTS", "WHY"];
                report::print(&report::table(&header, &ROWS.iter().map(row).collect::<Vec<_>>()));
            }
            Format::Json => ROWS.iter().for_each(|row| report::print(&object(row).to_string())),
        }
        Ok(Exit::Done)
    }
}

fn value(row: &Row) -> &'static str {
    match row.value {
        Value::Fixed(value) => value,
        Value::Of { formula, .. } => formula,
    }
}

fn row(row: &Row) -> Vec<String> {
    let direction = match row.direction {
        Direction::Exactly => "",
        Direction::AtLeast => "≥ ",
        Direction::AtMost => "≤ ",
    };
    let required = if row.required { ", required" } else { "" };
    vec![
        row.key.to_owned(),
        format!("{direction}{}", value(row)),
        row.kernels(),
        format!("{}{required}", row.when.as_str()),
        row.why.to_owned(),
    ]
}

fn object(row: &Row) -> serde_json::Value {
    json!({
        "key": row.key,
        "value": value(row),
        "direction": row.direction,
        "kernels": row.kernels(),
        "hosts": row.when,
        "required": row.required,
        "why": row.why,
    })
}
