//! `kubewright lab up`.

use std::time::Instant;

use super::shape::Shape;
use super::{Exit, Failure, Which, progress};
use crate::lab::{Lab, LabError, Options, Places, Up};
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
    #[command(flatten)]
    shape: Shape,
}

impl Args {
    pub(super) fn options(self) -> Options {
        self.shape.options(self.lab.name, self.masters, self.workers)
    }

    pub(super) fn run(self) -> Result<Exit, Failure> {
        let begin = Instant::now();
        let options = self.options();
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
