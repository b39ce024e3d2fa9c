//! What the key store holds, as the rest of the program sees it.

use std::collections::BTreeMap;
use std::fmt;

use crate::cluster::HostName;

/// Every certificate, key and kubeconfig of a cluster, each host's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys {
    /// Files by host.
    pub hosts: BTreeMap<HostName, Vec<KeyFile>>,
    /// Certificate of the cluster's CA, PEM.
    pub ca: String,
    /// Certificate of etcd's CA, PEM.
    pub etcd_ca: String,
    /// The installer's own identity towards the API: the one that always works (`system:masters`).
    pub admin: Identity,
    /// What goes into the local state directory, by file name relative to it.
    pub cache: BTreeMap<String, KeyFile>,
    /// What is to be said about them.
    pub notes: Vec<Note>,
}

/// Something that the operator should know: a certificate that is issued anew, and why; a CA that runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The host that it is about; none where it is about all.
    pub host: Option<HostName>,
    /// The file, or the CA.
    pub subject: String,
    /// What and why. Holds no secrets.
    pub text: String,
}

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(secret)")
    }
}

/// A file on a host.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// Absolute path.
    pub path: String,
    /// All of the content.
    pub content: String,
    /// Whether it holds a private key: mode 0600 and never shown; otherwise 0644.
    pub secret: bool,
    /// Who reads it.
    pub owner: KeyOwner,
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("path", &self.path).field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// The user that reads a key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    /// root.
    Root,
    /// The user that etcd runs as.
    Etcd,
}

/// What was found before anything is issued.
#[derive(Clone, Default)]
pub struct Existing {
    /// Content of key files by host and path; what a host lacks is left out.
    pub hosts: BTreeMap<HostName, BTreeMap<String, String>>,
    /// Content of the local state directory, by file name.
    pub cache: BTreeMap<String, String>,
    /// Whether any host has etcd data: then keys are never made anew.
    pub cluster_exists: bool,
}
