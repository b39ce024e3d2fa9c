//! To a registry: what it has not, manifests last.

use futures::{StreamExt, stream};

use super::access::Access;
use super::blobs::Blobs;
use super::locate::{self, Located};
use super::tree::{Kind, Part, Tree, Variants};
use super::{ImageError, Location, Progress, Registry, pull, signature};
use crate::cluster::RegistryReference;

/// What became of an image that went somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where it is now.
    pub reference: String,
    /// Digest of the image, `sha256:…`.
    pub digest: String,
    /// Whether signatures went with it.
    pub signed: bool,
}

/// Pushes the image at `source`, all of its variants and signatures, to `destination`, which has a tag and no digest.
pub async fn push(source: &Location, destination: &Location, access: &Access) -> Result<Placed, ImageError> {
    let reference = target(destination)?;
    let located = locate::locate(source, access, Variants::All).await?;
    let registry = Registry::new(access.registries.clone());
    let signed = push_located(&registry, &located, reference, &access.progress).await?;
    Ok(Placed { reference: reference.to_string(), digest: located.top.digest, signed })
}

fn target(destination: &Location) -> Result<&RegistryReference, ImageError> {
    let bad = |reason| ImageError::Unsuitable { what: "cannot push to", location: destination.to_string(), reason };
    match destination {
        Location::Registry(reference) if reference.sha256.is_some() => {
            Err(bad("the digest is the image's own; name a tag"))
        }
        Location::Registry(reference) => Ok(reference),
        Location::Layout { .. } => Err(bad("that is a directory; use `kubewright image pull IMAGE -o oci:DIR:TAG`")),
        Location::Archive { .. } | Location::DockerArchive { .. } => {
            Err(bad("that is a file; use `kubewright image save IMAGE -o FILE`"))
        }
    }
}

async fn push_located(
    registry: &Registry,
    located: &Located,
    reference: &RegistryReference,
    progress: &Progress,
) -> Result<bool, ImageError> {
    let blobs = &located.layout.blobs;
    let tree = located.tree(Variants::All)?;
    // Nobody sees the image before all of it is there.
    send(registry, blobs, &tree, reference, progress).await?;
    push_signatures(registry, located, reference).await
}

/// Pushes the signatures beside an image, if there are any.
pub(super) async fn push_signatures(
    registry: &Registry,
    located: &Located,
    reference: &RegistryReference,
) -> Result<bool, ImageError> {
    let tag = signature::tag(located.sha256());
    let Some(artifact) = located.layout.get(&tag)? else { return Ok(false) };
    let blobs = &located.layout.blobs;
    let tree = Tree::read(blobs, &located.reference, &artifact, Variants::All)?;
    send(registry, blobs, &tree, &reference.with_tag(&tag), &Progress::default()).await?;
    Ok(true)
}

async fn send(
    registry: &Registry,
    blobs: &Blobs,
    tree: &Tree,
    reference: &RegistryReference,
    progress: &Progress,
) -> Result<(), ImageError> {
    let (documents, content): (Vec<_>, Vec<_>) = tree.parts.iter().partition(|part| part.kind == Kind::Document);
    progress.expect(content.iter().map(|part| part.blob.size).sum());
    let uploads = content.into_iter().map(|part| {
        let path = blobs.path(&part.blob.sha256);
        async move { registry.upload(reference, &part.what, &part.blob, &path, progress).await }
    });
    pull::all(stream::iter(uploads).buffer_unordered(pull::WIDTH).collect().await)?;
    for part in documents {
        let is_top = part.descriptor.digest == tree.top.digest;
        let name = match &reference.tag {
            Some(tag) if is_top => tag,
            _ => &part.descriptor.digest,
        };
        put(registry, blobs, part, reference, name).await?;
    }
    Ok(())
}

async fn put(
    registry: &Registry,
    blobs: &Blobs,
    part: &Part,
    reference: &RegistryReference,
    name: &str,
) -> Result<(), ImageError> {
    let path = blobs.path(&part.blob.sha256);
    let bytes = tokio::fs::read(&path).await.map_err(ImageError::io("read", &path))?;
    if registry.has_manifest(reference, name, &part.descriptor).await? {
        return Ok(());
    }
    Ok(registry.put_manifest(reference, name, &part.descriptor.media_type, &bytes).await?)
}
