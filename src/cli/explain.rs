//! `kubewright explain`.

use serde_json::json;

use super::{Exit, Failure};
use crate::desired::kernel::profile::{ROWS, Row, Value, When};
use crate::desired::sysctl::Direction;
use crate::desired::tuning;
use crate::report::{self, Format, Style};

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
        The last three stand in `kernel` itself: `irq`, `transparentHugepage`, `cpuGovernor`.\n\
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
                let style = Style::stdout();
                let rows = ROWS.iter().map(|row| text(row, style));
                let rows = rows.chain(tuning::ROWS.iter().map(|row| tuning_text(row, style)));
                report::print(&rows.collect::<Vec<_>>().join("\n"));
            }
            Format::Json => {
                ROWS.iter().for_each(|row| report::print(&object(row).to_string()));
                tuning::ROWS.iter().for_each(|row| report::print(&tuning_object(row).to_string()));
            }
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

/// The key with its value, where it applies unless that is everywhere, and why.
fn text(row: &Row, style: Style) -> String {
    let direction = match row.direction {
        Direction::Exactly => "=",
        Direction::AtLeast => "≥",
        Direction::AtMost => "≤",
    };
    let mut limits = Vec::new();
    if row.when != When::Always {
        limits.push(row.when.as_str().to_owned());
    }
    if row.kernels() != "all" {
        limits.push(format!("kernels {}", row.kernels()));
    }
    if row.required {
        limits.push("required".to_owned());
    }
    let limits = if limits.is_empty() { String::new() } else { format!("  ({})", limits.join(", ")) };
    format!("{} {direction} {}{limits}\n    {}", style.bold(row.key), value(row), style.dim(row.why))
}

/// What is no sysctl, by its name in the inventory.
fn tuning_text(row: &tuning::Row, style: Style) -> String {
    let accepts = if row.accepts.is_empty() { String::new() } else { format!(" or {}", row.accepts.join(" or ")) };
    format!("{} = {}{accepts}\n    {}", style.bold(row.key), row.value, style.dim(row.why))
}

fn tuning_object(row: &tuning::Row) -> serde_json::Value {
    json!({ "setting": row.key, "value": row.value, "accepts": row.accepts, "why": row.why })
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
