//! What is needed to get at an image, beside its name.

use std::path::PathBuf;

use super::{Architecture, ImageError, Progress, RegistryOptions, cache};

/// What is needed to get at an image, beside its name. The default asks for no signature.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// How registries are reached.
    pub registries: RegistryOptions,
    /// Where the store and unpacked archives are; `None`: where this user keeps such things.
    pub cache: Option<PathBuf>,
    /// Which variant of an image is meant; `None`: the one for this program.
    pub architecture: Option<Architecture>,
    /// Public keys; where there are any, an image must have a signature by one of them.
    pub keys: Vec<PathBuf>,
    /// Counts what is transferred.
    pub progress: Progress,
}

impl Access {
    pub(super) fn cache(&self) -> Result<PathBuf, ImageError> {
        self.cache.clone().map_or_else(cache::cache_directory, Ok)
    }

    pub(super) fn architecture(&self) -> Result<Architecture, ImageError> {
        let architecture = self.architecture.or_else(Architecture::own);
        architecture.ok_or(ImageError::Architecture(std::env::consts::ARCH))
    }
}
