//! What the installer can ask about things that run on a host, and the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::desired::disk::Disk;

/// Something that runs on the host, looked at from the host itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// This host's etcd member, over its JSON gateway with the healthcheck certificate under /etc/kubernetes/pki/etcd.
    Etcd {
        /// Client URL: `https://10.0.0.1:2379`.
        endpoint: String,
    },
    /// The hash over the keys of this host's etcd member up to a revision. Members that have the same data tell the
    /// same, whatever they have compacted. → [`Probed::EtcdHash`]
    EtcdHash {
        /// Client URL.
        endpoint: String,
        /// The revision, which every member must have reached and none may have compacted.
        revision: u64,
    },
    /// The last words of something. → [`Probed::Log`]
    Log(LogOf),
    /// GET an HTTPS URL (`/readyz` of an API server), trusting the cluster's CA; 200 is healthy.
    Https {
        /// The URL.
        url: String,
    },
    /// GET /healthz over TLS on loopback, of a component whose certificate is one that it made when it started: there is
    /// nothing to verify it with, and nothing is told to it.
    Healthz {
        /// Port.
        port: u16,
    },
    /// GET a plain HTTP URL on loopback (kubelet's healthz).
    Http {
        /// The URL.
        url: String,
    },
    /// How often systemd has restarted a unit by itself since it was last started, or the kubelet a container of a pod's
    /// newest incarnation, and what it said last. → [`Probed::Restarts`]
    Restarts(LogOf),
    /// The pods that run a program. → [`Probed::Pods`]
    Pods {
        /// Its name, of which the kernel keeps 15 bytes: `kube-apiserver`.
        program: String,
    },
    /// The host's clock. → [`Probed::Clock`]
    Clock,
    /// Write and sync beside etcd's data, as etcd does. → [`Probed::Syncs`]
    Syncs,
    /// Which of these kernel modules does the running kernel not have? → [`Probed::Missing`]
    Modules {
        /// Names.
        names: Vec<String>,
    },
    /// Which of these data disks could not be brought about, and why? → [`Probed::Unusable`]
    Disks {
        /// All data disks of the host.
        disks: Vec<Disk>,
    },
    /// Which of these files are not there? → [`Probed::Missing`]
    Files {
        /// Absolute paths.
        paths: Vec<String>,
    },
    /// Listen on these addresses until [`Probe::Hush`], as far as nobody listens there. → [`Probed::Done`]
    Listen {
        /// Own addresses.
        addresses: Vec<SocketAddr>,
    },
    /// Connect to these addresses, all at once. → [`Probed::Unreached`]
    Reach {
        /// Addresses of other hosts.
        addresses: Vec<SocketAddr>,
    },
    /// Try ways through the network. → [`Probed::Tried`]
    Try {
        /// UID of the pod to try from; the host itself when absent.
        pod: Option<String>,
        /// What to try, all at once.
        tries: Vec<Try>,
    },
    /// No longer listen. → [`Probed::Done`]
    Hush,
    /// Dates of every certificate under /etc/kubernetes, /etc/etcd and /var/lib/kubelet/pki, kubeconfigs included.
    Certificates,
}

/// One way through the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Try {
    /// GET an HTTP URL.
    Get {
        /// The URL.
        url: String,
        /// Least length of its body, in bytes.
        bytes: usize,
    },
    /// Open a connection.
    Connect {
        /// Where to.
        to: SocketAddr,
    },
    /// Resolve a name to an address.
    Resolve {
        /// The name server.
        server: SocketAddr,
        /// The whole name.
        name: String,
    },
}

/// Something that writes a log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogOf {
    /// A container of a pod in kube-system, over all incarnations of the pod.
    Container {
        /// Name of the pod: `kube-apiserver-m1`.
        pod: String,
        /// Name of the container in it.
        container: String,
    },
    /// A unit.
    Unit {
        /// Name: `kubelet.service`.
        name: String,
    },
}

/// Answer to a [`Probe`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probed {
    /// The member answers.
    Etcd(EtcdMember),
    /// The member's hash. Two members' are alike only with the same compact revision, too.
    EtcdHash {
        /// Hash.
        hash: u32,
        /// Revision that was asked for.
        revision: u64,
        /// Revision up to which the member has compacted; -1 where it never has.
        compact_revision: i64,
    },
    /// At most 15 lines and 4 KiB; none where there is no log.
    Log {
        /// Lines, without what the runtime adds to them.
        lines: Vec<String>,
    },
    /// Status code and body's first kilobyte.
    Http {
        /// HTTP status.
        status: u16,
        /// First kilobyte.
        body: String,
    },
    /// Nothing answers there, and why.
    Unreachable {
        /// The connection error.
        why: String,
    },
    /// How it went with something that is restarted when it ends.
    Restarts {
        /// Number of restarts.
        restarts: u32,
        /// End of its log, where it was restarted at all.
        last_lines: String,
    },
    /// Pods with a process.
    Pods {
        /// Their UIDs; that of a static pod is the hash of its manifest.
        uids: BTreeSet<String>,
    },
    /// Milliseconds since the epoch by the host's clock.
    Clock {
        /// Milliseconds.
        milliseconds: i64,
    },
    /// How long one write with its sync took.
    Syncs {
        /// The 99th percentile, in microseconds.
        p99_microseconds: u64,
    },
    /// Names of modules, or paths of files.
    Missing {
        /// Names.
        names: Vec<String>,
    },
    /// What keeps data disks from being used.
    Unusable {
        /// Each with what was found.
        problems: Vec<Failure>,
    },
    /// Addresses that could not be connected to, and why.
    Unreached {
        /// Why, by address.
        addresses: BTreeMap<SocketAddr, String>,
    },
    /// Ways that did not work.
    Tried {
        /// Why, by their place in the list.
        failed: BTreeMap<usize, String>,
    },
    /// It is done.
    Done,
    /// Certificates found.
    Certificates {
        /// In order of path.
        certificates: Vec<CertificateDates>,
    },
}

/// A member's view of the etcd cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdMember {
    /// Own member id, hexadecimal.
    pub member: String,
    /// Leader's member id, hexadecimal; none while there is no leader.
    pub leader: Option<String>,
    /// Raft term.
    pub raft_term: u64,
    /// Raft index.
    pub raft_index: u64,
    /// Server version.
    pub version: String,
    /// Database size in bytes.
    pub db_size: u64,
    /// What of it is in use.
    pub db_in_use: u64,
    /// Revision of the keys.
    pub revision: u64,
    /// Members that this one knows.
    pub members: Vec<ListedMember>,
    /// Alarms and errors that it reports.
    pub errors: Vec<String>,
}

impl EtcdMember {
    /// What is wrong with it beside that there is no space to write to: one that is full can be read, saved and
    /// defragmented, and that is the way out.
    pub fn errors_but_space(&self) -> impl Iterator<Item = &String> {
        self.errors.iter().filter(|error| !error.contains("NOSPACE"))
    }
}

/// A member, as another one knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedMember {
    /// Its id, hexadecimal.
    pub id: String,
    /// Its name; empty where it was added and never started.
    pub name: String,
    /// Its peer URLs.
    pub peer_urls: Vec<String>,
    /// Whether it has no vote yet.
    pub learner: bool,
}

/// An interrupt of a network card's queue: where it is worked on, and where it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRow {
    /// The card's interface.
    pub nic: String,
    /// The bond or bridge that the card is a member of.
    pub master: Option<String>,
    /// Queue, from 0.
    pub queue: usize,
    /// Number of the interrupt; another one after each boot.
    pub interrupt: u32,
    /// What the driver calls it.
    pub name: String,
    /// CPUs that may work on it.
    pub cpus: String,
    /// CPU that should.
    pub wanted: String,
    /// Whether the kernel keeps it where its driver wants it.
    pub managed: bool,
    /// NUMA node of the card.
    pub node: u32,
    /// CPUs that share the work of received packets.
    pub receive: String,
    /// CPUs whose senders use the queue.
    pub transmit: String,
    /// How often the interrupt came.
    pub count: u64,
    /// Packets received by the queue, where the driver counts them.
    pub packets: Option<u64>,
}

/// One certificate on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateDates {
    /// File.
    pub path: String,
    /// Subject's common name.
    pub common_name: String,
    /// End of validity, RFC 3339.
    pub not_after: String,
}
