//! The flags of verbs that make a lab: what its hosts are like.

use crate::lab::{EndpointChoice, LabName, Memory, Options};

/// What the hosts of a lab are like.
#[derive(Debug, clap::Args)]
pub(super) struct Shape {
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

impl Shape {
    /// With the name and the number of hosts, all that a lab is.
    pub(super) fn options(self, name: LabName, masters: u8, workers: u8) -> Options {
        Options {
            name,
            masters,
            workers,
            dedicated_etcd: self.dedicated_etcd,
            release: self.release,
            memory_master: self.memory_master,
            memory_worker: self.memory_worker,
            disks: self.disks,
            endpoint: self.endpoint,
            image: self.image,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::lab::up;

    /// `lab run` starts its lab by `lab up`, in another process.
    #[test]
    fn what_a_lab_is_survives_its_way_over_the_command_line() {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            up: up::Args,
        }
        let memory = Memory::mebibytes(1536);
        let options = Options {
            masters: 1,
            workers: 0,
            dedicated_etcd: 3,
            release: "trixie".into(),
            memory_master: memory,
            memory_worker: Memory::mebibytes(4096),
            disks: vec![memory, memory],
            endpoint: EndpointChoice::Vip,
            image: Some("oci:a b".into()),
            ..Options::new("ci-7".parse().unwrap())
        };
        let line = Line::parse_from(std::iter::once("up".to_owned()).chain(options.arguments()));
        assert_eq!(line.up.options(), options);
    }
}
