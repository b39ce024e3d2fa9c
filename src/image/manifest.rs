//! What a cluster image contains, as the rest of the program sees it.

use serde::{Deserialize, Serialize};

use crate::cluster::{KubeVersion, Roles};

/// A cluster image. Stored as JSON in the image's config (annotation-free, so that its digest covers it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterImage {
    /// Name of the image: `debian-12`.
    pub name: String,
    /// The version of Kubernetes that it installs.
    pub kubernetes: KubeVersion,
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
    /// Hosts with any of these roles need it.
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
    /// An OCI archive at `opt/kubewright/images/NAME.tar` with these references.
    Images(Vec<String>),
}

impl ClusterImage {
    /// The component called `name`.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name == name)
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
