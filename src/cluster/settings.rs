//! Settings of the parts of a cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Snapshots, Tuning};

/// Where a cluster image is: `REGISTRY/NAME:TAG[@DIGEST]`, `oci:DIR[:TAG]`, `oci-archive:FILE` or `docker-archive:FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference(pub String);

/// Which cluster images may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageTrust {
    /// Files with public keys. Where there are any, an image must be signed by one of them.
    pub keys: Vec<PathBuf>,
}

/// The external etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etcd {
    /// Time between heartbeats of the leader.
    pub heartbeat: Duration,
    /// Time without heartbeat after which a member stands for election; at least five heartbeats.
    pub election: Duration,
    /// Size limit of the database in bytes; etcd suggests at most 8 GiB.
    pub quota_bytes: u64,
    /// How it is saved.
    pub snapshots: Snapshots,
}

/// Settings of the static pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlane {
    /// Extra flags by component (`kube-apiserver`, …). Flags that identify the cluster are refused.
    pub extra_args: BTreeMap<String, BTreeMap<String, String>>,
    /// Extra subject alternative names of the API servers' certificates.
    pub cert_sans: Vec<String>,
    /// Quality of service of the static pods.
    pub quality_of_service: QualityOfService,
}

/// Quality of service class of the control-plane pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QualityOfService {
    /// Requests only: the pods may use what is free.
    Burstable,
    /// Limits equal to requests, worked out from the size of the host.
    Guaranteed,
}

/// Settings of the kubelets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubelet {
    /// Most pods on one node.
    pub max_pods: u32,
}

/// Keys and lifetimes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pki {
    /// Algorithm of new keys.
    pub algorithm: KeyAlgorithm,
    /// Lifetime of new CAs.
    pub ca_lifetime: Duration,
    /// Lifetime of every other certificate.
    pub leaf_lifetime: Duration,
}

/// Algorithm of a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum KeyAlgorithm {
    /// NIST P-256.
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// RSA, 2048 bits.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// RSA, 4096 bits.
    #[serde(rename = "rsa-4096")]
    Rsa4096,
}

/// A sysctl's key as the kernel's documentation writes it. Keys may be written with slashes; then a dot is part of a name.
pub fn sysctl_key(text: &str) -> String {
    match text.find(['/', '.']) {
        Some(at) if text[at..].starts_with('/') => swap_separators(text),
        _ => text.to_owned(),
    }
}

/// A sysctl's key in its other spelling: dots for slashes, slashes for dots.
pub fn swap_separators(key: &str) -> String {
    let swap = |c| match c {
        '/' => '.',
        '.' => '/',
        c => c,
    };
    key.chars().map(swap).collect()
}

/// Which kernel settings a host gets beside those that Kubernetes does not work without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KernelProfile {
    /// All that `kubewright explain kernel` lists.
    #[default]
    Default,
    /// None.
    None,
}

/// What a node does with swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Swap {
    /// None is used, now and after a reboot; `reset` brings it back.
    #[default]
    Off,
    /// What the host has is left on, and pods that are burstable may use some of it (`LimitedSwap` of the kubelet). Wants
    /// Kubernetes 1.28 and cgroup v2.
    Limited,
}

/// Kernel settings of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kernel {
    /// The table that is applied.
    pub profile: KernelProfile,
    /// Sysctls beside, or instead of, those of the profile.
    pub sysctls: BTreeMap<String, String>,
    /// Modules beside those that Kubernetes needs.
    pub modules: Vec<String>,
    /// What the kernel forgets at a reboot.
    pub tuning: Tuning,
    /// What a node does with swap.
    pub swap: Swap,
}
