//! Makes an OCI archive of container images, in the form that `ctr images import` takes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};

use super::layer::{self, Compression};
use super::pulled::Pulled;
use super::tarball::Tarball;
use super::tree::Tree;
use crate::image::blobs::Blobs;
use crate::image::oci::{self, Config, Descriptor, Execution, Index, Manifest, Platform};
use crate::image::spec::{ContainerImage, PinnedImage};
use crate::image::{Architecture, Blob};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What goes into one archive.
pub(super) struct Ingredients<'a> {
    pub(super) images: &'a [PinnedImage],
    /// Layers of the images that are made here.
    pub(super) layers: &'a BTreeMap<String, Tree>,
    /// The others.
    pub(super) pulled: &'a Pulled,
    pub(super) architecture: Architecture,
}

/// Writes an archive to `out`; `scratch` gets the blobs that are made here. Blobs of equal content are stored once.
pub(super) fn write(ingredients: &Ingredients<'_>, scratch: &Blobs, out: &mut dyn Write) -> io::Result<()> {
    let mut packed = BTreeMap::new();
    for (name, tree) in ingredients.layers {
        packed.insert(name, layer::write(scratch, Compression::Narrow, |out| tree.write("", out))?);
    }
    let architecture = ingredients.architecture;
    let made = packed.values().map(|layer| (layer.blob.clone(), scratch));
    let mut blobs: BTreeMap<Blob, &Blobs> = made.collect();
    let mut manifests = Vec::new();
    for image in ingredients.images {
        let manifest = match image {
            PinnedImage::Made(_, image) => {
                // That every name is there was checked with the spec.
                let layers: Vec<_> = image.layers.iter().filter_map(|name| packed.get(name)).collect();
                let diff_ids: Vec<_> = layers.iter().map(|layer| layer.diff_id.clone()).collect();
                let config = Config::new(architecture.as_str(), execution(image), &diff_ids);
                let config = scratch.put(&serde_json::to_vec(&config)?)?;
                let layers: Vec<_> = layers.iter().map(|layer| layer.blob.clone()).collect();
                let manifest = scratch.put(&serde_json::to_vec(&Manifest::new(&config, &layers))?)?;
                blobs.extend([(config, scratch), (manifest.clone(), scratch)]);
                Descriptor::new(oci::MANIFEST, &manifest)
            }
            PinnedImage::Pulled { digest, .. } => {
                let image = ingredients.pulled.image(digest, architecture).map_err(io::Error::other)?;
                ingredients.pulled.verify(&image)?;
                for blob in image.blobs {
                    blobs.entry(blob).or_insert(ingredients.pulled.blobs());
                }
                image.manifest
            }
        };
        manifests.push(described(manifest, image.name(), architecture));
    }
    archive(&blobs, &Index::new(manifests), scratch, out)
}

fn execution(image: &ContainerImage) -> Execution {
    let given = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let mut env = image.env.clone();
    env.entry("PATH".to_owned()).or_insert_with(|| PATH.to_owned());
    Execution {
        user: image.user.clone(),
        env: Some(env.into_iter().map(|(key, value)| format!("{key}={value}")).collect()),
        entrypoint: given(&image.entrypoint),
        cmd: given(&image.command),
        ..Execution::default()
    }
}

/// `manifest` with the platform and the name of its image.
fn described(mut manifest: Descriptor, name: &str, architecture: Architecture) -> Descriptor {
    manifest.platform = Some(Platform::linux(architecture));
    let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    manifest.annotations.insert(oci::CONTAINERD_NAME.to_owned(), name.to_owned());
    manifest.annotations.insert(oci::TAG.to_owned(), tag.to_owned());
    manifest
}

fn archive(blobs: &BTreeMap<Blob, &Blobs>, index: &Index, scratch: &Blobs, out: &mut dyn Write) -> io::Result<()> {
    let mut tarball = Tarball::new(out);
    tarball.directory("blobs")?;
    tarball.directory("blobs/sha256")?;
    for (blob, from) in blobs {
        let path = from.path(&blob.sha256);
        tarball.file(&format!("blobs/sha256/{}", blob.sha256), false, blob.size, File::open(&path)?)?;
        if std::ptr::eq(*from, scratch) {
            fs::remove_file(&path)?;
        }
    }
    let index = serde_json::to_vec(index)?;
    tarball.file("index.json", false, index.len() as u64, &index[..])?;
    tarball.file("oci-layout", false, oci::LAYOUT.len() as u64, oci::LAYOUT.as_bytes())?;
    tarball.finish()?.flush()
}
