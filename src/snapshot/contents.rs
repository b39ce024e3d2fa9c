//! What stands in etcd's database, as far as a snapshot is judged and named by it. Sources: etcd's packages
//! server/storage/schema and server/storage/mvcc, the same from 3.4 to 3.7.

use std::collections::BTreeSet;

use prost::Message;
use serde::{Deserialize, Serialize};

use super::bolt::Visit;

/// Buckets that each etcd from 3.4 on makes, and without which none starts.
const NEEDED: [&str; 4] = ["key", "meta", "lease", "members"];
/// The object that every Kubernetes has, and by whose UID a cluster is known.
const KUBE_SYSTEM: &[u8] = b"/registry/namespaces/kube-system";

/// What a snapshot holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// The latest revision; 1 where nothing was ever written.
    pub revision: u64,
    /// Versions of keys, those of deleted keys included.
    pub versions: u64,
    /// The raft log up to here is in it.
    pub applied: u64,
    /// Raft term of that, where it is noted (from etcd 3.5 on).
    pub term: Option<u64>,
    /// Version that the cluster of etcd agreed on, like `3.5.0`.
    pub cluster_version: Option<String>,
    /// Names of the members, in order.
    pub members: Vec<String>,
    /// Alarms that are raised.
    pub alarms: u64,
    /// Keys of Kubernetes, in all their versions.
    pub kubernetes_keys: u64,
    /// UID of the namespace kube-system: another cluster has another one.
    pub kubernetes_uid: Option<String>,
}

/// Gathers [`Contents`] while a database is walked.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buckets: BTreeSet<Vec<u8>>,
    contents: Contents,
}

impl Reader {
    /// What was gathered; an error is what is not as etcd leaves it.
    pub(super) fn contents(mut self) -> Result<Contents, String> {
        let lacking = NEEDED.into_iter().filter(|name| !self.buckets.contains(name.as_bytes()));
        let lacking: Vec<_> = lacking.collect();
        if !lacking.is_empty() {
            return Err(format!("it has no bucket {}", lacking.join(", ")));
        }
        self.contents.revision = self.contents.revision.max(1);
        self.contents.members.sort();
        Ok(self.contents)
    }

    /// A version of a key: revision, `_`, place within that revision, and a `t` where the key was deleted.
    fn version(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let (revision, deleted) = match key {
            [revision @ .., b'_', _, _, _, _, _, _, _, _] if revision.len() == 8 => (revision, false),
            [revision @ .., b'_', _, _, _, _, _, _, _, _, b't'] if revision.len() == 8 => (revision, true),
            _ => return Err("a version of a key has a malformed name".into()),
        };
        let revision = number(revision);
        // A restore that raises the revision leaves a name without a record at the new one (etcdutl's
        // unsafeBumpBucketsRevision): nothing was ever written there.
        if value.is_empty() && !deleted {
            self.contents.revision = revision;
            return Ok(());
        }
        let version = KeyValue::decode(value).map_err(|why| format!("revision {revision} cannot be read: {why}"))?;
        if !deleted && u64::try_from(version.mod_revision) != Ok(revision) {
            return Err(format!("revision {revision} says that it is revision {}", version.mod_revision));
        }
        let contents = &mut self.contents;
        // Their names ascend.
        contents.revision = revision;
        contents.versions += 1;
        if version.key.starts_with(b"/registry/") {
            contents.kubernetes_keys += 1;
        }
        if version.key == KUBE_SYSTEM {
            contents.kubernetes_uid = if deleted { None } else { uid(value) };
        }
        Ok(())
    }

    fn meta(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let long = || match value.len() {
            8 => Ok(number(value)),
            length => Err(format!("{} has {length} bytes, not 8", String::from_utf8_lossy(key))),
        };
        match key {
            b"consistent_index" => self.contents.applied = long()?,
            b"term" => self.contents.term = Some(long()?),
            _ => {}
        }
        Ok(())
    }

    fn member(&mut self, value: &[u8]) -> Result<(), String> {
        #[derive(Deserialize)]
        struct Member {
            // Absent until the member has started for the first time.
            #[serde(default)]
            name: String,
        }
        let member: Member = serde_json::from_slice(value).map_err(|why| format!("a member cannot be read: {why}"))?;
        self.contents.members.push(member.name);
        Ok(())
    }
}

impl Visit for Reader {
    fn bucket(&mut self, name: &[u8]) {
        self.buckets.insert(name.to_vec());
    }

    fn pair(&mut self, bucket: &[u8], key: &[u8], value: &[u8]) -> Result<(), String> {
        match bucket {
            b"key" => self.version(key, value)?,
            b"meta" => self.meta(key, value)?,
            b"members" => self.member(value)?,
            b"cluster" if key == b"clusterVersion" => {
                self.contents.cluster_version = Some(String::from_utf8_lossy(value).into_owned());
            }
            b"alarm" => self.contents.alarms += 1,
            _ => {}
        }
        Ok(())
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// etcd's record of a version, without its value: that is long, and nobody asks for it but [`uid`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) key: Vec<u8>,
    #[prost(int64, tag = "3")]
    pub(super) mod_revision: i64,
}

/// The value of such a record.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Value {
    #[prost(bytes = "vec", tag = "5")]
    pub(super) value: Vec<u8>,
}

/// The UID in a version of a namespace; `None` where it is stored in another way, encrypted for example.
fn uid(record: &[u8]) -> Option<String> {
    /// What Kubernetes writes before its protobuf.
    const PREFIX: &[u8] = b"k8s\0";

    #[derive(Clone, PartialEq, Message)]
    struct Unknown {
        #[prost(bytes = "vec", tag = "2")]
        raw: Vec<u8>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Object {
        #[prost(message, tag = "1")]
        metadata: Option<Metadata>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Metadata {
        #[prost(string, tag = "5")]
        uid: String,
    }
    let value = Value::decode(record).ok()?.value;
    let unknown = Unknown::decode(value.strip_prefix(PREFIX)?).ok()?;
    let uid = Object::decode(&*unknown.raw).ok()?.metadata?.uid;
    (!uid.is_empty()).then_some(uid)
}
