//! Finds digests for what a spec leaves open.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use thiserror::Error;

use super::checksums;
use super::container_images::ContainerImages;
use super::fetch::Downloader;
use crate::cluster::RegistryReference;
use crate::image::document::{self, Document};
use crate::image::registry::{RegistryError, RegistryOptions};
use crate::image::spec::{Lock, Spec};
use crate::image::{Architecture, digest};

/// Questions at a time.
const WIDTH: usize = 4;

/// Why a spec cannot be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// No digest for some inputs; all of them are told.
    #[error("{} input(s) cannot be locked:\n  {}", .0.len(), .0.join("\n  "))]
    Inputs(Vec<String>),
    /// No HTTP client.
    #[error(transparent)]
    Client(RegistryError),
}

/// Asks publishers and registries for the digests of what `spec` leaves open.
pub(in crate::image) async fn resolve(
    spec: &Spec,
    options: &RegistryOptions,
    registry: &impl ContainerImages,
) -> Result<Lock, LockError> {
    let open = spec.open();
    let downloader = Downloader::new(options).map_err(LockError::Client)?;
    let files = open.files.iter().map(|(url, checksums)| {
        let downloader = &downloader;
        async move { file(downloader, url, checksums.as_deref()).await.map(|sha256| (url.clone(), sha256)) }
    });
    let files: Vec<_> = stream::iter(files).buffer_unordered(WIDTH).collect().await;
    let images = open.images.iter().map(|(reference, architectures)| async move {
        image(registry, reference, architectures).await.map(|digest| (reference.clone(), digest))
    });
    let images: Vec<_> = stream::iter(images).buffer_unordered(WIDTH).collect().await;

    let mut failures = Vec::new();
    let mut good = |results: Vec<Result<(String, String), String>>| {
        let mut pins = BTreeMap::new();
        for result in results {
            match result {
                Ok((input, digest)) => drop(pins.insert(input, digest)),
                Err(failure) => failures.push(failure),
            }
        }
        pins
    };
    let (files, images) = (good(files), good(images));
    failures.sort();
    if failures.is_empty() { Ok(Lock::new(&spec.name, files, images)) } else { Err(LockError::Inputs(failures)) }
}

/// The checksum that the publisher has for the file at `url`.
async fn file(downloader: &Downloader<'_>, url: &str, checksums: Option<&str>) -> Result<String, String> {
    let candidates = checksums.map_or_else(|| checksums::candidates(url), |address| vec![address.to_owned()]);
    let mut seen = Vec::new();
    for address in &candidates {
        match downloader.text(address).await {
            Ok(None) => seen.push(format!("{address} does not exist")),
            Ok(Some(text)) => match checksums::find(&text, checksums::file_name(url)) {
                Some(sha256) => return Ok(sha256),
                None => seen.push(format!("{address} does not have it")),
            },
            // Not tried elsewhere: a place that cannot be asked now may be the one that counts.
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!("{url}: no checksum: {}; write sha256, or checksums with its address, in the spec", seen.join(", ")))
}

/// The digest that a tag has now, if it is an image for all of `architectures`.
async fn image(
    registry: &impl ContainerImages,
    reference: &str,
    architectures: &BTreeSet<Architecture>,
) -> Result<String, String> {
    let unsuitable = |reason: String| format!("{reference} cannot be used: {reason}");
    let parsed = RegistryReference::parse(reference).map_err(|reason| unsuitable(reason.to_owned()))?;
    let bytes = registry.document(&parsed).await.map_err(|error| format!("{reference}: {error}"))?;
    match document::parse(&bytes).map_err(unsuitable)? {
        Document::Index(index) => {
            for architecture in architectures {
                document::variant(&index, *architecture).map_err(unsuitable)?;
            }
        }
        Document::Manifest(_) if architectures.len() > 1 => {
            return Err(unsuitable("it is for one architecture only, and the spec has several".to_owned()));
        }
        // What it is for stands in its config, which a build looks at.
        Document::Manifest(_) => {}
    }
    Ok(format!("sha256:{}", digest::of_bytes(&bytes)))
}

#[cfg(test)]
mod tests;
