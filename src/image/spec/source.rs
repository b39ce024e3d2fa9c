//! Where the content of a component comes from, as it is written.
//!
//! `{version}` stands for the component's version, and `{arch}` for each architecture of the image in turn.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::Architecture;

/// Where files come from, and where they go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// A file or directory, relative to the cache; may have {version} and {arch} in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// An address to download from; may have {version} and {arch} in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// SHA-256 of the file or download, 64 hex digits, or one for each architecture. A download without is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<PerArchitecture>,
    /// Where the publisher has the checksum of the download, when it is neither at `URL.sha256`, nor at `URL.sha256sum`,
    /// nor in SHA256SUMS beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksums: Option<String>,
    /// The source is a tar (.tar, .tar.gz, .tgz, .tar.zst): take this file or directory out of it; `.` is all. May have
    /// {version} and {arch} in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Where the file goes, or what a directory's content goes below; a directory may do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Permissions of the files; without it, files keep whether they are executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// One digest for all architectures, or one for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a digest, or one for each architecture: {amd64: …, arm64: …}")]
pub enum PerArchitecture {
    /// The same everywhere.
    Same(String),
    /// By architecture.
    Each(BTreeMap<Architecture, String>),
}

impl PerArchitecture {
    /// The digest for `architecture`, where there is one.
    pub fn get(&self, architecture: Architecture) -> Option<&str> {
        match self {
            Self::Same(digest) => Some(digest),
            Self::Each(digests) => digests.get(&architecture).map(String::as_str),
        }
    }

    /// All digests, with the architecture where it matters.
    pub fn iter(&self) -> impl Iterator<Item = (Option<Architecture>, &str)> {
        let (same, each) = match self {
            Self::Same(digest) => (Some((None, digest.as_str())), None),
            Self::Each(digests) => (None, Some(digests)),
        };
        same.into_iter()
            .chain(each.into_iter().flatten().map(|(architecture, digest)| (Some(*architecture), &digest[..])))
    }
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

/// A container image: made from layers, or taken from a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerImage {
    /// The name by which pods know it: registry, path and tag, `registry.example/kube-proxy:v1.36.4`. May have {version}
    /// in it. An image that is taken from a registry may do without: pods then know it by the name it has there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The image of a registry to take: `registry.example/kube-proxy:{version}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its digest, `sha256:…`: of the image or of its index for several architectures; or one for each. Locked without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<PerArchitecture>,
    /// Names of the layers that it is made from, the lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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

impl ContainerImage {
    /// Whether it says how it is run, as only images that are made here may.
    pub(super) fn has_settings(&self) -> bool {
        let Self { entrypoint, command, env, user, .. } = self;
        !(entrypoint.is_empty() && command.is_empty() && env.is_empty() && user.is_none())
    }

    /// The name by which pods know it, for a component of `version`; empty where the spec has none.
    pub(in crate::image) fn name(&self, version: &str) -> String {
        expand_version(self.reference.as_deref().or(self.image.as_deref()).unwrap_or_default(), version)
    }
}

/// `text` with the version in place of `{version}`.
pub(super) fn expand_version(text: &str, version: &str) -> String {
    text.replace("{version}", version)
}

/// `text` with version and architecture in place of `{version}` and `{arch}`.
pub(super) fn expand(text: &str, version: &str, architecture: Architecture) -> String {
    expand_version(text, version).replace("{arch}", architecture.as_str())
}

/// The first `{name}` in `text` that is not among `known`; an odd brace counts as one.
pub(super) fn unknown_name<'a>(text: &'a str, known: &[&str]) -> Option<&'a str> {
    let start = text.find(['{', '}'])?;
    let rest = &text[start..];
    match known.iter().find_map(|name| rest.strip_prefix('{')?.strip_prefix(name)?.strip_prefix('}')) {
        Some(after) => unknown_name(after, known),
        None => Some(&rest[..rest.find('}').map_or(rest.len(), |end| end + 1)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_filled_in_or_reported() {
        let url = "https://example.org/v{version}/tool-{arch}-{version}.tgz";
        assert_eq!(expand(url, "1.2", Architecture::Arm64), "https://example.org/v1.2/tool-arm64-1.2.tgz");
        assert_eq!(unknown_name(url, &["version", "arch"]), None);
        assert_eq!(unknown_name(url, &["version"]), Some("{arch}"));
        for (text, unknown) in [("a{b}c", "{b}"), ("a{b", "{b"), ("}", "}"), ("{}", "{}"), ("{arch}{x}", "{x}")] {
            assert_eq!(unknown_name(text, &["version", "arch"]), Some(unknown), "{text}");
        }
    }

    #[test]
    fn a_digest_is_for_all_or_for_each() {
        let same: PerArchitecture = serde_yaml::from_str("abc").unwrap();
        assert_eq!(same.get(Architecture::Arm64), Some("abc"));
        let each: PerArchitecture = serde_yaml::from_str("{arm64: abc}").unwrap();
        assert_eq!((each.get(Architecture::Arm64), each.get(Architecture::Amd64)), (Some("abc"), None));
        assert_eq!(each.iter().collect::<Vec<_>>(), [(Some(Architecture::Arm64), "abc")]);
        for bad in ["[abc]", "{mips: abc}"] {
            let error = serde_yaml::from_str::<PerArchitecture>(bad).unwrap_err().to_string();
            assert!(error.contains("one for each architecture"), "{error}");
        }
    }
}
