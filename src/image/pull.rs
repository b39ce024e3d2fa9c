//! From a registry into the store.

use futures::{StreamExt, stream};

use super::document::{self, Document};
use super::oci::{Descriptor, Index};
use super::store::Store;
use super::tree::{Kind, Tree, Variants, unsuitable};
use super::{ImageError, Progress, Registry, RegistryError, signature};
use crate::cluster::RegistryReference;

/// Transfers at a time: one registry's share is not made bigger by more.
pub(super) const WIDTH: usize = 4;

/// Fetches `variants` of the image that `reference` names, as far as they are not in the store, and its signatures. The
/// image gets no name; an interrupted call goes on the next time.
pub(super) async fn into_store(
    registry: &Registry,
    reference: &RegistryReference,
    variants: Variants,
    store: &Store,
    progress: &Progress,
) -> Result<Descriptor, ImageError> {
    let _lock = store.lock().await?;
    let top = registry.manifest(reference).await?;
    put(store, &top.bytes)?;
    let name = reference.to_string();
    if let Document::Index(index) = document::parse(&top.bytes).map_err(|reason| unsuitable(&name, reason))? {
        for descriptor in wanted(&name, &index, variants)? {
            let blob = descriptor.blob().ok_or_else(|| unsuitable(&name, "a digest is not SHA-256".to_owned()))?;
            put(store, &registry.manifest(&reference.with_digest(&blob.sha256)).await?.bytes)?;
        }
    }
    let tree = Tree::read(&store.layout().blobs, &name, &top.descriptor, variants)?;
    blobs(registry, reference, &tree, store, progress).await?;
    signatures(registry, reference, &tree.top, store).await?;
    Ok(top.descriptor)
}

fn wanted<'a>(name: &str, index: &'a Index, variants: Variants) -> Result<Vec<&'a Descriptor>, ImageError> {
    let missing = |reason| ImageError::NoVariant { reference: name.to_owned(), reason };
    match variants {
        Variants::All => Ok(index.manifests.iter().collect()),
        Variants::Only(architecture) => document::variant(index, architecture).map(|one| vec![one]).map_err(missing),
    }
}

async fn blobs(
    registry: &Registry,
    reference: &RegistryReference,
    tree: &Tree,
    store: &Store,
    progress: &Progress,
) -> Result<(), ImageError> {
    let parts: Vec<_> = tree.parts.iter().filter(|part| part.kind == Kind::Blob).collect();
    progress.expect(parts.iter().map(|part| part.blob.size).sum());
    let into = &store.layout().blobs;
    // Elsewhere what is here is taken at its word; who fetches an image wants all of it whole.
    for blob in parts.iter().map(|part| &part.blob).filter(|blob| into.has(blob) && !into.is_intact(blob)) {
        let path = into.path(&blob.sha256);
        std::fs::remove_file(&path).map_err(ImageError::io("remove the damaged", &path))?;
    }
    let downloads = parts.into_iter().map(|part| registry.download(reference, &part.what, &part.blob, into, progress));
    all(stream::iter(downloads).buffer_unordered(WIDTH).collect().await)
}

/// Fetches the artifact with the signatures of `top`, where there is one, and stores it under its name.
pub(super) async fn signatures(
    registry: &Registry,
    reference: &RegistryReference,
    top: &Descriptor,
    store: &Store,
) -> Result<(), ImageError> {
    let sha256 = top.digest.strip_prefix("sha256:").unwrap_or_default();
    let tag = signature::tag(sha256);
    let Some(artifact) = registry.manifest_if_any(&reference.with_tag(&tag)).await? else { return Ok(()) };
    put(store, &artifact.bytes)?;
    let name = format!("the signatures of {reference}");
    let tree = Tree::read(&store.layout().blobs, &name, &artifact.descriptor, Variants::All)?;
    blobs(registry, reference, &tree, store, &Progress::default()).await?;
    store.layout().set(&tag, artifact.descriptor)
}

fn put(store: &Store, bytes: &[u8]) -> Result<(), ImageError> {
    let directory = store.layout().directory();
    store.layout().blobs.put(bytes).map(|_| ()).map_err(ImageError::io("write to", directory))
}

/// Nothing, or every failure.
pub(super) fn all(results: Vec<Result<(), RegistryError>>) -> Result<(), ImageError> {
    let mut failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    match failures.len() {
        0 => Ok(()),
        1 => Err(failures.remove(0).into()),
        _ => Err(ImageError::Transfers(failures)),
    }
}
