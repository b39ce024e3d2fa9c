//! `kubewright lab status`.

use super::{Exit, Failure, Which};
use crate::lab::Status;
use crate::report::{self, Format};

/// Show the hosts of a lab
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    lab: Which,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let status = self.lab.open()?.status()?;
        match self.output {
            Format::Human => report::print(&text(&status)),
            Format::Json => report::print(&serde_json::to_string_pretty(&status)?),
        }
        Ok(Exit::Done)
    }
}

fn text(status: &Status) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["HOST", "ADDRESS", "ROLE", "STATE", "PID"]);
    for host in &status.hosts {
        let pid = host.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        table.add_row([&host.name, &host.address.to_string(), &host.role, host.state.as_str(), &pid]);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!(
        "{}\n\nnamespace  {}\ninventory  {}\nkubeconfig {}\n",
        lines.join("\n"),
        status.namespace,
        status.inventory.display(),
        status.kubeconfig.display()
    )
}
