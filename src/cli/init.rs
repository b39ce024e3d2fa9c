//! `kubewright init`.

use super::{Exit, Failure};
use crate::cluster::ClusterName;
use crate::{inventory, report};

/// Print a commented starter inventory
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the cluster
    #[arg(long, value_name = "NAME", default_value = PLACEHOLDER)]
    name: String,
}

/// The name in the starter inventory.
const PLACEHOLDER: &str = "my-cluster";

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let name = ClusterName::parse(&self.name)
            .map_err(|why| Failure::usage(format!("the name {:?} {why}; use one such as prod-bj1", self.name)))?;
        report::print(&starter(&name));
        Ok(Exit::Done)
    }
}

fn starter(name: &ClusterName) -> String {
    inventory::starter().replace(PLACEHOLDER, name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_gets_the_name() {
        for name in ["prod-bj1", "1", "true", "1.20"] {
            let text = starter(&ClusterName::parse(name).unwrap());
            let cluster = inventory::parse("starter.yaml", &text, &|_| None).unwrap();
            assert_eq!(cluster.name.as_str(), name);
            assert!(!text.contains(PLACEHOLDER));
        }
    }
}
