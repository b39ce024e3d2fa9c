//! Registries in memory, for the tests of this module.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::container_images::{ContainerImages, RegistryFailure};
use crate::cluster::RegistryReference;
use crate::image::blobs::Blobs;
use crate::image::oci::{self, Config, Descriptor, Execution, Index, Manifest, Platform};
use crate::image::registry::Progress;
use crate::image::{Architecture, Blob, digest};

/// Documents by reference, blobs by digest, and what was asked for.
#[derive(Debug, Default)]
pub(in crate::image) struct FakeRegistry {
    pub(in crate::image) documents: BTreeMap<String, Vec<u8>>,
    pub(in crate::image) blobs: BTreeMap<String, Vec<u8>>,
    pub(in crate::image) asked: Mutex<Vec<String>>,
}

impl FakeRegistry {
    /// Adds an image for each of `architectures` under `reference`, its only layer being `layer`, with an index if there
    /// are several. Returns the digest of what the reference leads to.
    pub(in crate::image) fn add(&mut self, reference: &str, layer: &str, architectures: &[Architecture]) -> String {
        let manifests = architectures.iter().map(|architecture| {
            let config =
                Config::new(architecture.as_str(), Execution::default(), &[digest::of_bytes(layer.as_bytes())]);
            let config = self.blob(serde_json::to_vec(&config).unwrap());
            let layer = self.blob(layer.as_bytes().to_vec());
            let manifest = serde_json::to_vec(&Manifest::new(&config, &[layer])).unwrap();
            let mut descriptor = self.document(reference, manifest);
            descriptor.platform = Some(Platform::linux(*architecture));
            descriptor
        });
        let manifests: Vec<_> = manifests.collect();
        let top = match &manifests[..] {
            [only] => only.digest.clone(),
            _ => self.document(reference, serde_json::to_vec(&Index::new(manifests)).unwrap()).digest,
        };
        let document = self.documents[&by_digest(reference, &top)].clone();
        self.documents.insert(reference.to_owned(), document);
        top
    }

    fn blob(&mut self, bytes: Vec<u8>) -> Blob {
        let blob = Blob { sha256: digest::of_bytes(&bytes), size: bytes.len() as u64 };
        self.blobs.insert(blob.sha256.clone(), bytes);
        blob
    }

    fn document(&mut self, reference: &str, bytes: Vec<u8>) -> Descriptor {
        let blob = Blob { sha256: digest::of_bytes(&bytes), size: bytes.len() as u64 };
        let descriptor = Descriptor::new(oci::MANIFEST, &blob);
        self.documents.insert(by_digest(reference, &descriptor.digest), bytes);
        descriptor
    }

    fn note(&self, what: &str) {
        self.asked.lock().unwrap().push(what.to_owned());
    }
}

/// The name of the document with `digest` in the repository of `reference`.
pub(in crate::image) fn by_digest(reference: &str, digest: &str) -> String {
    RegistryReference::parse(reference).unwrap().with_digest(digest.trim_start_matches("sha256:")).to_string()
}

impl ContainerImages for FakeRegistry {
    async fn document(&self, reference: &RegistryReference) -> Result<Vec<u8>, RegistryFailure> {
        self.note(&reference.to_string());
        self.documents.get(&reference.to_string()).cloned().ok_or_else(|| "the registry has no such image".into())
    }

    async fn blob(
        &self,
        reference: &RegistryReference,
        blob: &Blob,
        into: &Blobs,
        _: &Progress,
    ) -> Result<(), RegistryFailure> {
        self.note(&blob.sha256);
        let bytes = self.blobs.get(&blob.sha256).ok_or(format!("{reference}: the registry has no such blob"))?;
        let check = |actual: &Blob| if actual == blob { Ok(()) } else { Err(std::io::Error::other("wrong digest")) };
        into.write_checked(check, |out| out.write_all(bytes))?;
        Ok(())
    }
}
