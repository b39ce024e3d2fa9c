//! `kubewright lab up`.

use std::time::Instant;

use super::{Exit, Failure, Which, progress};
use crate::lab::{EndpointChoice, Lab, LabError, Memory, Options, Places, Up};
use crate::report;

/// Start hosts and wait until they answer
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    lab: Which,
    /// Hosts of the control plane, which also run etcd
    #[arg(long, value_name = "N", default_value_t = 3)]
    masters: u8,
    /// Workers
    #[arg(long, value_name = "N", default_value_t = 2)]
    workers: u8,
    /// Hosts that run etcd instead of the masters
    #[arg(long, value_name = "N", default_value_t = 0)]
    dedicated_etcd: u8,
    /// Debian release of the hosts
    #[arg(long, default_value = "bookworm")]
    release: String,
    /// Memory of each master
    #[arg(long, value_name = "SIZE", default_value = "3G")]
    memory_master: Memory,
    /// Memory of each worker and dedicated etcd host
    #[arg(long, value_name = "SIZE", default_value = "2G")]
    memory_worker: Memory,
    /// Size of a blank disk that every host gets, /dev/ubdc and on; may be given several times
    #[arg(long = "disk", value_name = "SIZE")]
    disks: Vec<Memory>,
    /// Mode of the endpoint in the inventory
    #[arg(long, value_enum, default_value = "local")]
    endpoint: EndpointChoice,
    /// Cluster image in the inventory [default: images/debian-12 in the cache]
    #[arg(long, value_name = "REFERENCE")]
    image: Option<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let begin = Instant::now();
        let options = Options {
            name: self.lab.name,
            masters: self.masters,
            workers: self.workers,
            dedicated_etcd: self.dedicated_etcd,
            release: self.release,
            memory_master: self.memory_master,
            memory_worker: self.memory_worker,
            disks: self.disks,
            endpoint: self.endpoint,
            image: self.image,
        };
        let up = Lab::up(&Places::from_environment()?, &options, &progress);
        let (lab, outcome) = up.map_err(|error| match error {
            LabError::Option(message) => Failure::usage(message),
            other => other.into(),
        })?;
        let (name, count) = (lab.name(), lab.hosts().len());
        progress(&match outcome {
            Up::Already => format!("the lab {name} is up already: {count} hosts"),
            Up::Started => format!("the lab {name} is up: {count} hosts in {} s", begin.elapsed().as_secs()),
        });
        progress(&format!("next: kubewright lab exec --name {name} -- kubewright validate"));
        report::print(&lab.inventory().display().to_string());
        Ok(Exit::Done)
    }
}
