//! Settings of the parts as written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::SpecSnapshots;
use crate::cluster::{Affinity, Irqbalance, KernelProfile, KeyAlgorithm, QualityOfService, Swap, TransparentHugepage};

/// The etcd members.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecEtcd {
    /// Time between heartbeats of the leader: about the round trip between members.
    #[schemars(extend("default" = "100ms"))]
    pub(in crate::inventory) heartbeat: Option<String>,
    /// Time without heartbeat after which a member stands for election: at least five heartbeats.
    #[schemars(extend("default" = "1000ms"))]
    pub(in crate::inventory) election: Option<String>,
    /// Size limit of the database; etcd suggests at most 8GiB.
    #[schemars(extend("default" = "8GiB"))]
    pub(in crate::inventory) quota: Option<String>,
    /// How the members' hosts save etcd by themselves, and where snapshots are kept.
    pub(in crate::inventory) snapshots: Option<SpecSnapshots>,
}

/// The static pods.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecControlPlane {
    /// Flags beside those that kubewright sets. Flags that identify the cluster are refused.
    pub(in crate::inventory) extra_args: Option<SpecExtraArgs>,
    /// Names and addresses to add to the API servers' certificates.
    pub(in crate::inventory) cert_sans: Option<Vec<String>>,
    /// Quality of service of the pods.
    #[schemars(extend("default" = "burstable"))]
    pub(in crate::inventory) quality_of_service: Option<QualityOfService>,
}

/// Flags by component, without the leading dashes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::inventory) struct SpecExtraArgs {
    /// Flags of the API servers.
    pub(in crate::inventory) kube_apiserver: Option<BTreeMap<String, Text>>,
    /// Flags of the controller managers.
    pub(in crate::inventory) kube_controller_manager: Option<BTreeMap<String, Text>>,
    /// Flags of the schedulers.
    pub(in crate::inventory) kube_scheduler: Option<BTreeMap<String, Text>>,
}

/// The kubelets.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecKubelet {
    /// Most pods on one node.
    #[schemars(range(min = 1, max = 65535), extend("default" = 110))]
    pub(in crate::inventory) max_pods: Option<u32>,
}

/// Keys and certificates.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecPki {
    /// Algorithm of new keys.
    #[schemars(extend("default" = "ecdsa-p256"))]
    pub(in crate::inventory) algorithm: Option<KeyAlgorithm>,
    /// Lifetime of new CAs.
    #[schemars(extend("default" = "3650d"))]
    pub(in crate::inventory) ca_lifetime: Option<String>,
    /// Lifetime of every other certificate.
    #[schemars(extend("default" = "365d"))]
    pub(in crate::inventory) leaf_lifetime: Option<String>,
}

/// Kernel settings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecKernel {
    /// Which of the settings that `kubewright explain kernel` lists are applied.
    #[schemars(extend("default" = "default"))]
    pub(in crate::inventory) profile: Option<KernelProfile>,
    /// Sysctls beside, or instead of, those that kubewright sets: `net.core.somaxconn: 65535`.
    pub(in crate::inventory) sysctls: Option<BTreeMap<String, Text>>,
    /// Modules beside those that kubewright loads.
    pub(in crate::inventory) modules: Option<Vec<String>>,
    /// What nodes do with swap.
    #[schemars(extend("default" = "off"))]
    pub(in crate::inventory) swap: Option<Swap>,
    /// Interrupts of network cards.
    pub(in crate::inventory) irq: Option<SpecIrq>,
    /// When programs get huge pages without asking for them; `madvise` in the default profile.
    pub(in crate::inventory) transparent_hugepage: Option<TransparentHugepage>,
    /// The governor of the CPUs' frequency, where it can be chosen: `performance` in the default profile, `leave` for the
    /// host's own.
    pub(in crate::inventory) cpu_governor: Option<String>,
    /// Huge pages to set aside, by their size: `2MiB: 1024`.
    pub(in crate::inventory) hugepages: Option<BTreeMap<String, u64>>,
}

/// Interrupts of network cards.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecIrq {
    /// Whether each queue gets a CPU of its own, near the card; it does in the default profile.
    pub(in crate::inventory) affinity: Option<Affinity>,
    /// CPUs that get none, as the kernel lists them: `0,12-13`.
    pub(in crate::inventory) leave_cpus: Option<Text>,
    /// What becomes of irqbalance, where it is installed.
    #[schemars(extend("default" = "ban"))]
    pub(in crate::inventory) irqbalance: Option<Irqbalance>,
    /// Queues of each card: `cores` for one per core of its NUMA node, or a number. As the driver has chosen when left out;
    /// changing it may take the link down for a moment.
    pub(in crate::inventory) queues: Option<Text>,
    /// Entries of each ring: `max` for as many as the card can, at most 4096, or a number. As the driver has chosen when
    /// left out; changing it may take the link down for a moment.
    pub(in crate::inventory) rings: Option<Text>,
}

/// Text that may be written as a whole number or a boolean, too, because it cannot be mistaken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(in crate::inventory) struct Text(pub(in crate::inventory) String);

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "boolean"] })
    }

    fn inline_schema() -> bool {
        true
    }
}
