//! What the store has.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::access::Access;
use super::blobs::Blobs;
use super::oci::Descriptor;
use super::store::{Entry, Store};
use super::tree::{Part, Tree, Variants};
use super::{Architecture, ImageError, read};

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub reference: String,
    /// Its digest, `sha256:…`.
    pub digest: String,
    /// The version of Kubernetes that it installs; `None` when that cannot be read any more.
    pub kubernetes: Option<String>,
    /// Architectures that are here.
    pub architectures: Vec<Architecture>,
    /// Bytes of what is here of it. What images share counts for each of them.
    pub size: u64,
    /// When it came.
    pub stored: Timestamp,
}

/// All images of the store, in order of name.
pub fn stored(access: &Access) -> Result<Vec<Stored>, ImageError> {
    let store = Store::open(&access.cache()?)?;
    let blobs = &store.layout().blobs;
    store.entries()?.into_iter().map(|entry| describe(blobs, entry)).collect()
}

fn describe(blobs: &Blobs, entry: Entry) -> Result<Stored, ImageError> {
    let reference = entry.reference.to_string();
    let here = parts_here(blobs, &reference, &entry.top)?;
    let mut size = BTreeMap::new();
    for part in here.values().flatten().filter(|part| blobs.has(&part.blob)) {
        size.insert(part.blob.sha256.clone(), part.blob.size);
    }
    // Of an image without variants, only the config says what it is for.
    let is_for = |architecture| read::read(blobs, &reference, &entry.top, architecture).is_ok();
    let whole = here
        .iter()
        .filter(|(architecture, parts)| is_for(**architecture) && parts.iter().all(|part| blobs.has(&part.blob)));
    let architectures = whole.map(|(architecture, _)| *architecture).collect();
    let image = read::read_any(blobs, &reference, &entry.top).ok();
    Ok(Stored {
        digest: entry.top.digest.clone(),
        kubernetes: image.map(|image| image.kubernetes.to_string()),
        architectures,
        size: size.values().sum(),
        stored: entry.stored,
        reference,
    })
}

/// The parts of every variant of which the documents are here: often, only one was fetched.
pub(super) fn parts_here(
    blobs: &Blobs,
    reference: &str,
    top: &Descriptor,
) -> Result<BTreeMap<Architecture, Vec<Part>>, ImageError> {
    let mut found = BTreeMap::new();
    for architecture in Architecture::ALL {
        match Tree::read(blobs, reference, top, Variants::Only(architecture)) {
            Ok(tree) => found.insert(architecture, tree.parts),
            Err(ImageError::NoVariant { .. } | ImageError::BlobMissing { .. }) => continue,
            Err(error) => return Err(error),
        };
    }
    Ok(found)
}
