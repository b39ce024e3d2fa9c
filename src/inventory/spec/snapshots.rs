//! The section `etcd.snapshots` as written.

use schemars::JsonSchema;
use serde::Deserialize;

/// How the members' hosts save etcd by themselves, and where snapshots are kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecSnapshots {
    /// How often one of the members saves a snapshot, from midnight UTC on; they take turns. At least `1m`, and a day
    /// must be a multiple of it. Without it only `kubewright etcd snapshot save` saves.
    pub(in crate::inventory) every: Option<String>,
    /// Age from which the latest good snapshot of a target is too old; by default three times `every`.
    pub(in crate::inventory) max_age: Option<String>,
    /// How often each host restores a snapshot that it has just taken into a directory of its own, and reads all of it
    /// through a real etcd. That takes the space of two copies on the host for a moment.
    pub(in crate::inventory) prove_every: Option<String>,
    /// How many stay in each target; all of them when left out. A directory on each host counts for itself.
    pub(in crate::inventory) keep: Option<SpecKeep>,
    /// Public keys of age (`age1…`): snapshots are encrypted for all of them, and no host can read what it has saved.
    pub(in crate::inventory) recipients: Option<Vec<String>>,
    /// What is saved with the data, encrypted.
    pub(in crate::inventory) include: Option<Vec<SpecSnapshotInclude>>,
    /// Where snapshots are kept; each gets every one.
    #[schemars(required)]
    pub(in crate::inventory) targets: Option<Vec<SpecSnapshotTarget>>,
    /// URL that gets a POST with what happened, as JSON, when a snapshot of the hosts fails, and when the next one does not.
    pub(in crate::inventory) webhook: Option<String>,
    /// Program on the members' hosts, with its arguments, that is started then; it reads the same from its input.
    pub(in crate::inventory) command: Option<Vec<String>>,
}

/// How many snapshots stay; one that several of these ask for counts for each. Times are UTC.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecKeep {
    /// The latest ones; one stays in any case.
    pub(in crate::inventory) last: Option<usize>,
    /// The latest of each of so many hours that have any.
    pub(in crate::inventory) hourly: Option<usize>,
    /// The latest of each of so many days.
    pub(in crate::inventory) daily: Option<usize>,
    /// The latest of each of so many weeks, from Monday on.
    pub(in crate::inventory) weekly: Option<usize>,
}

/// What is saved with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::inventory) enum SpecSnapshotInclude {
    /// The CAs and the service account key, without which the data are of little use once all masters are lost.
    Pki,
}

/// A place that keeps snapshots: one of the two.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecSnapshotTarget {
    /// An absolute path on each member's host: a disk of its own, or a mounted share. Only its last part is made.
    pub(in crate::inventory) directory: Option<String>,
    /// A bucket of an S3-compatible object store.
    pub(in crate::inventory) s3: Option<SpecBucket>,
}

/// A bucket of an S3-compatible object store.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecBucket {
    /// URL of the store: `https://s3.example.com`.
    #[schemars(required)]
    pub(in crate::inventory) endpoint: Option<String>,
    /// Name of the bucket; it must be there.
    #[schemars(required)]
    pub(in crate::inventory) bucket: Option<String>,
    /// What the names of all objects begin with, such as `prod/etcd`.
    pub(in crate::inventory) prefix: Option<String>,
    /// Region of the bucket.
    #[schemars(extend("default" = "us-east-1"))]
    pub(in crate::inventory) region: Option<String>,
    /// Whether the bucket stands in the path of URLs, and not in the name of the host.
    #[schemars(extend("default" = true))]
    pub(in crate::inventory) path_style: Option<bool>,
    /// How the store is to encrypt objects: `AES256`, `aws:kms`.
    pub(in crate::inventory) server_side_encryption: Option<String>,
    /// File with the certificate authorities of the store (PEM), beside those of the system. Relative paths start at the
    /// directory of the inventory.
    pub(in crate::inventory) ca_file: Option<String>,
    /// File with `aws_access_key_id` and `aws_secret_access_key` in a section `[default]`. Hosts that save by themselves
    /// get a copy that only root can read.
    #[schemars(required)]
    pub(in crate::inventory) credentials_file: Option<String>,
}
