//! The local state directory of a cluster: a cache of its keys, and the logs of runs. Losing it loses nothing.

use std::path::{Path, PathBuf};

use crate::cluster::ClusterName;
use crate::pki::Store;

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

    /// The cache of the cluster's keys: `pki/` and `admin.conf`.
    pub fn keys(&self) -> Store {
        Store::new(&self.0)
    }

    /// Removes the cached keys; none there is fine.
    pub fn forget_keys(&self) -> std::io::Result<()> {
        let absent = |result: std::io::Result<()>| match result {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        absent(std::fs::remove_file(self.0.join("admin.conf")))?;
        absent(std::fs::remove_dir_all(self.0.join("pki")))
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
