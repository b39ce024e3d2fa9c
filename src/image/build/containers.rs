//! Makes an OCI archive of container images, in the form that `ctr images import` takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};

use super::layer::{self, Compression};
use super::tarball::Tarball;
use super::tree::Tree;
use crate::image::Blob;
use crate::image::blobs::Blobs;
use crate::image::oci::{self, Config, Descriptor, Execution, Index, Manifest, Platform};
use crate::image::spec::{Architecture, ContainerImage};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Writes an archive of `images` to `out`; `scratch` gets the blobs. Layers of equal content are stored once.
pub(super) fn write(
    images: &[ContainerImage],
    layers: &BTreeMap<String, Tree>,
    architecture: Architecture,
    scratch: &Blobs,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut packed = BTreeMap::new();
    for (name, tree) in layers {
        packed.insert(name, layer::write(scratch, Compression::Narrow, |out| tree.write("", out))?);
    }
    let mut blobs: BTreeSet<Blob> = packed.values().map(|layer| layer.blob.clone()).collect();
    let mut manifests = Vec::new();
    for image in images {
        // That every name is there was checked with the spec.
        let layers: Vec<_> = image.layers.iter().filter_map(|name| packed.get(name)).collect();
        let diff_ids: Vec<_> = layers.iter().map(|layer| layer.diff_id.clone()).collect();
        let config = Config::new(architecture.as_str(), execution(image), &diff_ids);
        let config = scratch.put(&serde_json::to_vec(&config)?)?;
        let layers: Vec<_> = layers.iter().map(|layer| layer.blob.clone()).collect();
        let manifest = scratch.put(&serde_json::to_vec(&Manifest::new(&config, &layers))?)?;
        manifests.push(descriptor(&image.reference, &manifest, architecture));
        blobs.extend([config, manifest]);
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
        labels: None,
    }
}

fn descriptor(reference: &str, manifest: &Blob, architecture: Architecture) -> Descriptor {
    let mut descriptor = Descriptor::new(oci::MANIFEST, manifest);
    descriptor.platform = Some(Platform { architecture: architecture.as_str().to_owned(), os: "linux".to_owned() });
    let tag = reference.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    descriptor.annotations.insert(oci::CONTAINERD_NAME.to_owned(), reference.to_owned());
    descriptor.annotations.insert(oci::TAG.to_owned(), tag.to_owned());
    descriptor
}

fn archive(blobs: &BTreeSet<Blob>, index: &Index, scratch: &Blobs, out: &mut dyn Write) -> io::Result<()> {
    let mut tarball = Tarball::new(out);
    tarball.directory("blobs")?;
    tarball.directory("blobs/sha256")?;
    for blob in blobs {
        let path = scratch.path(&blob.sha256);
        tarball.file(&format!("blobs/sha256/{}", blob.sha256), false, blob.size, File::open(&path)?)?;
        fs::remove_file(&path)?;
    }
    let index = serde_json::to_vec(index)?;
    tarball.file("index.json", false, index.len() as u64, &index[..])?;
    tarball.file("oci-layout", false, oci::LAYOUT.len() as u64, oci::LAYOUT.as_bytes())?;
    tarball.finish()?.flush()
}
