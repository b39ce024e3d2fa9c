//! Whether an image may be used.

use std::path::PathBuf;

use super::access::Access;
use super::locate::Located;
use super::signature::{self, Signature, TrustedKeys};
use super::store::Store;
use super::{ImageError, Location, Registry, pull};

/// Refuses an image that has no signature by one of the keys of `access`, if that has any.
pub(super) async fn demand(located: &Located, access: &Access) -> Result<Option<PathBuf>, ImageError> {
    if access.keys.is_empty() {
        return Ok(None);
    }
    let keys = TrustedKeys::load(&access.keys)?;
    let (reference, sha256) = (&located.reference, located.sha256());
    let known = signature::check(&keys, reference, sha256, &signatures(located)?);
    match (known, Location::parse(reference)) {
        (Ok(key), _) => Ok(Some(key)),
        // Perhaps it was signed after it came here.
        (Err(error), Ok(Location::Registry(name))) => {
            let store = Store::open(&access.cache()?)?;
            let registry = Registry::new(access.registries.clone());
            let _lock = store.lock().await?;
            if pull::signatures(&registry, &name, &located.top, &store).await.is_err() {
                return Err(error.into());
            }
            Ok(Some(signature::check(&keys, reference, sha256, &signatures(located)?)?))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// The signatures beside an image.
pub(super) fn signatures(located: &Located) -> Result<Vec<Signature>, ImageError> {
    match located.layout.get(&signature::tag(located.sha256()))? {
        Some(artifact) => signature::read(&located.layout.blobs, &located.reference, &artifact),
        None => Ok(Vec::new()),
    }
}
