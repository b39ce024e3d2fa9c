//! What of the objects that no add-on has any more is removed.

use clap::ValueEnum;

use crate::kube::Pruning;

/// Flags about what is no longer wanted.
#[derive(Debug, clap::Args)]
pub(super) struct PruneArgs {
    /// What is removed of the objects that an add-on has no longer
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Prune::KeepData, env = "KUBEWRIGHT_PRUNE")]
    prune: Prune,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Prune {
    /// All but namespaces, volumes and CustomResourceDefinitions: data of users go with them
    KeepData,
    /// All of them
    Everything,
}

impl PruneArgs {
    pub(super) fn pruning(&self) -> Pruning {
        match self.prune {
            Prune::KeepData => Pruning::KeepData,
            Prune::Everything => Pruning::Everything,
        }
    }
}
