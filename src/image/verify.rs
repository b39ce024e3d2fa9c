//! Reads all of an image, and its signature.

use std::path::PathBuf;

use super::access::Access;
use super::tree::{Variants, check_content};
use super::{ImageError, Location, archive, locate, read, trust};

/// What was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Digest of the image, `sha256:…`.
    pub digest: String,
    /// Manifests, configs and layers that were read.
    pub parts: usize,
    /// Their bytes.
    pub size: u64,
    /// The file of the key that signed it, where one was demanded.
    pub key: Option<PathBuf>,
}

/// Reads every part of every variant of the image at `location` and compares digests; then demands a signature by one
/// of the keys of `access`, if that has any. All that is wrong is returned.
pub async fn verify(location: &Location, access: &Access) -> Result<Verified, Vec<ImageError>> {
    let one = |error| vec![error];
    if let Location::Archive { file } = location {
        let cache = access.cache().map_err(one)?;
        archive::unpack_verified(file, &cache.join("archives")).map_err(one)?;
    }
    let located = locate::locate(location, access, Variants::All).await.map_err(one)?;
    let tree = located.tree(Variants::All).map_err(one)?;
    let (blobs, reference) = (&located.layout.blobs, &located.reference);
    let checks = tree.parts.iter().map(|part| check_content(blobs, reference, &part.what, &part.blob));
    let mut failures: Vec<_> = checks.filter_map(Result::err).collect();
    // What belongs together need not be a cluster image.
    failures.extend(read::read_any(blobs, reference, &located.top).err());
    let key = trust::demand(&located, access).await;
    match key {
        Ok(key) if failures.is_empty() => {
            Ok(Verified { digest: located.top.digest.clone(), parts: tree.parts.len(), size: tree.size(), key })
        }
        Ok(_) => Err(failures),
        Err(error) => {
            failures.push(error);
            Err(failures)
        }
    }
}
