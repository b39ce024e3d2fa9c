//! Gathers and packs one component, or finds that it has been packed before.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::error::SourceError;
use super::inputs::Inputs;
use super::layer::{self, Compression, Layer};
use super::tree::Tree;
use super::{containers, unpack};
use crate::image::blobs::Blobs;
use crate::image::digest;
use crate::image::spec::{Architecture, ComponentSpec, ContainerImage, Source};
use crate::image::{Component, ComponentKind};

/// Raised whenever a layer of the same sources comes out differently: compression, order, paths, documents.
const FORMAT: u32 = 2;

/// What the components of one build have in common.
pub(super) struct Workshop {
    /// What `file:` is relative to.
    pub(super) cache: PathBuf,
    /// Downloads by digest.
    pub(super) downloads: PathBuf,
    /// Unpacked archives by digest.
    pub(super) unpacked: PathBuf,
    /// Records of packed components, by [`key`].
    pub(super) records: PathBuf,
    /// Their layers.
    pub(super) blobs: Blobs,
    pub(super) inputs: Inputs,
    pub(super) architecture: Architecture,
}

/// A component whose layer is in the workshop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) component: Component,
    pub(super) layer: Layer,
    /// Size of all files together.
    pub(super) files: u64,
    pub(super) reused: bool,
    pub(super) took: Duration,
}

/// All files of a component.
pub(super) enum Gathered {
    Files(Tree),
    Images(BTreeMap<String, Tree>),
}

impl Gathered {
    /// Size of all files together: how long packing takes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Files(tree) => tree.size(),
            Self::Images(layers) => layers.values().map(Tree::size).sum(),
        }
    }
}

impl Workshop {
    /// Finds and hashes all files of a component.
    pub(super) fn gather(&self, spec: &ComponentSpec) -> Result<Gathered, SourceError> {
        if spec.images.is_empty() {
            return self.tree(&spec.files).map(Gathered::Files);
        }
        let layers = spec.layers.iter().map(|(name, sources)| Ok((name.clone(), self.tree(sources)?)));
        layers.collect::<Result<_, _>>().map(Gathered::Images)
    }

    /// Packs a component, unless the same files have been packed as the same component before.
    pub(super) fn pack(&self, spec: &ComponentSpec, gathered: &Gathered) -> Result<Packed, SourceError> {
        let started = Instant::now();
        let key = key(spec, gathered, self.architecture).map_err(SourceError::io("describe", &self.records))?;
        let record = self.records.join(format!("{key}.json"));
        let known = fs::read(&record).ok().and_then(|bytes| serde_json::from_slice::<Layer>(&bytes).ok());
        let (layer, reused) = match known.filter(|layer| self.blobs.is_intact(&layer.blob)) {
            Some(layer) => (layer, true),
            None => {
                (self.write(spec, gathered, &record).map_err(SourceError::io("write the layer for", &record))?, false)
            }
        };
        let kind = match gathered {
            Gathered::Files(_) => ComponentKind::Files,
            Gathered::Images(_) => {
                ComponentKind::Images(spec.images.iter().map(|image| image.reference.clone()).collect())
            }
        };
        let component = Component {
            name: spec.name.clone(),
            version: spec.version.clone(),
            roles: spec.roles.iter().copied().collect(),
            kind,
            blob: layer.blob.clone(),
        };
        Ok(Packed { component, layer, files: gathered.size(), reused, took: started.elapsed() })
    }

    fn write(&self, spec: &ComponentSpec, gathered: &Gathered, record: &Path) -> io::Result<Layer> {
        let layer = match gathered {
            Gathered::Files(tree) => {
                let prefix = format!("opt/kubewright/{}/{}", spec.name, spec.version);
                layer::write(&self.blobs, Compression::Thorough, |out| tree.write(&prefix, out))?
            }
            Gathered::Images(layers) => {
                let scratch = self.blobs.scratch()?;
                let archive = scratch.path().join("archive.tar");
                let inner = Blobs::create(scratch.path())?;
                let mut out = io::BufWriter::new(File::create(&archive)?);
                containers::write(&spec.images, layers, self.architecture, &inner, &mut out)?;
                drop(out);
                layer::write(&self.blobs, Compression::Minimal, |out| {
                    let mut tarball = super::tarball::Tarball::new(out);
                    ["opt", "opt/kubewright", "opt/kubewright/images"]
                        .iter()
                        .try_for_each(|directory| tarball.directory(directory))?;
                    let size = fs::metadata(&archive)?.len();
                    let path = format!("opt/kubewright/images/{}.tar", spec.name);
                    tarball.file(&path, false, size, File::open(&archive)?)?;
                    tarball.finish().map(|_| ())
                })?
            }
        };
        let new = record.with_extension("new");
        fs::write(&new, serde_json::to_vec(&layer)?)?;
        fs::rename(&new, record)?;
        Ok(layer)
    }

    fn tree(&self, sources: &[Source]) -> Result<Tree, SourceError> {
        let mut tree = Tree::default();
        for source in sources {
            tree.add(&self.locate(source)?, source.to.as_deref(), source.mode, &self.inputs)?;
        }
        Ok(tree)
    }

    /// The file or directory that a source means, verified where the spec gives a digest.
    fn locate(&self, source: &Source) -> Result<PathBuf, SourceError> {
        let (path, name) = match (&source.file, &source.url, &source.sha256) {
            (Some(file), ..) => (self.cache.join(file), file.as_str()),
            (None, Some(url), Some(sha256)) => (self.downloads.join(sha256), url.as_str()),
            // Refused with the spec.
            _ => return Err(SourceError::unsuitable(&self.cache, "a source has neither file nor url with sha256")),
        };
        let is_file = fs::metadata(&path).map_err(SourceError::io("read", &path))?.is_file();
        if !is_file && (source.sha256.is_some() || source.member.is_some()) {
            return Err(SourceError::unsuitable(&path, "sha256 and member are for files, and this is none"));
        }
        if let Some(expected) = &source.sha256 {
            let (actual, _) = self.inputs.digest(&path)?;
            if actual != *expected {
                return Err(SourceError::Digest { path, actual, expected: expected.clone() });
            }
        }
        match &source.member {
            None => Ok(path),
            Some(member) => {
                let (sha256, _) = self.inputs.digest(&path)?;
                Ok(unpack::unpack(&path, name, &sha256, &self.unpacked, &self.blobs)?.join(member))
            }
        }
    }
}

/// What decides how a layer comes out.
fn key(spec: &ComponentSpec, gathered: &Gathered, architecture: Architecture) -> io::Result<String> {
    #[derive(Serialize)]
    struct Key<'a> {
        format: u32,
        name: &'a str,
        version: &'a str,
        architecture: Architecture,
        files: Option<&'a Tree>,
        images: &'a [ContainerImage],
        layers: Option<&'a BTreeMap<String, Tree>>,
    }
    let (files, layers) = match gathered {
        Gathered::Files(tree) => (Some(tree), None),
        Gathered::Images(layers) => (None, Some(layers)),
    };
    let ComponentSpec { name, version, images, .. } = spec;
    let key = Key { format: FORMAT, name, version, architecture, files, images, layers };
    Ok(digest::of_bytes(&serde_json::to_vec(&key)?))
}
