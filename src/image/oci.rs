//! The documents of an OCI image, as far as they are written and read here.
//!
//! Types of our own, because annotations must be ordered: an image built twice must have the same digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Architecture, Blob};

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// Content of the file `oci-layout`.
pub(super) const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// The annotation in `index.json` that holds the tag.
pub(super) const TAG: &str = "org.opencontainers.image.ref.name";
/// The annotation by which containerd names an image that it imports.
pub(super) const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// Annotations of layers: what is in there, and for whom.
pub(super) const COMPONENT: &str = "dev.kubewright.component";
pub(super) const COMPONENT_VERSION: &str = "dev.kubewright.version";
pub(super) const COMPONENT_ROLES: &str = "dev.kubewright.roles";
pub(super) const COMPONENT_ARCHITECTURE: &str = "dev.kubewright.arch";
/// Annotations of the whole, as the OCI specification names them.
pub(super) const TITLE: &str = "org.opencontainers.image.title";
pub(super) const VERSION: &str = "org.opencontainers.image.version";
pub(super) const DESCRIPTION: &str = "org.opencontainers.image.description";
/// The label in the config that holds the [`super::ClusterImage`] as JSON. In the config, so that the digest covers it.
pub(super) const CLUSTER_IMAGE: &str = "dev.kubewright.cluster-image.v1";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(super) fn new(media_type: &str, blob: &Blob) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: format!("sha256:{}", blob.sha256),
            size: blob.size,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The blob that it describes; `None` when the digest is not SHA-256.
    pub(super) fn blob(&self) -> Option<Blob> {
        let sha256 = self.digest.strip_prefix("sha256:")?;
        super::digest::is_sha256(sha256).then(|| Blob { sha256: sha256.to_owned(), size: self.size })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    pub(super) architecture: String,
    pub(super) os: String,
}

impl Platform {
    pub(super) fn linux(architecture: Architecture) -> Self {
        Self { architecture: architecture.as_str().to_owned(), os: "linux".to_owned() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) manifests: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Index {
    pub(super) fn new(manifests: Vec<Descriptor>) -> Self {
        Self { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests, annotations: BTreeMap::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Manifest {
    pub(super) fn new(config: &Blob, layers: &[Blob]) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config: Descriptor::new(CONFIG, config),
            layers: layers.iter().map(|layer| Descriptor::new(LAYER_ZSTD, layer)).collect(),
            annotations: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Config {
    pub(super) architecture: String,
    pub(super) os: String,
    #[serde(default)]
    pub(super) config: Execution,
    pub(super) rootfs: RootFs,
}

impl Config {
    /// A config for `architecture` and the uncompressed digests of the layers.
    pub(super) fn new(architecture: &str, config: Execution, diff_ids: &[String]) -> Self {
        let diff_ids = diff_ids.iter().map(|diff_id| format!("sha256:{diff_id}")).collect();
        let rootfs = RootFs { kind: "layers".to_owned(), diff_ids };
        Self { architecture: architecture.to_owned(), os: "linux".to_owned(), config, rootfs }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Execution {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) env: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) entrypoint: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cmd: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) working_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RootFs {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) diff_ids: Vec<String>,
}
