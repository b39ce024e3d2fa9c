//! Container images of registries, in the cache: by digest, exactly as they were served.

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, io};

use futures::{StreamExt, stream};

use super::container_images::ContainerImages;
use super::error::{BuildError, PullError};
use crate::cluster::RegistryReference;
use crate::image::blobs::Blobs;
use crate::image::document::{self, Document};
use crate::image::oci::{Config, Descriptor, Manifest};
use crate::image::registry::Progress;
use crate::image::spec::PinnedSpec;
use crate::image::{Architecture, Blob, digest};

/// Requests at a time: one registry's share is not made bigger by more.
const WIDTH: usize = 4;

/// Documents and layers by digest.
#[derive(Debug, Clone)]
pub(super) struct Pulled {
    blobs: Blobs,
}

/// A container image for one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PulledImage {
    /// Its manifest.
    pub(super) manifest: Descriptor,
    /// Manifest, config and layers.
    pub(super) blobs: BTreeSet<Blob>,
    config: Blob,
}

impl PulledImage {
    /// Size of everything.
    pub(super) fn size(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }
}

/// Fetches all container images of `spec` into `blobs`, as far as they are not there.
pub(super) async fn pull_all(
    spec: &PinnedSpec,
    registry: &impl ContainerImages,
    blobs: Blobs,
    progress: &Progress,
) -> Result<Pulled, BuildError> {
    let pulled = Pulled { blobs };
    let mut wanted: BTreeMap<(&str, &str), BTreeSet<Architecture>> = BTreeMap::new();
    for (architecture, from, digest) in spec.pulled() {
        wanted.entry((from, digest)).or_default().insert(architecture);
    }
    let documents = wanted.iter().map(|((from, digest), architectures)| {
        let pulled = &pulled;
        async move { pulled.documents(registry, from, digest, architectures).await.map(|images| (*from, images)) }
    });
    let images = all(stream::iter(documents).buffer_unordered(WIDTH).collect().await)?;
    // Images of one publisher share layers: each is fetched once.
    let mut blobs = BTreeMap::new();
    for (from, images) in &images {
        blobs.extend(images.iter().flat_map(|image| &image.blobs).map(|blob| (blob, *from)));
    }
    let missing: Vec<_> = blobs.into_iter().filter(|(blob, _)| !pulled.blobs.has(blob)).collect();
    progress.expect(missing.iter().map(|(blob, _)| blob.size).sum());
    let missing = missing.into_iter().map(|(blob, from)| {
        let pulled = &pulled;
        async move {
            let fetched = registry.blob(&parse(from)?, blob, &pulled.blobs, progress).await;
            fetched.map_err(|source| PullError::Registry { image: from.to_owned(), source })
        }
    });
    all(stream::iter(missing).buffer_unordered(WIDTH).collect().await)?;
    let check = wanted.iter().flat_map(|((from, digest), architectures)| {
        architectures.iter().map(|architecture| pulled.check_config(from, digest, *architecture))
    });
    all(check.collect())?;
    Ok(pulled)
}

/// All values, or all failures.
fn all<T>(results: Vec<Result<T, PullError>>) -> Result<Vec<T>, BuildError> {
    let (good, bad): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    if bad.is_empty() {
        return Ok(good.into_iter().flatten().collect());
    }
    let mut failures: Vec<_> = bad.into_iter().filter_map(Result::err).collect();
    failures.sort_by_key(ToString::to_string);
    Err(BuildError::Pulls(failures))
}

impl Pulled {
    /// The store.
    pub(super) fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// The image with `digest`, or its variant for `architecture` where that is the digest of an index.
    pub(super) fn image(&self, digest: &str, architecture: Architecture) -> Result<PulledImage, String> {
        let bytes = self.stored(digest).ok_or_else(|| format!("{digest} is not in the cache any more: build again"))?;
        let manifest = match document::parse(&bytes)? {
            Document::Manifest(manifest) => return image(manifest, digest, bytes.len()),
            Document::Index(index) => document::variant(&index, architecture)?.clone(),
        };
        let missing = || format!("{} is not in the cache any more: build again", manifest.digest);
        let bytes = self.stored(&manifest.digest).ok_or_else(missing)?;
        match document::parse(&bytes)? {
            Document::Manifest(parsed) => image(parsed, &manifest.digest, bytes.len()),
            Document::Index(_) => Err("its index leads to another index".to_owned()),
        }
    }

    /// Reads all of `image` again, and compares digests.
    pub(super) fn verify(&self, image: &PulledImage) -> io::Result<()> {
        match image.blobs.iter().find(|blob| !self.blobs.is_intact(blob)) {
            None => Ok(()),
            Some(blob) => {
                // The next build fetches it again.
                let path = self.blobs.path(&blob.sha256);
                fs::remove_file(&path)?;
                Err(io::Error::other(format!("{} was damaged and is removed: build again", path.display())))
            }
        }
    }

    /// Fetches the documents of an image, and returns its variants.
    async fn documents(
        &self,
        registry: &impl ContainerImages,
        from: &str,
        digest: &str,
        architectures: &BTreeSet<Architecture>,
    ) -> Result<Vec<PulledImage>, PullError> {
        let unsuitable = |reason: String| PullError::Unsuitable { image: from.to_owned(), reason };
        self.fetch(registry, from, digest).await?;
        let bytes = self.stored(digest).unwrap_or_default();
        if let Document::Index(index) = document::parse(&bytes).map_err(unsuitable)? {
            for architecture in architectures {
                let variant = document::variant(&index, *architecture).map_err(unsuitable)?;
                self.fetch(registry, from, &variant.digest).await?;
            }
        }
        architectures.iter().map(|architecture| self.image(digest, *architecture).map_err(unsuitable)).collect()
    }

    async fn fetch(&self, registry: &impl ContainerImages, from: &str, digest: &str) -> Result<(), PullError> {
        if self.stored(digest).is_some() {
            return Ok(());
        }
        let reference = parse(from)?.with_digest(digest.trim_start_matches("sha256:"));
        let bytes = registry.document(&reference).await;
        let bytes = bytes.map_err(|source| PullError::Registry { image: from.to_owned(), source })?;
        let actual = format!("sha256:{}", digest::of_bytes(&bytes));
        if actual != digest {
            return Err(PullError::Digest { image: from.to_owned(), actual, expected: digest.to_owned() });
        }
        let failed = |source| PullError::Write { image: from.to_owned(), source };
        self.blobs.put(&bytes).map(|_| ()).map_err(failed)
    }

    /// The document with `digest`, if it is here and whole.
    fn stored(&self, digest: &str) -> Option<Vec<u8>> {
        let sha256 = digest.strip_prefix("sha256:")?;
        let bytes = fs::read(self.blobs.path(sha256)).ok()?;
        (digest::of_bytes(&bytes) == sha256).then_some(bytes)
    }

    /// An image that comes without an index says only in its config what it is for.
    fn check_config(&self, from: &str, digest: &str, architecture: Architecture) -> Result<(), PullError> {
        let unsuitable = |reason: String| PullError::Unsuitable { image: from.to_owned(), reason };
        let image = self.image(digest, architecture).map_err(unsuitable)?;
        let bytes = self.stored(&format!("sha256:{}", image.config.sha256));
        let bytes = bytes.ok_or_else(|| unsuitable("its config is damaged in the cache: build again".to_owned()))?;
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|error| unsuitable(format!("its config cannot be understood: {error}")))?;
        if config.os == "linux" && config.architecture == architecture.as_str() {
            return Ok(());
        }
        Err(unsuitable(format!("it is for {}/{}, not for linux/{architecture}", config.os, config.architecture)))
    }
}

fn parse(from: &str) -> Result<RegistryReference, PullError> {
    let unsuitable = |reason: &str| PullError::Unsuitable { image: from.to_owned(), reason: reason.to_owned() };
    RegistryReference::parse(from).map_err(unsuitable)
}

fn image(manifest: Manifest, digest: &str, size: usize) -> Result<PulledImage, String> {
    let blob =
        |descriptor: &Descriptor| descriptor.blob().ok_or_else(|| format!("{} is not SHA-256", descriptor.digest));
    let media_type = manifest.media_type.as_deref().unwrap_or(crate::image::oci::MANIFEST);
    let own = Blob { sha256: digest.trim_start_matches("sha256:").to_owned(), size: size as u64 };
    let config = blob(&manifest.config)?;
    let mut blobs: BTreeSet<Blob> = manifest.layers.iter().map(blob).collect::<Result<_, _>>()?;
    blobs.extend([own.clone(), config.clone()]);
    Ok(PulledImage { manifest: Descriptor::new(media_type, &own), blobs, config })
}

#[cfg(test)]
mod tests;
