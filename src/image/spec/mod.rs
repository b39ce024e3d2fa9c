//! The spec of a cluster image: which files and container images it is made of, and where they come from.

mod chart;
mod check;
mod lock;
mod pinned;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cluster::{KubeVersion, Role, Version};
use crate::image::{Architecture, UpgradesFrom};

pub(super) use chart::Chart;
pub(super) use check::{PROGRAM, is_component_name, is_path_version};
pub use lock::{Lock, LockFileError, Moved, Open};
pub use pinned::PinError;
pub(super) use pinned::{Content, PinnedChart, PinnedComponent, PinnedImage, PinnedSource, PinnedSpec, Place};
pub(super) use source::{ContainerImage, Mode, PerArchitecture, Source};

/// A spec that passed every check. Only [`Spec::parse`] and [`Spec::load`] make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec(SpecFile);

/// A spec as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpecFile {
    /// Version of this format.
    pub api_version: ApiVersion,
    /// What the file is.
    pub kind: Kind,
    /// Name of the image.
    pub name: String,
    /// The version of Kubernetes that it installs.
    #[schemars(with = "String")]
    pub kubernetes: KubeVersion,
    /// The versions of Kubernetes that a cluster may have for this image to take it further: `>=v1.35.0, <v1.37.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub upgrades_from: Option<UpgradesFrom>,
    /// The oldest kubewright that understands the image; older ones refuse it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub minimum_kubewright: Option<Version>,
    /// The processors that it is for; amd64 unless given. Several make one image with a variant for each.
    #[serde(default = "amd64")]
    pub architectures: BTreeSet<Architecture>,
    /// Whether kubewright itself is in the image, so that it can be run as a container. It is unless told otherwise.
    #[serde(default = "yes")]
    pub program: bool,
    /// What it is made of; each becomes one layer, sent only to hosts with one of its roles.
    pub components: Vec<ComponentSpec>,
}

fn amd64() -> BTreeSet<Architecture> {
    [Architecture::Amd64].into()
}

fn yes() -> bool {
    true
}

/// Version of the format of specs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first.
    #[serde(rename = "kubewright.dev/v1alpha1")]
    V1Alpha1,
}

/// Kind of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A spec of a cluster image.
    ImageSpec,
}

/// One component: files, container images or objects of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentSpec {
    /// Its name; part of paths on hosts.
    pub name: String,
    /// Its version; part of paths on hosts.
    pub version: String,
    /// Hosts with any of these roles get it; none for objects of Kubernetes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<Role>,
    /// Files that will be under `/opt/kubewright/NAME/VERSION`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Source>,
    /// Files in YAML with objects of Kubernetes: kinds that the network plugin defines, add-ons. No host gets them; the
    /// installer applies them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<Source>,
    /// Helm charts that become such files when the image is built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<Chart>,
    /// Container images that will be imported into containerd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ContainerImage>,
    /// The layers of these images, by a name of their own; a layer that several images use is shipped once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<String, Vec<Source>>,
}

impl ComponentSpec {
    /// Every source of files that it names.
    fn sources(&self) -> impl Iterator<Item = &Source> {
        let charts = self.charts.iter().flat_map(Chart::sources);
        self.files.iter().chain(&self.manifests).chain(charts).chain(self.layers.values().flatten())
    }
}

/// Why a spec was refused.
#[derive(Debug, Error)]
pub enum SpecError {
    /// The file cannot be read.
    #[error("cannot read the spec {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What came back.
        source: std::io::Error,
    },
    /// Not YAML, or not in the shape of a spec.
    #[error("{name} is not a spec of a cluster image: {message}")]
    Syntax {
        /// Name of the file.
        name: String,
        /// What the parser found, with line and column.
        message: String,
    },
    /// In shape, but against rules; all of them.
    #[error("{name} breaks {} rule(s):\n  {}", .problems.len(), .problems.join("\n  "))]
    Rules {
        /// Name of the file.
        name: String,
        /// What is wrong, and where.
        problems: Vec<String>,
    },
}

impl Spec {
    /// Reads and checks a spec.
    pub fn load(path: &Path) -> Result<Self, SpecError> {
        let text = std::fs::read_to_string(path).map_err(|source| SpecError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses and checks a spec; `name` stands in errors.
    pub fn parse(text: &str, name: &str) -> Result<Self, SpecError> {
        let file: SpecFile = serde_yaml::from_str(text)
            .map_err(|error| SpecError::Syntax { name: name.to_owned(), message: error.to_string() })?;
        let problems = check::check(&file);
        if problems.is_empty() { Ok(Self(file)) } else { Err(SpecError::Rules { name: name.to_owned(), problems }) }
    }
}

impl std::ops::Deref for Spec {
    type Target = SpecFile;

    fn deref(&self) -> &SpecFile {
        &self.0
    }
}

/// The JSON Schema of specs.
pub fn spec_schema() -> schemars::Schema {
    schemars::schema_for!(SpecFile)
}

#[cfg(test)]
mod shipped_tests;
