//! `kubewright host`: what a host does for itself.

use std::path::{Path, PathBuf};

use super::{Exit, Failure, block_on};
use crate::desired::snapshots::SETTINGS as SNAPSHOTS;
use crate::host::autosave::{self, Outcome};
use crate::host::protocol::QueueRow;
use crate::host::tune;
use crate::report::{self, Format};

const SETTINGS: &str = "/etc/kubewright/boot.json";

/// Look at the host that this runs on, and tune it (run on hosts, by their own units)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show which CPU works on which queue of which network card, and where it should be
    #[command(after_help = "CPU a → b: the interrupt may go to a and should go to b; `tune` puts it there.\n\
        RPS: CPUs that share the work of received packets. XPS: CPUs whose senders use the queue.")]
    Irq {
        /// Output format
        #[arg(short, long, value_enum, default_value_t = Format::Human, env = "KUBEWRIGHT_OUTPUT")]
        output: Format,
        /// Settings, by default those that `install` has left on this host; without any, what it would do by default
        settings: Option<PathBuf>,
    },
    /// Save etcd, if it is this host's turn
    Snapshot {
        /// Settings that `install` has left on this host
        #[arg(default_value = SNAPSHOTS)]
        settings: PathBuf,
    },
    /// Tell the kernel again what it forgets at a reboot
    Tune {
        /// Settings that `install` has left on this host
        #[arg(default_value = SETTINGS)]
        settings: PathBuf,
        /// Network card that has just come: wait until it is up
        #[arg(long, value_name = "INTERFACE")]
        wait_for: Option<String>,
    },
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let root = Path::new("/");
        match self.verb {
            Verb::Irq { output, settings } => {
                let left = PathBuf::from(SETTINGS);
                let settings = settings.or_else(|| left.exists().then_some(left));
                let rows = tune::queues(root, settings.as_deref()).map_err(Failure::of_host)?;
                match output {
                    Format::Human if rows.is_empty() => {
                        report::print("no network card of this host is up and has interrupts of its own");
                    }
                    Format::Human => report::print(&table(&rows)),
                    Format::Json => {
                        for row in &rows {
                            report::print(&serde_json::to_string(row)?);
                        }
                    }
                }
            }
            Verb::Snapshot { settings } => {
                match block_on(autosave::save(root, &settings))?.map_err(Failure::of_host)? {
                    Outcome::SavedBy(host) => report::print(&format!("{host} has saved already")),
                    Outcome::Saved(places) => places.iter().for_each(|place| report::print(&format!("saved {place}"))),
                }
            }
            Verb::Tune { settings, wait_for } => {
                let parts = tune::tune(root, &settings, wait_for.as_deref()).map_err(Failure::of_host)?;
                for change in parts.iter().flat_map(|part| &part.changes) {
                    report::print(&format!("{}: {}", change.resource, change.summary));
                }
            }
        }
        Ok(Exit::Done)
    }
}

fn table(rows: &[QueueRow]) -> String {
    let header = ["NIC", "QUEUE", "INTERRUPT", "NAME", "CPU", "NODE", "RPS", "XPS", "INTERRUPTS", "PACKETS"];
    let row = |row: &QueueRow| {
        let nic = match &row.master {
            Some(master) => format!("{} ({master})", row.nic),
            None => row.nic.clone(),
        };
        let cpu = if row.managed {
            format!("{} (managed)", row.cpus)
        } else if row.cpus == row.wanted {
            row.cpus.clone()
        } else {
            format!("{} → {}", row.cpus, row.wanted)
        };
        vec![
            nic,
            row.queue.to_string(),
            row.interrupt.to_string(),
            row.name.clone(),
            cpu,
            row.node.to_string(),
            row.receive.clone(),
            row.transmit.clone(),
            row.count.to_string(),
            row.packets.map_or_else(|| "-".to_owned(), |packets| packets.to_string()),
        ]
    };
    report::table(&header, &rows.iter().map(row).collect::<Vec<_>>())
}
