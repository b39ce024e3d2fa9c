//! Where snapshots of etcd are kept, and for how long.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How etcd is saved by its own hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshots {
    /// How often a snapshot is taken; none are taken by the hosts without it. Divides a day.
    pub every: Option<Duration>,
    /// How often a host proves a snapshot with a real etcd.
    pub prove_every: Option<Duration>,
    /// Age from which the latest good one is too old.
    pub max_age: Option<Duration>,
    /// How many stay at each place.
    pub keep: Option<Keep>,
    /// Who can read them: public keys of age. Without any they are not encrypted.
    pub recipients: Vec<String>,
    /// Whether the keys of the cluster, without which its data are of little use, are saved with them, encrypted.
    pub include_pki: bool,
    /// Where to.
    pub places: Vec<SnapshotPlace>,
    /// Who is told of a snapshot that failed, and of the next one that did not: an address that takes a POST.
    pub webhook: Option<String>,
    /// A program on the host that is started then, with what happened on its standard input.
    pub command: Vec<String>,
}

/// How many snapshots stay: the latest ones, and the latest one of each of so many hours, days and weeks that have any.
/// Times are UTC, and weeks begin on Monday. One that several rules keep counts for each of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// The latest ones; at least one stays whatever stands here.
    pub last: usize,
    /// Hours.
    pub hourly: usize,
    /// Days.
    pub daily: usize,
    /// Weeks.
    pub weekly: usize,
}

/// A place that keeps snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SnapshotPlace {
    /// A directory of the machine that saves.
    Directory(PathBuf),
    /// A bucket.
    Bucket(BucketPlace),
}

/// A bucket of an S3-compatible object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketPlace {
    /// URL of the store.
    pub endpoint: String,
    /// Its region; most stores but Amazon's take any.
    pub region: String,
    /// Name of the bucket.
    pub bucket: String,
    /// What the names of all objects begin with: empty, or without `/` at either end.
    pub prefix: String,
    /// Whether the bucket stands in the path instead of the host's name.
    pub path_style: bool,
    /// How the store is to encrypt objects: `AES256`, `aws:kms`.
    pub encryption: Option<String>,
    /// File with the certificate authorities of the store, beside those of the system.
    pub authorities: Option<PathBuf>,
    /// File with the credentials, as Amazon's own tools read it; without it the environment has them.
    pub credentials: Option<PathBuf>,
}

impl fmt::Display for SnapshotPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

impl fmt::Display for BucketPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.as_str() {
            "" => write!(f, "s3://{}", self.bucket),
            prefix => write!(f, "s3://{}/{prefix}", self.bucket),
        }
    }
}
