//! Into the store, and from there to other places on this machine.

use super::access::Access;
use super::layout::Layout;
use super::locate::{self, Located};
use super::pull::into_store;
use super::push::Placed;
use super::store::Store;
use super::tree::{Tree, Variants};
use super::{ImageError, Location, Registry, oci, read, save, signature};
use crate::cluster::RegistryReference;

/// Fetches the image that `reference` names now, all of its variants and signatures, into the store. What the store had
/// under that name loses it.
pub async fn pull(reference: &RegistryReference, access: &Access) -> Result<Placed, ImageError> {
    let store = Store::open(&access.cache()?)?;
    let registry = Registry::new(access.registries.clone());
    let _held = store.hold()?;
    let top = into_store(&registry, reference, Variants::All, &store, &access.progress).await?;
    let _lock = store.lock().await?;
    let sha256 = top.digest.trim_start_matches("sha256:");
    let signed = store.signatures(sha256)?.is_some();
    let digest = top.digest.clone();
    // What is no cluster image is not kept under a name.
    let name = reference.to_string();
    read::read_any(&store.layout().blobs, &name, &top)?;
    store.set(reference, top)?;
    Ok(Placed { reference: Store::name(reference), digest, signed })
}

/// Copies the image at `source`, all of its variants and signatures, to `destination`: a directory or an archive. In a
/// directory, it gets the tag of `source` where no other is named.
pub async fn copy(source: &Location, destination: &Location, access: &Access) -> Result<Placed, ImageError> {
    let bad = |reason| ImageError::Unsuitable { what: "cannot copy to", location: destination.to_string(), reason };
    let destination = destination.with_tag_of(source);
    let located = || locate::locate(source, access, Variants::All);
    let reference = destination.to_string();
    let (digest, signed) = match &destination {
        Location::Layout { directory, tag: Some(tag) } => {
            let located = located().await?;
            let layout = Layout::create(directory)?;
            let _lock = layout.blobs.lock().map_err(ImageError::io("lock", directory))?;
            let signed = into_layout(&located, &layout, |layout, top| layout.set(tag, top))?;
            (located.top.digest, signed)
        }
        Location::Archive { file } | Location::DockerArchive { file } => {
            let located = located().await?;
            let signed = save::write(&located, source, file)?;
            (located.top.digest, signed)
        }
        Location::Layout { tag: None, .. } => return Err(bad("name the tag that it is to have: oci:DIR:TAG")),
        Location::Registry(_) => return Err(bad("that is a registry; use `kubewright image push`")),
    };
    Ok(Placed { reference, digest, signed })
}

/// Takes the image in the archive at `source` into the store, as `name`, or as the archive calls it.
pub async fn load(source: &Location, name: Option<&RegistryReference>, access: &Access) -> Result<Placed, ImageError> {
    let located = locate::locate(source, access, Variants::All).await?;
    let image = read::read_any(&located.layout.blobs, &located.reference, &located.top)?;
    let annotation = |key| located.top.annotations.get(key);
    let full = annotation(oci::CONTAINERD_NAME).or(annotation(oci::TAG));
    let own = full.and_then(|name| RegistryReference::parse(name).ok());
    let reference = match name.cloned().or(own) {
        Some(reference) => reference,
        None => {
            let tag = annotation(oci::TAG).cloned().unwrap_or_else(|| image.kubernetes.to_string());
            let text = format!("localhost/{}:{tag}", image.name);
            let bad = |reason| ImageError::Reference { reference: text.clone(), reason };
            RegistryReference::parse(&text).map_err(bad)?
        }
    };
    let store = Store::open(&access.cache()?)?;
    let _lock = store.lock().await?;
    let signed = into_layout(&located, store.layout(), |_, top| store.set(&reference, top))?;
    Ok(Placed { reference: Store::name(&reference), digest: located.top.digest, signed })
}

/// Copies an image with its signatures, names it by `name`, and tells whether there were any.
fn into_layout(
    located: &Located,
    layout: &Layout,
    name: impl FnOnce(&Layout, oci::Descriptor) -> Result<(), ImageError>,
) -> Result<bool, ImageError> {
    let tree = located.tree(Variants::All)?;
    take(located, layout, &tree)?;
    let tag = signature::tag(located.sha256());
    let artifact = located.layout.get(&tag)?;
    if let Some(artifact) = &artifact {
        let tree = Tree::read(&located.layout.blobs, &located.reference, artifact, Variants::All)?;
        take(located, layout, &tree)?;
        layout.set(&tag, tree.top)?;
    }
    name(layout, tree.top)?;
    Ok(artifact.is_some())
}

fn take(located: &Located, layout: &Layout, tree: &Tree) -> Result<(), ImageError> {
    let from = &located.layout.blobs;
    for part in &tree.parts {
        super::tree::check_content(from, &located.reference, &part.what, &part.blob)?;
        layout.blobs.take(from, &part.blob).map_err(ImageError::io("write to", layout.directory()))?;
    }
    Ok(())
}
