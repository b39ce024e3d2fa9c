//! What a cluster image contains, as the rest of the program sees it.

use serde::{Deserialize, Serialize};

use super::{Architecture, ImageError, UpgradesFrom};
use crate::cluster::{KubeVersion, Roles, Version};

/// A cluster image. Stored as JSON in the image's config (annotation-free, so that its digest covers it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterImage {
    /// Name of the image: `debian-12`.
    pub name: String,
    /// The version of Kubernetes that it installs.
    pub kubernetes: KubeVersion,
    /// The versions that a cluster may have for this image to take it further; `None`: the image does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrades_from: Option<UpgradesFrom>,
    /// The oldest kubewright that understands the image; `None`: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_kubewright: Option<Version>,
    /// The processor that its programs are for.
    #[serde(default)]
    pub architecture: Architecture,
    /// Components, in order of name.
    pub components: Vec<Component>,
}

/// One component: one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Name: `kubelet`, `etcd`, `containerd`, `runc`, `cni-plugins`, `host-tools`, `kube-apiserver`, ….
    pub name: String,
    /// Version as the publisher writes it.
    pub version: String,
    /// Hosts with any of these roles need it; none for the program that runs the image and for objects of Kubernetes.
    pub roles: Roles,
    /// Files or container images.
    pub kind: ComponentKind,
    /// Its layer.
    pub blob: Blob,
}

/// A layer of the cluster image: tar, compressed with zstd.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// SHA-256 of the compressed bytes, 64 hex digits.
    pub sha256: String,
    /// Compressed size in bytes.
    pub size: u64,
}

/// What a component's layer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentKind {
    /// Files under `opt/kubewright/NAME/VERSION/`.
    Files,
    /// Files in YAML with objects of Kubernetes, under `opt/kubewright/manifests/NAME/`. No host gets it.
    Manifests,
    /// An OCI archive at `opt/kubewright/images/NAME.tar` with these references.
    Images(Vec<String>),
    /// This program, at `usr/local/bin/kubewright`, and what it needs to run as a container. No host gets it.
    Program,
}

impl ComponentKind {
    /// References of the container images in the component.
    pub fn references(&self) -> &[String] {
        match self {
            Self::Images(references) => references,
            Self::Files | Self::Manifests | Self::Program => &[],
        }
    }
}

impl ClusterImage {
    /// Reads what the config's label says about the image at `reference`, if this program is new enough for it.
    pub(super) fn parse(label: &str, reference: &str) -> Result<Self, ImageError> {
        #[derive(Deserialize)]
        struct Minimum {
            minimum_kubewright: Option<Version>,
        }
        let foreign = |error: serde_json::Error| ImageError::NotClusterImage {
            reference: reference.to_owned(),
            reason: format!("its list of components cannot be understood: {error}"),
        };
        // First of all: the rest may be in a shape that only newer programs know.
        let Minimum { minimum_kubewright } = serde_json::from_str(label).map_err(foreign)?;
        let own = own_version();
        match minimum_kubewright {
            Some(minimum) if own < minimum => Err(ImageError::TooOld { reference: reference.to_owned(), minimum, own }),
            _ => serde_json::from_str(label).map_err(foreign),
        }
    }

    /// The component called `name`.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name == name)
    }

    /// The references of all container images.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let images = self.components.iter().flat_map(|component| match &component.kind {
            ComponentKind::Images(references) => references.as_slice(),
            ComponentKind::Files | ComponentKind::Manifests | ComponentKind::Program => &[],
        });
        images.map(String::as_str)
    }

    /// The reference of the container image called `name`: the last element of its path, without tag or digest.
    pub fn reference(&self, name: &str) -> Option<&str> {
        self.references().find(|reference| name_and_tag(reference).0 == name)
    }

    /// Where the files of component `name` are on a host; `None` when the image has no such component.
    pub fn directory(&self, name: &str) -> Option<String> {
        self.component(name).map(|component| format!("/opt/kubewright/{}/{}", component.name, component.version))
    }

    /// The components that a host with `roles` needs.
    pub fn for_roles<'a>(&'a self, roles: &'a Roles) -> impl Iterator<Item = &'a Component> {
        self.components.iter().filter(|component| component.roles.intersects(roles))
    }
}

/// The version of this program.
fn own_version() -> Version {
    // Three numbers, or Cargo refuses to build; were it ever otherwise, no image with a minimum would open.
    env!("CARGO_PKG_VERSION").parse().unwrap_or(Version::new(0, 0, 0))
}

/// `kube-proxy` and `v1.36.4` of `localhost:5000/mirror/kube-proxy:v1.36.4@sha256:…`.
pub fn name_and_tag(reference: &str) -> (&str, Option<&str>) {
    let plain = reference.split('@').next().unwrap_or(reference);
    let last = plain.rsplit('/').next().unwrap_or(plain);
    last.split_once(':').map_or((last, None), |(name, tag)| (name, Some(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_by_their_last_element() {
        for reference in [
            "kube-proxy:v1",
            "registry.example/kube-proxy:v1.36.4",
            "localhost:5000/kube-proxy",
            "localhost:5000/a/kube-proxy:v1@sha256:00",
        ] {
            assert_eq!(name_and_tag(reference).0, "kube-proxy", "{reference}");
        }
        assert_ne!(name_and_tag("registry.example/kube-proxy/base:1").0, "kube-proxy");
    }
}
