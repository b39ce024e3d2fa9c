//! What installer and agent say to each other: frames over the session's standard input and output.
//!
//! A frame is a 4-byte big-endian length, a kind byte, and that many bytes. Kind `J` is JSON ([`ToAgent`] on the way
//! there, [`FromAgent`] on the way back), kind `D` is a piece of a blob. The agent's version is always the
//! installer's, so nothing here needs to stay compatible.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use super::autosave::{PlaceSaves, Saves};
pub use super::etcdctl::{CA as ETCD_CA, CERTIFICATE as ETCD_CLIENT_CERTIFICATE, KEY as ETCD_CLIENT_KEY};
pub use super::failure::Failure;
pub use super::members::{Join, MemberAct};
pub use super::probes::{CertificateDates, EtcdMember, ListedMember, LogOf, Probe, Probed, QueueRow, Try};
pub use super::restore::{RestoreStep, RestoredMember};
pub use super::restores::Restore;
pub use super::support::{Collect, Secrets};
use super::transfer::{Fetch, Serve};
use crate::cluster::Facts;
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
    /// Give blobs to other hosts of the run, until the session ends. → [`Reply::Serving`]
    Serve(Serve),
    /// Give no more blobs. → [`Reply::Done`]
    StopServing,
    /// Take a blob from elsewhere, with [`Event::Fetched`] on the way. → [`Reply::Done`]
    Fetch(Fetch),
    /// Look at something that runs. → [`Reply::Probed`]
    Probe(Probe),
    /// Keep what these parts are on the host now, so that an upgrade can be taken back. What is kept for the same
    /// upgrade already stays; what is kept for another one goes. → [`Reply::Done`]
    Keep {
        /// The upgrade that is about to begin.
        upgrade: Upgrade,
        /// Parts that it will change.
        parts: Vec<PartState>,
    },
    /// What is kept? → [`Reply::Kept`]
    Kept,
    /// Throw away what is kept. → [`Reply::Done`]
    Forget,
    /// Copy what makes the host a part of its cluster, unless there is such a copy; the newest three stay.
    /// → [`Reply::BackedUp`]
    Backup {
        /// Name of the backup: letters, digits, dots, dashes and underscores.
        name: String,
    },
    /// Take a snapshot of etcd from this host's member and verify it, unless there is one. → [`Reply::Snapshot`]
    Snapshot {
        /// Name of the backup that it belongs to.
        name: String,
        /// Client URL of the member.
        endpoint: String,
    },
    /// Make another member etcd's leader. → [`Reply::Done`]
    MoveLeader {
        /// Client URL of the leader, which is this host's member.
        endpoint: String,
        /// Hexadecimal id of the member that is to lead.
        target: String,
    },
    /// Have a member of etcd do something. → [`Reply::Done`]
    Member {
        /// Client URL of the member.
        endpoint: String,
        /// What.
        act: MemberAct,
    },
    /// Start this host's member of etcd, which has no data, as one that the others know already. → [`Reply::Done`]
    Join(Join),
    /// Stop this host's member of etcd, and put its data aside. → [`Reply::Done`]
    SetAside,
    /// One step of putting a snapshot in the place of etcd's data. → [`Reply::Done`]
    Restore {
        /// The restore.
        restore: Restore,
        /// The step.
        step: RestoreStep,
    },
    /// Which restore is under way, and which one could be taken back? → [`Reply::Restores`]
    Restores,
    /// What has this host saved of etcd by itself? → [`Reply::Saves`]
    Saves,
    /// What can be collected for a helper? → [`Reply::Sources`]
    Sources {
        /// How far logs go back.
        seconds: u64,
    },
    /// Collect one source, without secrets. → [`Reply::Collected`]
    Collect(Collect),
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
    /// More of a blob has come; some of these may be left out.
    Fetched {
        /// Bytes since the beginning of the request.
        bytes: u64,
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
    /// To [`ToAgent::Kept`].
    Kept {
        /// The upgrade that it was kept for; none where nothing is kept.
        upgrade: Option<Upgrade>,
        /// Parts as they were: converging them takes the upgrade back.
        parts: Vec<PartState>,
    },
    /// To [`ToAgent::Backup`].
    BackedUp {
        /// Directory of the copies, which are below it by their absolute paths.
        path: String,
        /// Bytes of the files in it.
        bytes: u64,
        /// Whether it was made now.
        created: bool,
    },
    /// To [`ToAgent::Snapshot`]: it is whole.
    Snapshot {
        /// The file.
        path: String,
        /// Its size in bytes.
        bytes: u64,
        /// SHA-256 of the whole file, in hexadecimal.
        sha256: String,
        /// The latest revision in it.
        revision: u64,
    },
    /// To [`ToAgent::Restores`].
    Restores {
        /// Begun, and not ended.
        under_way: Option<Restore>,
        /// Ended, with what was there before still beside it.
        last: Option<Restore>,
    },
    /// To [`ToAgent::Saves`].
    Saves {
        /// Nothing before its first turn.
        saves: Option<Box<Saves>>,
    },
    /// To [`ToAgent::Sources`].
    Sources {
        /// Their names: relative paths.
        names: Vec<String>,
    },
    /// To [`ToAgent::Collect`].
    Collected {
        /// The text.
        text: String,
    },
    /// To [`ToAgent::Serve`].
    Serving {
        /// Where.
        address: SocketAddr,
    },
    /// To requests that are answered by their success alone.
    Done,
}

/// An upgrade, told from every other one by where it leads: where a run that goes on begins is half-way already.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Upgrade {
    /// Digest of the cluster image.
    pub to: String,
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
