//! What is written beside a snapshot: where it comes from, and what was known of it when it was taken. By it a snapshot
//! is recognised as one of ours; a file without one is somebody else's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file::Verified;

/// What a manifest says it is.
const KIND: &str = "kubewright etcd snapshot";
/// Seconds that another host's clock may be ahead of this one.
const AHEAD: i64 = 300;
/// Endings of the file, and of what is written beside it.
const DATABASE: &str = ".db";
pub(super) const MANIFEST: &str = ".json";
/// Endings of what age has encrypted, and of the keys of the cluster beside it.
const ENCRYPTED: &str = ".age";
const PKI: &str = ".pki.age";

/// The document beside a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always the same; other documents have another one, or none.
    kind: String,
    /// What a restore and a retention go by.
    #[serde(flatten)]
    pub origin: Origin,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, as `sha256sum` prints it.
    pub sha256: String,
    /// The latest revision in it.
    pub revision: u64,
    /// Raft term of that, where the database notes it.
    pub term: Option<u64>,
    /// Versions of keys in it.
    pub versions: u64,
    /// UID of the cluster's namespace kube-system, where it is stored legibly.
    pub kubernetes_uid: Option<String>,
    /// Names of the members of etcd.
    pub members: Vec<String>,
    /// What spoke against the cluster's data at that moment: members that differ. Empty for a good one.
    #[serde(default)]
    pub doubts: Vec<String>,
    /// The file as it is kept, where that is what age made of the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<Sealed>,
    /// The keys of the cluster, kept beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pki: Option<Sealed>,
}

/// A file that age has encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it.
    pub sha256: String,
}

/// Where a snapshot comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Name of the cluster.
    pub cluster: String,
    /// Host of the member that it was taken from.
    pub member: String,
    /// When.
    pub taken: Timestamp,
    /// Version of that member.
    pub etcd: String,
    /// Version of Kubernetes in the cluster image.
    pub kubernetes: String,
    /// Digest of the cluster image.
    pub image: String,
    /// Version of this program.
    pub kubewright: String,
    /// SHA-256 of the certificate of etcd's CA: another installation with the same keys is the same cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

impl Origin {
    /// Name of the snapshot's file: one per cluster, member and second.
    pub fn file_name(&self) -> String {
        let Self { cluster, member, taken, .. } = self;
        format!("{cluster}-{}-{member}{DATABASE}", taken.strftime("%Y%m%dT%H%M%SZ"))
    }
}

impl Manifest {
    /// The manifest of a snapshot that was just found whole.
    pub fn of(origin: Origin, whole: &Verified, doubts: Vec<String>) -> Self {
        let contents = &whole.contents;
        Self {
            kind: KIND.to_owned(),
            origin,
            bytes: whole.bytes,
            sha256: whole.sha256.clone(),
            revision: contents.revision,
            term: contents.term,
            versions: contents.versions,
            kubernetes_uid: contents.kubernetes_uid.clone(),
            members: contents.members.clone(),
            doubts,
            encrypted: None,
            pki: None,
        }
    }

    /// Reads a document; `None` where it is none of ours.
    pub fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().filter(|manifest: &Self| manifest.kind == KIND)
    }

    /// Whether the data were those of all members.
    pub fn is_good(&self) -> bool {
        self.doubts.is_empty()
    }

    /// Whether it is one that others may go for: good, and not of a time that has yet to come, which a wrong clock has
    /// given it. Clocks may differ a little.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.is_good() && self.origin.taken.as_second() <= now.as_second() + AHEAD
    }

    /// Name of the file that is kept.
    pub fn file(&self) -> String {
        let file = self.origin.file_name();
        if self.encrypted.is_some() { file + ENCRYPTED } else { file }
    }

    /// Size and SHA-256 of the file that is kept.
    pub fn stored(&self) -> (u64, &str) {
        match &self.encrypted {
            Some(sealed) => (sealed.bytes, &sealed.sha256),
            None => (self.bytes, &self.sha256),
        }
    }

    /// Name of the file with the cluster's keys, where there is one.
    pub fn pki_file(&self) -> Option<String> {
        self.pki.as_ref().map(|_| format!("{}{PKI}", stem(&self.origin.file_name())))
    }

    /// Its own name.
    pub(super) fn name(&self) -> String {
        manifest_name(&self.origin.file_name())
    }

    /// All files of the snapshot, the one that makes it count first.
    pub(super) fn files(&self) -> Vec<String> {
        [self.name(), self.file()].into_iter().chain(self.pki_file()).collect()
    }

    /// As it is written.
    pub(super) fn text(&self) -> Vec<u8> {
        // Serialising what this program itself has made cannot fail.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

/// SHA-256 of a certificate as PEM, whatever white space surrounds it.
pub fn fingerprint(certificate: &str) -> String {
    Sha256::digest(certificate.trim()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Name of the manifest beside the snapshot called `file`.
pub(super) fn manifest_name(file: &str) -> String {
    format!("{}{MANIFEST}", stem(file))
}

/// Whether a file of this name is encrypted.
pub fn is_encrypted(file: &str) -> bool {
    file.ends_with(ENCRYPTED)
}

/// Whether a file of this name is a snapshot, or would be.
pub fn is_snapshot(file: &str) -> bool {
    file.strip_suffix(ENCRYPTED).unwrap_or(file).ends_with(DATABASE)
}

fn stem(file: &str) -> &str {
    let file = file.strip_suffix(ENCRYPTED).unwrap_or(file);
    file.strip_suffix(DATABASE).unwrap_or(file)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::snapshot_of;
    use super::super::verify;
    use super::*;

    pub(in super::super) fn origin(taken: &str) -> Origin {
        Origin {
            cluster: "prod".into(),
            member: "m2".into(),
            taken: taken.parse().unwrap(),
            etcd: "3.5.16".into(),
            kubernetes: "v1.20.2".into(),
            image: "sha256:a".into(),
            kubewright: "0.1.0".into(),
            ca: None,
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written_and_others_are_not_ours() {
        let snapshot = snapshot_of(5);
        let whole = verify(snapshot.as_slice(), snapshot.len() as u64).unwrap();
        let manifest = Manifest::of(origin("2026-11-29T06:15:00Z"), &whole, Vec::new());
        let text = serde_json::to_vec_pretty(&manifest).unwrap();
        assert_eq!(Manifest::parse(&text).unwrap(), manifest);
        assert_eq!(manifest.origin.file_name(), "prod-20261129T061500Z-m2.db");
        assert_eq!(manifest_name("prod-20261129T061500Z-m2.db"), "prod-20261129T061500Z-m2.json");
        for other in ["{}", "rubbish", &String::from_utf8(text).unwrap().replace(KIND, "another kind")] {
            assert_eq!(Manifest::parse(other.as_bytes()), None, "{other}");
        }
    }
}
