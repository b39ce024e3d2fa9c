//! The local state directory of a cluster: a cache of its keys, and the logs of runs. Losing it loses nothing.

use std::path::{Path, PathBuf};

use crate::cluster::ClusterName;

/// `$KUBEWRIGHT_STATE_DIR`, `$XDG_STATE_HOME/kubewright` or `~/.local/state/kubewright`, and the cluster's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDirectory(PathBuf);

impl StateDirectory {
    /// The directory of `cluster`; not created.
    pub fn of(cluster: &ClusterName) -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = variable("KUBEWRIGHT_STATE_DIR")
            .or_else(|| variable("XDG_STATE_HOME").map(|state| state.join("kubewright")))
            .or_else(|| variable("HOME").map(|home| home.join(".local/state/kubewright")))
            .unwrap_or_else(|| PathBuf::from("/var/lib/kubewright/state"));
        Self(base.join(cluster.as_str()))
    }

    /// Where keys are cached.
    pub fn keys(&self) -> PathBuf {
        self.0.join("pki")
    }

    /// Removes the cached keys; none there is fine.
    pub fn forget_keys(&self) -> std::io::Result<()> {
        match std::fs::remove_dir_all(self.keys()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Where logs are.
    pub fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }
}
