//! Puts a signature beside an image.

use std::path::Path;

use super::access::Access;
use super::signature::{self, SigningKey};
use super::tree::Variants;
use super::{ImageError, Location, Registry, locate, push, read};

/// What became of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// It is new.
    Now,
    /// The key had signed the image before.
    Before,
}

/// Signs the image at `location` with the key in the file `key`: in its directory, or, for an image of a registry, in
/// the store and in the registry. Returns the digest that was signed.
pub async fn sign(location: &Location, key: &Path, access: &Access) -> Result<(String, Signed), ImageError> {
    let key = SigningKey::load(key)?;
    if let Location::Archive { .. } | Location::DockerArchive { .. } = location {
        return Err(ImageError::Unsuitable {
            what: "cannot sign",
            location: location.to_string(),
            reason: "an archive is not changed; sign the image first, then save it",
        });
    }
    let located = locate::locate(location, access, Variants::All).await?;
    let (layout, sha256) = (&located.layout, located.sha256());
    // Nobody should sign what is something else.
    read::read_any(&layout.blobs, &located.reference, &located.top)?;
    let name = match location {
        Location::Registry(reference) => reference.name(),
        _ => String::new(),
    };
    let tag = signature::tag(sha256);
    let signed = {
        let _lock = layout.blobs.lock().map_err(ImageError::io("lock", layout.directory()))?;
        let existing = layout.get(&tag)?;
        match signature::sign(&key, &layout.blobs, &located.reference, &name, sha256, existing.as_ref())? {
            Some(artifact) => layout.set(&tag, artifact).map(|()| Signed::Now)?,
            None => Signed::Before,
        }
    };
    if let Location::Registry(reference) = location {
        let registry = Registry::new(access.registries.clone());
        push::push_signatures(&registry, &located, reference).await?;
    }
    Ok((located.top.digest.clone(), signed))
}
