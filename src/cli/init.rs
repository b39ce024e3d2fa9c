//! `kubewright init`.

use std::path::Path;

use super::{Exit, Failure, block_on_interruptibly};
use crate::cluster::ClusterName;
use crate::migrate::{self, File, Migrated, Source};
use crate::{inventory, kube, report};

/// Print a commented starter inventory, or one made from another tool's
///
/// With --from, the inventory of another tool is read, and one that says the same is printed. What could not be carried
/// over stands at its end, and in short on standard error. Nothing is contacted unless a running cluster is named.
///
/// kubewright installs on bare hosts: it takes over no cluster that runs.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Name of the cluster [default: my-cluster, or what the other tool's inventory says]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where to start from: kubespray:DIR (or the file with its hosts), k0sctl:FILE, kubeadm[:KUBECONFIG] for a running
    /// cluster, kubeadm:DIR for its documents as files
    #[arg(long, value_name = "SOURCE")]
    from: Option<Source>,
}

const EXAMPLES: &str = "\
Examples:
  kubewright init --name prod-bj1 > cluster.yaml
  kubewright init --from kubespray:inventory/mycluster > cluster.yaml
  kubewright init --from k0sctl:k0sctl.yaml --name prod-bj1 > cluster.yaml
  kubewright init --from kubeadm > cluster.yaml                        # the cluster of $KUBECONFIG or ~/.kube/config
  kubectl get nodes -o yaml > old/nodes.yaml
  kubectl -n kube-system get configmaps,daemonsets -o yaml > old/kube-system.yaml
  kubewright init --from kubeadm:old > cluster.yaml                    # the same without a connection

The inventory is valid as it is printed; lines that say CHANGE ME want a decision. Check it with `kubewright validate`, then ask
`kubewright preflight` about the hosts.";

/// The name in the starter inventory.
const PLACEHOLDER: &str = "my-cluster";

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let name = self.name.as_deref().map(name).transpose()?;
        let Some(source) = self.from else {
            report::print(&name.map_or_else(|| inventory::starter().to_owned(), |name| starter(&name)));
            return Ok(Exit::Done);
        };
        let Migrated { text, summary } = match source.running() {
            Some(kubeconfig) => from_cluster(kubeconfig, name.as_ref())?,
            None => migrate::from_files(&source, name.as_ref()).map_err(failure)?,
        };
        report::print(&text);
        report::print_error(&summary);
        Ok(Exit::Done)
    }
}

/// Asks the cluster of a kubeconfig.
fn from_cluster(kubeconfig: Option<&Path>, name: Option<&ClusterName>) -> Result<Migrated, Failure> {
    let documents = block_on_interruptibly(kube::documents(kubeconfig))??;
    let documents: Vec<File> =
        documents.iter().map(|document| File { name: "the API".into(), text: document.to_string() }).collect();
    let from = kubeconfig.map_or_else(|| "a running cluster".into(), |path| path.display().to_string());
    migrate::from_cluster(&from, &documents, name).map_err(failure)
}

fn name(text: &str) -> Result<ClusterName, Failure> {
    let refuse = |why| Failure::usage(format!("the name {text:?} {why}; use one such as prod-bj1"));
    ClusterName::parse(text).map_err(refuse)
}

/// What is wrong with another tool's inventory is wrong with what it would become.
fn failure(error: migrate::Error) -> Failure {
    match error {
        error @ migrate::Error::Invalid(_) => Failure::inventory(error.to_string()),
        error => Failure::inventory(format!("error: {error}")),
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
