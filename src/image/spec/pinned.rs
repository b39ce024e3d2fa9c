//! A spec of which every input is pinned, by itself or by its lock: all that a build goes by.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use thiserror::Error;

use super::source::{expand, expand_version};
use super::{Chart, ComponentSpec, ContainerImage, Lock, Mode, Source, Spec};
use crate::cluster::{KubeVersion, Role, Version};
use crate::image::{Architecture, UpgradesFrom};

/// A spec and its digests. Only [`Spec::pin`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image) struct PinnedSpec {
    pub(in crate::image) name: String,
    pub(in crate::image) kubernetes: KubeVersion,
    pub(in crate::image) upgrades_from: Option<UpgradesFrom>,
    pub(in crate::image) minimum_kubewright: Option<Version>,
    /// Whether kubewright itself goes in.
    pub(in crate::image) program: bool,
    /// At least one, each of another architecture, in order.
    pub(in crate::image) variants: Vec<Variant>,
}

/// The image for one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image) struct Variant {
    pub(in crate::image) architecture: Architecture,
    pub(in crate::image) components: Vec<PinnedComponent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image) struct PinnedComponent {
    pub(in crate::image) name: String,
    pub(in crate::image) version: String,
    pub(in crate::image) roles: BTreeSet<Role>,
    pub(in crate::image) content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image) enum Content {
    Files(Vec<PinnedSource>),
    Manifests(Vec<PinnedSource>, Vec<PinnedChart>),
    /// Container images, and the layers of those that are made here, by name.
    Images(Vec<PinnedImage>, BTreeMap<String, Vec<PinnedSource>>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image) struct PinnedChart {
    pub(in crate::image) chart: PinnedSource,
    pub(in crate::image) values: Vec<PinnedSource>,
    pub(in crate::image) release: String,
    pub(in crate::image) namespace: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image) struct PinnedSource {
    pub(in crate::image) place: Place,
    pub(in crate::image) member: Option<String>,
    pub(in crate::image) to: Option<String>,
    pub(in crate::image) mode: Option<Mode>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image) enum Place {
    /// Relative to the cache. A file that a script has made may do without a digest.
    File {
        path: String,
        sha256: Option<String>,
    },
    Download {
        url: String,
        sha256: String,
    },
}

/// A container image. What is serialised decides whether its component is packed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::image) enum PinnedImage {
    /// Made here: its name, and how it is run and from which layers.
    Made(String, ContainerImage),
    Pulled {
        /// The name by which pods know it.
        name: String,
        /// Where it comes from, by tag; only the digest counts.
        #[serde(skip)]
        from: String,
        /// `sha256:…`, of the image or of an index with a variant for the architecture.
        digest: String,
    },
}

impl PinnedImage {
    /// The name by which pods know it.
    pub(in crate::image) fn name(&self) -> &str {
        match self {
            Self::Made(name, _) | Self::Pulled { name, .. } => name,
        }
    }
}

impl PinnedSpec {
    /// Every source of files, of all variants.
    pub(in crate::image) fn sources(&self) -> impl Iterator<Item = &PinnedSource> {
        let components = self.variants.iter().flat_map(|variant| &variant.components);
        components.flat_map(|component| {
            let (files, charts, layers) = match &component.content {
                Content::Files(files) => (&files[..], &[][..], None),
                Content::Manifests(files, charts) => (&files[..], &charts[..], None),
                Content::Images(_, layers) => (&[][..], &[][..], Some(layers)),
            };
            let charts = charts.iter().flat_map(|chart| [&chart.chart].into_iter().chain(&chart.values));
            files.iter().chain(charts).chain(layers.into_iter().flat_map(BTreeMap::values).flatten())
        })
    }

    /// Every container image that is pulled: the architecture, where it comes from, its digest.
    pub(in crate::image) fn pulled(&self) -> impl Iterator<Item = (Architecture, &str, &str)> {
        self.variants.iter().flat_map(|variant| {
            let images = variant.components.iter().flat_map(|component| match &component.content {
                Content::Files(_) | Content::Manifests(..) => &[][..],
                Content::Images(images, _) => images,
            });
            images.filter_map(|image| match image {
                PinnedImage::Pulled { from, digest, .. } => {
                    Some((variant.architecture, from.as_str(), digest.as_str()))
                }
                PinnedImage::Made(..) => None,
            })
        })
    }
}

/// Why a spec cannot be built as it is. All reasons are told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PinError {
    /// Inputs without a digest.
    #[error(
        "{} input(s) of {spec} are pinned neither by it nor by its lock; run `kubewright image lock` with it:\n  {}",
        .inputs.len(), .inputs.join("\n  ")
    )]
    Unpinned {
        /// Name of the spec's image.
        spec: String,
        /// Addresses and references.
        inputs: Vec<String>,
    },
    /// A lock of another spec, or of what the spec was before.
    #[error(
        "the lock does not match the spec {spec}: run `kubewright image lock` with it again:\n  {}", .problems.join("\n  ")
    )]
    Mismatch {
        /// Name of the spec's image.
        spec: String,
        /// How they differ.
        problems: Vec<String>,
    },
    /// An architecture that the spec does not have.
    #[error("{spec} is not for {architecture}: add it to architectures in the spec")]
    Architecture {
        /// Name of the spec's image.
        spec: String,
        /// What was asked for.
        architecture: Architecture,
    },
}

impl Spec {
    /// Pins the spec by `lock`. Where `only` has architectures, the image is for those and not for all of the spec's.
    pub(in crate::image) fn pin(
        &self,
        lock: Option<&Lock>,
        only: &BTreeSet<Architecture>,
    ) -> Result<PinnedSpec, PinError> {
        if let Some(architecture) = only.difference(&self.architectures).next() {
            return Err(PinError::Architecture { spec: self.name.clone(), architecture: *architecture });
        }
        self.check_lock(lock)?;
        let empty = Lock::new(&self.name, BTreeMap::new(), BTreeMap::new());
        let chosen = if only.is_empty() { &self.architectures } else { only };
        let variants = chosen.iter().map(|architecture| {
            let pins = Pins { lock: lock.unwrap_or(&empty), architecture: *architecture };
            let components = self.components.iter().map(|component| pins.component(component));
            let components = components.collect::<Result<_, String>>();
            components.map(|components| Variant { architecture: *architecture, components })
        });
        let unpinned = |input| PinError::Unpinned { spec: self.name.clone(), inputs: vec![input] };
        Ok(PinnedSpec {
            name: self.name.clone(),
            kubernetes: self.kubernetes,
            upgrades_from: self.upgrades_from,
            minimum_kubewright: self.minimum_kubewright,
            program: self.program,
            variants: variants.collect::<Result<_, _>>().map_err(unpinned)?,
        })
    }

    /// A lock must pin what the spec leaves open, and nothing else.
    fn check_lock(&self, lock: Option<&Lock>) -> Result<(), PinError> {
        let open = self.open();
        let spec = self.name.clone();
        let wanted = || open.files.keys().chain(open.images.keys());
        let Some(lock) = lock else {
            let inputs: Vec<_> = wanted().cloned().collect();
            return if inputs.is_empty() { Ok(()) } else { Err(PinError::Unpinned { spec, inputs }) };
        };
        let mut problems = Vec::new();
        if lock.name != self.name {
            problems.push(format!("it is the lock of {}", lock.name));
        }
        let missing = |input: &String| !lock.files.contains_key(input) && !lock.images.contains_key(input);
        problems.extend(wanted().filter(|input| missing(input)).map(|input| format!("it does not pin {input}")));
        let files = lock.files.keys().filter(|url| !open.files.contains_key(*url));
        let images = lock.images.keys().filter(|reference| !open.images.contains_key(*reference));
        problems
            .extend(files.chain(images).map(|input| format!("it pins {input}, which the spec does not leave open")));
        if problems.is_empty() { Ok(()) } else { Err(PinError::Mismatch { spec, problems }) }
    }
}

/// Where digests come from, for one architecture. The errors name the input that has none.
struct Pins<'a> {
    lock: &'a Lock,
    architecture: Architecture,
}

impl Pins<'_> {
    fn component(&self, spec: &ComponentSpec) -> Result<PinnedComponent, String> {
        let sources = |sources: &[Source]| {
            let pinned = sources.iter().map(|source| self.source(source, &spec.version));
            pinned.collect::<Result<Vec<_>, String>>()
        };
        let chart = |chart: &Chart| {
            let (values, one) = (sources(&chart.values)?, self.source(&chart.chart, &spec.version)?);
            let (release, namespace) = (chart.release.clone(), chart.namespace.clone());
            Ok::<_, String>(PinnedChart { chart: one, values, release, namespace })
        };
        let content = if !spec.manifests.is_empty() || !spec.charts.is_empty() {
            let charts = spec.charts.iter().map(chart).collect::<Result<_, _>>()?;
            Content::Manifests(sources(&spec.manifests)?, charts)
        } else if spec.images.is_empty() {
            Content::Files(sources(&spec.files)?)
        } else {
            let images = spec.images.iter().map(|image| self.image(image, &spec.version)).collect::<Result<_, _>>()?;
            let layers = spec.layers.iter().map(|(name, layer)| Ok((name.clone(), sources(layer)?)));
            Content::Images(images, layers.collect::<Result<_, String>>()?)
        };
        let (name, version) = (spec.name.clone(), spec.version.clone());
        Ok(PinnedComponent { name, version, roles: spec.roles.clone(), content })
    }

    fn source(&self, source: &Source, version: &str) -> Result<PinnedSource, String> {
        let expand = |text: &String| expand(text, version, self.architecture);
        let own = source.sha256.as_ref().and_then(|sha256| sha256.get(self.architecture)).map(str::to_owned);
        let place = match &source.url {
            Some(url) => {
                let url = expand(url);
                let sha256 = own.or_else(|| self.lock.files.get(&url).cloned()).ok_or_else(|| url.clone())?;
                Place::Download { url, sha256 }
            }
            // That there is one of the two was checked with the spec.
            None => Place::File { path: source.file.as_ref().map(expand).unwrap_or_default(), sha256: own },
        };
        let (member, to) = (source.member.as_ref().map(expand), source.to.clone());
        Ok(PinnedSource { place, member, to, mode: source.mode })
    }

    fn image(&self, image: &ContainerImage, version: &str) -> Result<PinnedImage, String> {
        let name = image.name(version);
        let Some(from) = &image.image else {
            return Ok(PinnedImage::Made(name, image.clone()));
        };
        let from = expand_version(from, version);
        let own = image.digest.as_ref().and_then(|digest| digest.get(self.architecture)).map(str::to_owned);
        let digest = own.or_else(|| self.lock.images.get(&from).cloned()).ok_or_else(|| from.clone())?;
        Ok(PinnedImage::Pulled { name, from, digest })
    }
}

#[cfg(test)]
mod tests;
