//! The spec of a cluster image: which files and container images it is made of, and where they come from.

mod check;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cluster::{KubeVersion, Role};

pub(super) use check::{is_component_name, is_path_version};

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
    /// The processor that the programs are for.
    #[serde(default)]
    pub architecture: Architecture,
    /// What it is made of; each becomes one layer, sent only to hosts with one of its roles.
    pub components: Vec<ComponentSpec>,
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

/// A processor architecture, by the name that container images use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// x86-64.
    #[default]
    Amd64,
    /// AArch64.
    Arm64,
}

impl Architecture {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// One component: either files or container images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentSpec {
    /// Its name; part of paths on hosts.
    pub name: String,
    /// Its version; part of paths on hosts.
    pub version: String,
    /// Hosts with any of these roles get it.
    pub roles: BTreeSet<Role>,
    /// Files that will be under `/opt/kubewright/NAME/VERSION`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Source>,
    /// Container images that will be imported into containerd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ContainerImage>,
    /// The layers of these images, by a name of their own; a layer that several images use is shipped once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<String, Vec<Source>>,
}

/// Where files come from, and where they go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// A file or directory, relative to the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// An address to download from; needs `sha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// SHA-256 of the file or download, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The source is a tar (.tar, .tar.gz, .tgz, .tar.zst): take this file or directory out of it; `.` is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Where the file goes, or what a directory's content goes below; a directory may do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Permissions of the files; without it, files keep whether they are executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// Permissions of a file: everyone may read it, or also execute it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// rw-r--r--
    #[serde(rename = "0644")]
    Plain,
    /// rwxr-xr-x
    #[serde(rename = "0755")]
    Executable,
}

/// A container image that is made from layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerImage {
    /// Registry, path and tag: `registry.example/kube-proxy:v1.36.4`.
    pub reference: String,
    /// Names of its layers, the lowest first.
    pub layers: Vec<String>,
    /// The program that it runs, with leading arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Arguments when the container gives none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Environment; PATH has the usual value unless it is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// User, or user:group; root unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
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
