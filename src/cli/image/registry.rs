//! How registries are reached, as it is given on the command line.

use std::path::PathBuf;

use crate::image::{Access, Mirror, RegistryOptions};

/// Where they stand in the help; of each alone, because a heading for all would go on over the flags that follow.
const REGISTRIES: &str = "Registries";

#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct RegistryArgs {
    /// Take what would come from HOST, files and container images, from there; may be given several times
    #[arg(long = "mirror", help_heading = REGISTRIES, value_name = "HOST=URL", env = "KUBEWRIGHT_MIRRORS", value_delimiter = ' ')]
    mirrors: Vec<Mirror>,
    /// A certificate authority that registries and mirrors are trusted by, besides those of the system (PEM)
    #[arg(long = "ca", help_heading = REGISTRIES, value_name = "FILE", env = "KUBEWRIGHT_REGISTRY_CA")]
    authorities: Vec<PathBuf>,
    /// A registry that is spoken to without TLS
    #[arg(long, help_heading = REGISTRIES, value_name = "HOST[:PORT]", env = "KUBEWRIGHT_PLAIN_HTTP", value_delimiter = ' ')]
    plain_http: Vec<String>,
}

impl RegistryArgs {
    pub(in crate::cli) fn options(&self) -> RegistryOptions {
        RegistryOptions {
            authorities: self.authorities.clone(),
            plain_http: self.plain_http.clone(),
            mirrors: self.mirrors.clone(),
        }
    }

    /// Access to images by these registries.
    pub(in crate::cli) fn access(&self) -> Access {
        Access { registries: self.options(), ..Access::default() }
    }
}
