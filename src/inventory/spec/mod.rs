//! The inventory as written. These structs make the JSON Schema, and the checker takes every rule about keys and types
//! from there; so a field that must be there is an `Option` that the schema calls required.

mod addons;
mod calico;
mod disk;
mod distribution;
mod dns;
mod host;
mod network;
mod proxy;
mod services;
mod settings;
mod snapshots;
mod ssh;
mod upgrade;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use addons::SpecAddon;
pub(super) use calico::{
    SpecAddressDetection, SpecBgp, SpecCalico, SpecCalicoMode, SpecEncapsulation, SpecMesh, SpecPool, SpecReflectors,
    SpecRouter, SpecServiceRoutes,
};
pub(super) use disk::SpecDisk;
pub(super) use distribution::SpecDistribution;
pub(super) use dns::SpecDns;
pub(super) use host::{SpecHost, SpecTaint};
pub(super) use network::{Mode, SpecEndpoint, SpecNetwork, SpecNetworkPlugin, SpecUntracked};
pub(super) use proxy::{SpecIpvsTimeouts, SpecProxy, SpecProxyMode};
pub(super) use services::SpecServices;
pub(super) use settings::{SpecControlPlane, SpecEtcd, SpecIrq, SpecKernel, SpecKubelet, SpecPki, Text};
pub(super) use snapshots::{SpecBucket, SpecSnapshotInclude, SpecSnapshotTarget, SpecSnapshots};
pub(super) use ssh::{BecomeMethod, SpecBastion, SpecBecomePassword, SpecHop, SpecSsh};
pub(super) use upgrade::SpecUpgrade;

/// A cluster and the hosts it runs on.
///
/// In every value `${NAME}` and `${NAME:-default}` stand for variables of the environment; `$${` is a literal `${`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "kubewright inventory")]
pub(super) struct Document {
    /// Version of this format: `kubewright.dev/v1alpha1`.
    #[schemars(required)]
    #[expect(dead_code, reason = "the checker allows no other")]
    pub(super) api_version: Option<ApiVersion>,
    /// What the file describes: `Cluster`.
    #[schemars(required)]
    #[expect(dead_code, reason = "the checker allows no other")]
    pub(super) kind: Option<Kind>,
    /// What identifies the cluster.
    #[schemars(required)]
    pub(super) metadata: Option<Metadata>,
    /// The cluster.
    #[schemars(required)]
    pub(super) spec: Option<SpecCluster>,
}

/// Version of the format.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) enum ApiVersion {
    /// The first version; it may still change.
    #[serde(rename = "kubewright.dev/v1alpha1")]
    V1alpha1,
}

/// What a file describes.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) enum Kind {
    /// A Kubernetes cluster.
    Cluster,
}

/// Who must have signed the cluster image.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SpecImageTrust {
    /// Files with public keys (PEM, ECDSA on P-256, as `cosign` has them). An image that none of them has signed is
    /// refused before any host is changed. Relative paths start at the directory of the inventory.
    #[schemars(required)]
    pub(super) keys: Option<Vec<String>>,
}

/// What identifies the cluster.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Metadata {
    /// Name of the cluster, unique among yours: a DNS name of at most 63 characters. It also names the local directory
    /// with the cluster's keys, so do not change it later.
    #[schemars(required)]
    pub(super) name: Option<String>,
}

/// The cluster.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SpecCluster {
    /// The cluster image, which holds every program of one Kubernetes version: `REGISTRY/NAME:TAG`, with `@sha256:…` after
    /// it where a tag that moved is to be refused, or `oci:DIR[:TAG]`, `oci-archive:FILE`, `docker-archive:FILE`. Relative
    /// paths start at the directory of the inventory.
    #[schemars(required)]
    pub(super) image: Option<String>,
    /// Who must have signed the cluster image.
    pub(super) image_trust: Option<SpecImageTrust>,
    /// How to log in to the hosts; a host may override each field.
    pub(super) ssh: Option<SpecSsh>,
    /// How clients reach the API servers.
    pub(super) endpoint: Option<SpecEndpoint>,
    /// Pod and service networks.
    pub(super) network: Option<SpecNetwork>,
    /// The etcd members; they run beside Kubernetes, not in it.
    pub(super) etcd: Option<SpecEtcd>,
    /// The static pods: API server, controller manager and scheduler.
    pub(super) control_plane: Option<SpecControlPlane>,
    /// The kubelets.
    pub(super) kubelet: Option<SpecKubelet>,
    /// Keys and certificates.
    pub(super) pki: Option<SpecPki>,
    /// How an upgrade goes through the nodes.
    pub(super) upgrade: Option<SpecUpgrade>,
    /// How the blobs of the cluster image get to the hosts, and what is kept there.
    pub(super) distribution: Option<SpecDistribution>,
    /// What is kept in the cluster beside what it needs itself.
    pub(super) addons: Option<Vec<SpecAddon>>,
    /// Kernel settings of all hosts.
    pub(super) kernel: Option<SpecKernel>,
    /// Services of the distribution that get into the way of a cluster; a host may override each.
    pub(super) services: Option<SpecServices>,
    /// Data disks of every host whose roles have a use for them; a host's own entry for the same use replaces one.
    pub(super) disks: Option<Vec<SpecDisk>>,
    /// Labels of all nodes; a host's own labels override them.
    pub(super) labels: Option<BTreeMap<String, String>>,
    /// The hosts. One entry can stand for many by ranges in its name and address.
    #[schemars(required)]
    pub(super) hosts: Option<Vec<SpecHost>>,
}
