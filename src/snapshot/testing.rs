//! Snapshots for tests, in the form in which etcd writes them.

use prost::Message;
use sha2::{Digest, Sha256};

use super::bolt::testing::{Pair, database};
use super::contents::{KeyValue, Value};
use super::manifest::Manifest;
use super::manifest::tests::origin;
use super::verify;

pub(crate) use super::seal::tests::pair as age_pair;

/// The file that etcd makes of a database.
pub(crate) fn signed(mut body: Vec<u8>) -> Vec<u8> {
    let digest = Sha256::digest(&body);
    body.extend(digest);
    body
}

/// A whole snapshot of a member `m1` that has written `values` keys.
pub(crate) fn snapshot_of(values: u64) -> Vec<u8> {
    signed(etcd((0..values).map(|index| version(index + 2, &format!("/registry/pods/{index}"), &[7; 700])).collect()))
}

/// The manifest of a good one that was taken then.
pub(crate) fn manifest(taken: &str) -> Manifest {
    let content = snapshot_of(5);
    let whole = verify(content.as_slice(), content.len() as u64).unwrap();
    Manifest::of(origin(taken), &whole, Vec::new())
}

/// etcd's database with these versions of keys.
pub(super) fn etcd(versions: Vec<Pair>) -> Vec<u8> {
    let pair = |key: &str, value: &[u8]| (key.as_bytes().to_vec(), value.to_vec());
    database(&[
        ("alarm", vec![]),
        ("cluster", vec![pair("clusterVersion", b"3.5.0")]),
        ("key", versions),
        ("lease", vec![]),
        ("members", vec![pair("1a", br#"{"id":26,"peerURLs":["https://10.0.0.1:2380"],"name":"m1"}"#)]),
        ("meta", vec![pair("consistent_index", &41_u64.to_be_bytes()), pair("term", &3_u64.to_be_bytes())]),
    ])
}

/// A version of a key.
pub(super) fn version(revision: u64, key: &str, value: &[u8]) -> Pair {
    let record = KeyValue { key: key.into(), mod_revision: revision as i64 };
    let value = Value { value: value.to_vec() };
    (name(revision, b""), [record.encode_to_vec(), value.encode_to_vec()].concat())
}

/// What a restore that raises the revision leaves at the new one.
pub(super) fn raised(revision: u64) -> Pair {
    (name(revision, b""), Vec::new())
}

/// The version that says that a key is gone.
pub(super) fn tombstone(revision: u64, key: &str) -> Pair {
    (name(revision, b"t"), KeyValue { key: key.into(), mod_revision: 0 }.encode_to_vec())
}

fn name(revision: u64, end: &[u8]) -> Vec<u8> {
    [&revision.to_be_bytes()[..], b"_", &[0; 8], end].concat()
}
