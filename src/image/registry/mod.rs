//! The client of OCI registries: resolve, read, write.
//!
//! On reqwest, which is here anyway, instead of `oci-client`: that crate neither takes over docker's logins with
//! identity tokens, nor mirrors with a path, nor goes on with a broken download, and its errors do not say what to do.

mod challenge;
mod client;
mod credentials;
mod download;
mod endpoint;
mod error;
mod hand_over;
mod helper;
mod host;
mod login;
mod options;
mod progress;
mod read;
mod token;
mod upload;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;

pub(super) use client::download_client;
pub(crate) use client::http_client;
use endpoint::Access;
pub use error::RegistryError;
pub use hand_over::BlobAccess;
use host::Host;
pub use options::{Mirror, RegistryOptions};
pub use progress::Progress;

/// The registries of a run. Connections, logins and tokens are kept for as long as it lives.
#[derive(Debug)]
pub struct Registry {
    options: RegistryOptions,
    /// Docker's config.json.
    logins: Option<PathBuf>,
    /// Directories with a subdirectory of authorities per registry.
    authorities: Vec<PathBuf>,
    hosts: Mutex<BTreeMap<(String, Access), Arc<Host>>>,
}

impl Registry {
    /// Nothing is read and nobody is asked before the first use.
    pub fn new(options: RegistryOptions) -> Self {
        Self {
            options,
            logins: credentials::path(),
            authorities: client::directories(),
            hosts: Mutex::new(BTreeMap::new()),
        }
    }

    /// The host that answers for `registry`.
    async fn host(&self, registry: &str, access: Access) -> Result<Arc<Host>, RegistryError> {
        let mut hosts = self.hosts.lock().await;
        let key = (registry.to_owned(), access);
        if let Some(host) = hosts.get(&key) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(Host::find(self, registry, access).await?);
        hosts.insert(key, Arc::clone(&host));
        Ok(host)
    }
}

/// Whether `registry` is on this machine, and for this machine alone.
pub(super) fn is_local(registry: &str) -> bool {
    reqwest::Url::parse(&format!("https://{registry}")).is_ok_and(|url| endpoint::is_loopback(&url))
}

/// The error with its causes: the outermost message alone does not say what happened.
pub(crate) fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
