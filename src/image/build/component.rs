//! Gathers and packs one component, or finds that it has been packed before.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::chart::Chart;
use super::error::SourceError;
use super::inputs::Inputs;
use super::layer::{self, Compression, Layer};
use super::pulled::Pulled;
use super::tarball::Tarball;
use super::tree::Tree;
use super::{containers, unpack};
use crate::cluster::KubeVersion;
use crate::image::blobs::Blobs;
use crate::image::digest;
use crate::image::manifests;
use crate::image::spec::{Content, PinnedChart, PinnedComponent, PinnedImage, PinnedSource, Place};
use crate::image::{Architecture, Component, ComponentKind};

/// Raised whenever a layer of the same sources comes out differently: compression, order, paths, documents.
const FORMAT: u32 = 3;

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
    /// Container images from registries.
    pub(super) pulled: Pulled,
    pub(super) inputs: Inputs,
    /// What charts are rendered for.
    pub(super) kubernetes: KubeVersion,
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

/// What a component is made from, found and hashed.
pub(super) enum Gathered {
    Files(Tree),
    Manifests(Tree),
    Images {
        images: Vec<PinnedImage>,
        /// Layers of those that are made here.
        layers: BTreeMap<String, Tree>,
        /// Size of those that were pulled.
        pulled: u64,
    },
    /// Files at the root of the image, for itself and not for hosts.
    Program(Tree),
}

impl Gathered {
    /// Size of all files together: how long packing takes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Files(tree) | Self::Manifests(tree) | Self::Program(tree) => tree.size(),
            Self::Images { layers, pulled, .. } => layers.values().map(Tree::size).sum::<u64>() + pulled,
        }
    }

    fn kind(&self) -> ComponentKind {
        match self {
            Self::Files(_) => ComponentKind::Files,
            Self::Manifests(_) => ComponentKind::Manifests,
            Self::Program(_) => ComponentKind::Program,
            Self::Images { images, .. } => {
                ComponentKind::Images(images.iter().map(|image| image.name().to_owned()).collect())
            }
        }
    }
}

impl Workshop {
    /// Finds and hashes all files of a component.
    pub(super) fn gather(&self, spec: &PinnedComponent, architecture: Architecture) -> Result<Gathered, SourceError> {
        let (images, layers) = match &spec.content {
            Content::Files(files) => return self.tree(files).map(Gathered::Files),
            Content::Manifests(files, charts) => return self.manifests(files, charts).map(Gathered::Manifests),
            Content::Images(images, layers) => (images, layers),
        };
        let mut pulled = 0;
        for image in images {
            if let PinnedImage::Pulled { from, digest, .. } = image {
                let image =
                    self.pulled.image(digest, architecture).map_err(|reason| SourceError::image(from, reason))?;
                pulled += image.size();
            }
        }
        let layers = layers.iter().map(|(name, sources)| Ok((name.clone(), self.tree(sources)?)));
        Ok(Gathered::Images { images: images.clone(), layers: layers.collect::<Result<_, _>>()?, pulled })
    }

    /// Packs a component, unless the same files have been packed as the same component before.
    pub(super) fn pack(
        &self,
        spec: &PinnedComponent,
        architecture: Architecture,
        gathered: &Gathered,
    ) -> Result<Packed, SourceError> {
        let started = Instant::now();
        let key = key(spec, gathered, architecture).map_err(SourceError::io("describe", &self.records))?;
        let record = self.records.join(format!("{key}.json"));
        let known = fs::read(&record).ok().and_then(|bytes| serde_json::from_slice::<Layer>(&bytes).ok());
        let (layer, reused) = match known.filter(|layer| self.blobs.is_intact(&layer.blob)) {
            Some(layer) => (layer, true),
            None => {
                let written = self.write(spec, architecture, gathered, &record);
                (written.map_err(SourceError::io("write the layer for", &record))?, false)
            }
        };
        let component = Component {
            name: spec.name.clone(),
            version: spec.version.clone(),
            roles: spec.roles.iter().copied().collect(),
            kind: gathered.kind(),
            blob: layer.blob.clone(),
        };
        Ok(Packed { component, layer, files: gathered.size(), reused, took: started.elapsed() })
    }

    fn write(
        &self,
        spec: &PinnedComponent,
        architecture: Architecture,
        gathered: &Gathered,
        record: &Path,
    ) -> io::Result<Layer> {
        let layer = match gathered {
            Gathered::Files(tree) => {
                let prefix = format!("opt/kubewright/{}/{}", spec.name, spec.version);
                layer::write(&self.blobs, Compression::Thorough, |out| tree.write(&prefix, out))?
            }
            Gathered::Manifests(tree) => {
                let prefix = manifests::directory(&spec.name);
                layer::write(&self.blobs, Compression::Thorough, |out| tree.write(&prefix, out))?
            }
            Gathered::Program(tree) => layer::write(&self.blobs, Compression::Thorough, |out| tree.write("", out))?,
            Gathered::Images { images, layers, .. } => {
                let scratch = self.blobs.scratch()?;
                let archive = scratch.path().join("archive.tar");
                let inner = Blobs::create(scratch.path())?;
                let mut out = io::BufWriter::new(File::create(&archive)?);
                let ingredients = containers::Ingredients { images, layers, pulled: &self.pulled, architecture };
                containers::write(&ingredients, &inner, &mut out)?;
                drop(out);
                layer::write(&self.blobs, Compression::Minimal, |out| {
                    let mut tarball = Tarball::new(out);
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

    /// Manifests as they are, and what charts make.
    fn manifests(&self, files: &[PinnedSource], charts: &[PinnedChart]) -> Result<Tree, SourceError> {
        let mut tree = self.tree(files)?;
        for PinnedChart { chart, values, release, namespace } in charts {
            let values = values.iter().map(|source| self.locate(source)).collect::<Result<Vec<_>, _>>()?;
            let (path, kubernetes) = (self.locate(chart)?, self.kubernetes);
            let text = Chart { path: &path, values: &values, release, namespace, kubernetes }.render()?;
            let rendered = self.unpacked.join(format!("{}.yaml", digest::of_bytes(text.as_bytes())));
            self.keep(&rendered, &text).map_err(SourceError::io("write", &rendered))?;
            tree.add(&rendered, Some(&format!("{release}.yaml")), None, &self.inputs)?;
        }
        Ok(tree)
    }

    /// Writes a file that the same component for another architecture may write, too, at this very moment.
    fn keep(&self, path: &Path, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.unpacked)?;
        let scratch = self.blobs.scratch()?;
        let beside = scratch.path().join("new");
        fs::write(&beside, text)?;
        fs::rename(beside, path)
    }

    fn tree(&self, sources: &[PinnedSource]) -> Result<Tree, SourceError> {
        let mut tree = Tree::default();
        for source in sources {
            tree.add(&self.locate(source)?, source.to.as_deref(), source.mode, &self.inputs)?;
        }
        Ok(tree)
    }

    /// The file or directory that a source means, verified where the spec gives a digest.
    fn locate(&self, source: &PinnedSource) -> Result<PathBuf, SourceError> {
        let (path, name, sha256) = match &source.place {
            Place::File { path, sha256 } => (self.cache.join(path), path, sha256.as_ref()),
            Place::Download { url, sha256 } => (self.downloads.join(sha256), url, Some(sha256)),
        };
        let is_file = fs::metadata(&path).map_err(SourceError::io("read", &path))?.is_file();
        if !is_file && (sha256.is_some() || source.member.is_some()) {
            return Err(SourceError::unsuitable(&path, "sha256 and member are for files, and this is none"));
        }
        if let Some(expected) = sha256 {
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
fn key(spec: &PinnedComponent, gathered: &Gathered, architecture: Architecture) -> io::Result<String> {
    #[derive(Serialize)]
    struct Key<'a> {
        format: u32,
        name: &'a str,
        version: &'a str,
        architecture: Architecture,
        /// Files of hosts are below a directory with the component's name, those of the program are not.
        kind: &'a str,
        files: Option<&'a Tree>,
        images: &'a [PinnedImage],
        layers: Option<&'a BTreeMap<String, Tree>>,
    }
    let (kind, files, images, layers) = match gathered {
        Gathered::Files(tree) => ("files", Some(tree), &[][..], None),
        Gathered::Manifests(tree) => ("manifests", Some(tree), &[][..], None),
        Gathered::Program(tree) => ("program", Some(tree), &[][..], None),
        Gathered::Images { images, layers, .. } => ("images", None, &images[..], Some(layers)),
    };
    let PinnedComponent { name, version, .. } = spec;
    let key = Key { format: FORMAT, name, version, architecture, kind, files, images, layers };
    Ok(digest::of_bytes(&serde_json::to_vec(&key)?))
}
