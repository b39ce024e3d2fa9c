//! By what one cluster is told from another.

use super::KubeError;
use super::api::Api;

impl Api {
    /// The UID of the namespace kube-system; every cluster has its own.
    pub async fn cluster_uid(&self) -> Result<Option<String>, KubeError> {
        let namespace = self.find("/api/v1/namespaces", "Namespace kube-system", "kube-system").await?;
        Ok(namespace.and_then(|namespace| Some(namespace["metadata"]["uid"].as_str()?.to_owned())))
    }
}
