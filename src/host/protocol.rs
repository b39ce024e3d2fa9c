//! What installer and agent say to each other: frames over the session's standard input and output.
//!
//! A frame is a 4-byte big-endian length, a kind byte, and that many bytes. Kind `J` is JSON ([`ToAgent`] on the way
//! there, [`FromAgent`] on the way back), kind `D` is a piece of a blob. The agent's version is always the
//! installer's, so nothing here needs to stay compatible.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::cluster::Facts;
use crate::desired::disk::Disk;
use crate::desired::state::{Part, PartState};
use crate::image::Blob;

/// Largest frame that either side accepts, in bytes.
pub const MAX_FRAME: usize = 64 << 20;
/// Size of the pieces in which a blob travels, in bytes.
pub const BLOB_PIECE: usize = 256 << 10;
/// Seconds without a frame after which the agent ends, and with it the run lock.
pub const IDLE_LIMIT_SECONDS: u64 = 60;

/// From the installer to the agent. One request at a time; `Ping` may come at any moment and has no answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToAgent {
    /// Tell about the host. → [`Reply::Facts`]
    Facts,
    /// Read files, secrets among them; a missing file is `None`, an unreadable one an error. → [`Reply::Files`]
    Read {
        /// Absolute paths.
        paths: Vec<String>,
    },
    /// Take the run lock and hold it until the session ends. → [`Reply::Locked`] or [`Reply::Held`]
    Lock {
        /// Who we are.
        holder: Holder,
    },
    /// Who holds the run lock? → [`Reply::Held`] or [`Reply::Free`]
    Holder,
    /// What would change? → [`Reply::Changes`]
    Diff {
        /// Parts to look at.
        parts: Vec<PartState>,
    },
    /// Bring it about; each change is also sent as [`Event::Changed`] when it is done. → [`Reply::Changes`]
    Converge {
        /// Parts, in order.
        parts: Vec<PartState>,
    },
    /// Which of these blobs are there, and how much of each? → [`Reply::Blobs`]
    Blobs {
        /// Blobs that the host's state needs and that no unpacked component or image makes unnecessary.
        blobs: Vec<Blob>,
    },
    /// `D` frames follow, until `size - offset` bytes have come. → [`Reply::Done`]
    Put {
        /// The blob.
        blob: Blob,
        /// Where the first piece belongs: what [`Reply::Blobs`] said is there already.
        offset: u64,
    },
    /// Look at something that runs. → [`Reply::Probed`]
    Probe(Probe),
    /// Return the host to bare. → [`Reply::Changes`]
    Reset,
    /// Still here.
    Ping,
}

/// From the agent to the installer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromAgent {
    /// First frame of a session: the agent runs.
    Hello {
        /// SHA-256 of the agent's binary.
        sha256: String,
    },
    /// Something happened while a request is worked on.
    Event(Event),
    /// The request is done.
    Reply(Box<Reply>),
    /// The request failed.
    Failed(Failure),
}

/// Progress within a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A change is about to be made.
    Changing {
        /// Part it belongs to.
        part: Part,
        /// Resource, as in [`Change::resource`].
        resource: String,
    },
    /// A change was made.
    Changed {
        /// Part it belongs to.
        part: Part,
        /// What.
        change: Change,
    },
}

/// Answer to a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To [`ToAgent::Facts`].
    Facts(Box<Facts>),
    /// To [`ToAgent::Read`].
    Files {
        /// Content by path.
        files: BTreeMap<String, Option<String>>,
    },
    /// The lock is ours.
    Locked,
    /// Nobody has the lock.
    Free,
    /// Somebody else has it.
    Held {
        /// Who.
        by: Holder,
    },
    /// To [`ToAgent::Diff`], [`ToAgent::Converge`] and [`ToAgent::Reset`].
    Changes {
        /// Changes by part; parts without any are left out.
        parts: Vec<PartChanges>,
    },
    /// To [`ToAgent::Blobs`].
    Blobs {
        /// Bytes already there, by SHA-256; a complete blob has its full size.
        have: BTreeMap<String, u64>,
    },
    /// To [`ToAgent::Probe`].
    Probed(Probed),
    /// To [`ToAgent::Put`].
    Done,
}

/// Who holds a run lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Login name of the operator.
    pub user: String,
    /// Host name of the bastion.
    pub host: String,
    /// Process id there.
    pub pid: u32,
    /// Verb: `install`, `reset`, ….
    pub verb: String,
    /// When the run began, RFC 3339.
    pub since: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { user, host, pid, verb, since } = self;
        write!(f, "{user}@{host} (process {pid}, {verb}) since {since}")
    }
}

/// The changes of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartChanges {
    /// Part.
    pub part: Part,
    /// Changes, in order.
    pub changes: Vec<Change>,
}

/// One change, to be made or made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Kind and name of the resource: `file /etc/hosts`, `unit etcd.service`, `sysctl net.ipv4.ip_forward`.
    pub resource: String,
    /// What is done to it.
    pub action: Action,
    /// One line for people: `mode 0644 → 0600`, `stopped → running`.
    pub summary: String,
    /// Unified diff of the content, where there is one that may be shown.
    pub diff: Option<String>,
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Was not there.
    Create,
    /// Was different.
    Update,
    /// Is taken away.
    Remove,
    /// A unit starts.
    Start,
    /// A unit restarts, because something it depends on changed.
    Restart,
    /// A unit stops.
    Stop,
}

/// A failed request: all that the operator needs, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Failure {
    /// Step: resource or request, and the command where one ran.
    pub what: String,
    /// What came back: the error, the tail of standard error.
    pub why: String,
    /// What to do next, where that is known.
    pub hint: Option<String>,
}

/// Something that runs on the host, looked at from the host itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// This host's etcd member, over its JSON gateway with the healthcheck certificate under /etc/kubernetes/pki/etcd.
    Etcd {
        /// Client URL: `https://10.0.0.1:2379`.
        endpoint: String,
    },
    /// GET an HTTPS URL (`/readyz` of an API server), trusting the cluster's CA; 200 is healthy.
    Https {
        /// The URL.
        url: String,
    },
    /// GET a plain HTTP URL on loopback (kubelet's healthz).
    Http {
        /// The URL.
        url: String,
    },
    /// How often systemd has restarted a unit by itself since it was last started, and what it said last.
    Unit {
        /// Name: `kubelet.service`.
        name: String,
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
    /// No longer listen. → [`Probed::Done`]
    Hush,
    /// Dates of every certificate under /etc/kubernetes, /etc/etcd and /var/lib/kubelet/pki, kubeconfigs included.
    Certificates,
}

/// Answer to a [`Probe`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probed {
    /// The member answers.
    Etcd(EtcdMember),
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
    /// The unit.
    Unit {
        /// Restarts by systemd.
        restarts: u32,
        /// End of its journal.
        last_lines: String,
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
    /// Members that this one knows, by name: whether each is a started voter.
    pub members: BTreeMap<String, bool>,
    /// Alarms and errors that it reports.
    pub errors: Vec<String>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_with_numbers_as_keys_survive_the_journey() {
        // Internally tagged enums would read such keys as text; see the variants' plain tags.
        let facts = Facts { listening: BTreeMap::from([(22, "sshd".to_owned())]), ..Facts::default() };
        let sent = FromAgent::Reply(Box::new(Reply::Facts(Box::new(facts.clone()))));
        let text = serde_json::to_string(&sent).unwrap();
        let FromAgent::Reply(reply) = serde_json::from_str(&text).unwrap() else { panic!("another message: {text}") };
        assert!(matches!(*reply, Reply::Facts(read) if *read == facts));
    }
}
