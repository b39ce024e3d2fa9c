//! What a snapshot holds, and each way in which a file is none.

use proptest::prelude::*;

use super::bolt::testing::database;
use super::testing::{etcd, raised, signed, snapshot_of, tombstone, version};
use super::*;

fn told(file: &[u8]) -> String {
    match verify(file, file.len() as u64) {
        Ok(whole) => format!("whole, revision {}", whole.contents.revision),
        Err(damage) => damage.to_string(),
    }
}

/// The namespace as Kubernetes stores it.
fn namespace(uid: &str) -> Vec<u8> {
    let field = |tag: u8, content: &[u8]| [&[tag << 3 | 2, content.len() as u8][..], content].concat();
    let metadata = [field(1, b"kube-system"), field(5, uid.as_bytes())].concat();
    [&b"k8s\0"[..], &field(1, b"\x0a\x02v1"), &field(2, &field(1, &metadata))].concat()
}

#[test]
fn what_a_snapshot_holds_is_told() {
    let file = signed(etcd(vec![
        version(2, "/registry/namespaces/kube-system", &namespace("11-22")),
        version(3, "/registry/pods/a", b"a"),
        version(5, "/registry/pods/a", b"b"),
        version(6, "mine", b"c"),
        tombstone(9, "/registry/pods/a"),
    ]));
    let whole = verify(&file[..], file.len() as u64).unwrap();
    assert_eq!(whole.bytes, file.len() as u64);
    let contents = Contents {
        revision: 9,
        versions: 5,
        applied: 41,
        term: Some(3),
        cluster_version: Some("3.5.0".into()),
        members: vec!["m1".into()],
        alarms: 0,
        kubernetes_keys: 4,
        kubernetes_uid: Some("11-22".into()),
    };
    assert_eq!(whole.contents, contents);
    // Nothing was written yet.
    assert_eq!(told(&snapshot_of(0)), "whole, revision 1");
    // One that is encrypted at rest is no damage.
    let file = signed(etcd(vec![version(2, "/registry/namespaces/kube-system", b"k8s:enc:aescbc:v1:x:y")]));
    assert_eq!(verify(&file[..], file.len() as u64).unwrap().contents.kubernetes_uid, None);
}

#[test]
fn a_revision_that_a_restore_has_raised_is_no_damage() {
    let snapshot = signed(etcd(vec![version(2, "/registry/pods/a", b"1"), raised(1_000_000_002)]));
    let contents = verify(snapshot.as_slice(), snapshot.len() as u64).unwrap().contents;
    assert_eq!((contents.revision, contents.versions), (1_000_000_002, 1));
}

#[test]
fn damage_is_told_apart() {
    let good = snapshot_of(9);
    let body = || good[..good.len() - 32].to_vec();
    let changed = |at: usize| {
        let mut file = good.clone();
        file[at] ^= 1;
        file
    };
    let resigned = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut body = body();
        change(&mut body);
        signed(body)
    };
    let last = good.len() - 1;
    for (name, file, expected) in [
        ("whole", good.clone(), "whole, revision 10"),
        ("more room than is in use", resigned(&|body| body.resize(body.len() + 8192, 0x5a)), "whole"),
        ("empty", Vec::new(), "its size, 0 bytes"),
        ("only a digest", signed(Vec::new()), "its size, 32 bytes"),
        ("cut short", good[..last].to_vec(), "is not that of a snapshot"),
        ("cut at a page", good[..3 * 4096].to_vec(), "its size, 12288 bytes"),
        ("cut at a page with 32 bytes more", good[..3 * 4096 + 32].to_vec(), "SHA-256"),
        ("a copy of the database", body(), "is not that of a snapshot"),
        ("a changed byte", changed(9000), "SHA-256"),
        ("a changed digest", changed(last), "SHA-256"),
        ("fewer pages than it says", resigned(&|body| body.truncate(body.len() - 4096)), "and it holds only"),
        ("an HTML page", signed(b"<html>".repeat(512)), "valid page of a bbolt"),
        ("one meta broken", resigned(&|body| body[20] = 9), "whole"),
        ("both metas broken", resigned(&|body| (body[20], body[4096 + 20]) = (9, 9)), "valid page of a bbolt"),
        ("a page that was broken before", resigned(&|body| body[3 * 4096] = 9), "page 3 of its database"),
        ("a database of something else", signed(database(&[("key", vec![])])), "no bucket meta, lease, members"),
        ("a revision of another name", signed(etcd(vec![(b"x".to_vec(), vec![])])), "malformed name"),
        ("another revision inside", signed(etcd(vec![(version(2, "a", b"").0, version(3, "a", b"").1)])), "revision 3"),
        (
            "an unreadable version",
            signed(etcd(vec![(version(2, "a", b"").0, vec![0xff])])),
            "revision 2 cannot be read",
        ),
    ] {
        assert!(told(&file).contains(expected), "{name}: {}", told(&file));
    }
    assert!(verify(&good[..100], good.len() as u64).unwrap_err().to_string().contains("cannot be read"));
}

proptest! {
    /// One bit anywhere: never taken for whole.
    #[test]
    fn one_changed_bit_is_found(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut file = snapshot_of(40);
        let at = at.index(file.len());
        file[at] ^= 1_u8 << bit;
        prop_assert!(verify(&file[..], file.len() as u64).is_err());
    }
}
