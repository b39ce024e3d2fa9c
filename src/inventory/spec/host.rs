//! Hosts as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::cluster::{Role, TaintEffect};

use super::{SpecDisk, SpecKernel, SpecServices, SpecSsh};

/// A host, or many of a kind.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecHost {
    /// Name of the host and of its node. A range stands for many: `m[1-3]`, `n[001-040]`, `n[01-10,15]`.
    #[schemars(required)]
    pub(in crate::inventory) name: Option<String>,
    /// IP address by which the other hosts reach it. With a range in the name, a range of the same length:
    /// `10.1.0.[11-13]`.
    #[schemars(required)]
    pub(in crate::inventory) address: Option<String>,
    /// What it does: any of `control-plane`, `etcd` and `worker`. A control plane that is no worker gets the usual taint.
    #[schemars(required)]
    pub(in crate::inventory) roles: Option<Vec<Role>>,
    /// Its data centre: becomes the labels `topology.kubernetes.io/zone` and `topology.kubewright.dev/idc`. One for all,
    /// or a range as long as that of the name.
    pub(in crate::inventory) idc: Option<String>,
    /// Its rack: becomes the label `topology.kubewright.dev/rack`. One for all, or a range as long as that of the name.
    pub(in crate::inventory) rack: Option<String>,
    /// Labels of the node.
    pub(in crate::inventory) labels: Option<BTreeMap<String, String>>,
    /// Taints of the node.
    pub(in crate::inventory) taints: Option<Vec<SpecTaint>>,
    /// Kernel settings beside, or instead of, those of `spec.kernel`.
    pub(in crate::inventory) kernel: Option<SpecKernel>,
    /// Overrides of `spec.services`.
    pub(in crate::inventory) services: Option<SpecServices>,
    /// Data disks beside, or instead of, those of `spec.disks`.
    pub(in crate::inventory) disks: Option<Vec<SpecDisk>>,
    /// Overrides of `spec.ssh`.
    pub(in crate::inventory) ssh: Option<SpecSsh>,
}

/// A taint.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecTaint {
    /// Key.
    #[schemars(required)]
    pub(in crate::inventory) key: Option<String>,
    /// Value; none by default.
    pub(in crate::inventory) value: Option<String>,
    /// What happens to pods that do not tolerate it.
    #[schemars(required)]
    pub(in crate::inventory) effect: Option<TaintEffect>,
}
