//! The images on this machine: one OCI layout in the cache, in which versions share what they have in common.

use std::fs::File;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

use super::layout::{self, Layout};
use super::oci::Descriptor;
use super::{ImageError, signature};
use crate::cluster::RegistryReference;

/// Annotation of an entry: when it came.
const STORED: &str = "dev.kubewright.stored";

/// The images on this machine.
#[derive(Debug, Clone)]
pub(super) struct Store(Layout);

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name.
    pub(super) reference: RegistryReference,
    pub(super) top: Descriptor,
    /// When it came.
    pub(super) stored: Timestamp,
}

impl Store {
    /// The store in the cache at `cache`, which is made where it is missing.
    pub(super) fn open(cache: &Path) -> Result<Self, ImageError> {
        let layout = Layout::create(&cache.join("store"))?;
        layout.blobs.prepare_partial().map_err(ImageError::io("write to", layout.directory()))?;
        Ok(Self(layout))
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.0
    }

    /// Waits for others that write here, and keeps them off until the result is dropped.
    pub(super) async fn lock(&self) -> Result<File, ImageError> {
        let blobs = self.0.blobs.clone();
        let locking = tokio::task::spawn_blocking(move || blobs.lock()).await;
        locking.map_err(std::io::Error::other).flatten().map_err(ImageError::io("lock", self.0.directory()))
    }

    /// Keeps `image prune` away until the result is dropped.
    pub(super) fn hold(&self) -> Result<Arc<File>, ImageError> {
        self.0.blobs.hold().map(Arc::new).map_err(ImageError::io("hold", self.0.directory()))
    }

    /// All images, in order of name.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, ImageError> {
        let manifests = self.0.index()?.map_or(Vec::new(), |index| index.manifests);
        let mut entries: Vec<_> = manifests.iter().filter_map(entry).collect();
        entries.sort_by(|one, other| one.reference.cmp(&other.reference));
        Ok(entries)
    }

    /// The image that `reference` means: by its digest where it has one, whatever the tag says elsewhere.
    pub(super) fn find(&self, reference: &RegistryReference) -> Result<Option<Entry>, ImageError> {
        let entries = self.entries()?.into_iter();
        let fits = |entry: &Entry| match &reference.sha256 {
            Some(sha256) => entry.sha256() == sha256,
            None => entry.reference == *reference,
        };
        Ok(entries.filter(fits).max_by_key(|entry| entry.reference == *reference))
    }

    /// Gives an image whose blobs are here its name. The caller holds the lock.
    pub(super) fn set(&self, reference: &RegistryReference, mut top: Descriptor) -> Result<(), ImageError> {
        top.annotations.insert(STORED.to_owned(), format!("{:.0}", Timestamp::now()));
        self.0.set(&Self::name(reference), top)
    }

    /// The name of an image in the store: its digest is only part of it where there is no tag.
    pub(super) fn name(reference: &RegistryReference) -> String {
        match reference.tag.as_deref() {
            Some(tag) => reference.with_tag(tag).to_string(),
            None => reference.to_string(),
        }
    }

    /// The artifact with the signatures of the image with this digest.
    pub(super) fn signatures(&self, sha256: &str) -> Result<Option<Descriptor>, ImageError> {
        self.0.get(&signature::tag(sha256))
    }
}

impl Entry {
    /// Digest of the image: 64 hex digits.
    pub(super) fn sha256(&self) -> &str {
        self.top.digest.strip_prefix("sha256:").unwrap_or_default()
    }
}

fn entry(descriptor: &Descriptor) -> Option<Entry> {
    let reference = RegistryReference::parse(layout::name_of(descriptor)?).ok()?;
    let stored = descriptor.annotations.get(STORED).and_then(|text| Timestamp::from_str(text).ok());
    Some(Entry { reference, top: descriptor.clone(), stored: stored.unwrap_or(Timestamp::UNIX_EPOCH) })
}
