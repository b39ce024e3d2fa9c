use jiff::Timestamp;

use super::*;
use crate::cluster::RegistryReference;
use crate::image::Blob;
use crate::image::oci::{MANIFEST, TAG};

fn descriptor(name: &str, letter: &str) -> Descriptor {
    let mut descriptor = Descriptor::new(MANIFEST, &Blob { sha256: letter.repeat(64), size: 1 });
    descriptor.annotations.insert(TAG.to_owned(), name.to_owned());
    descriptor
}

#[test]
fn the_newest_of_every_name_stay() {
    let entry = |name: &str, second: i64| Entry {
        reference: RegistryReference::parse(name).unwrap(),
        top: descriptor(name, "a"),
        stored: Timestamp::from_second(second).unwrap(),
    };
    let entries = || {
        vec![
            entry("r.example/a:v3", 1),
            entry("r.example/a:v1", 3),
            entry("r.example/a:v2", 2),
            entry("r.example/b:v1", 0),
        ]
    };
    assert_eq!(surplus(entries(), 1), ["r.example/a:v2", "r.example/a:v3"]);
    assert_eq!(surplus(entries(), 2), ["r.example/a:v3"]);
    assert!(surplus(entries(), 3).is_empty());
}

#[test]
fn signatures_go_with_what_they_are_for() {
    let (one, other) = (descriptor("r.example/a:v1", "a"), descriptor("r.example/a:v2", "b"));
    let signature = |letter: &str| descriptor(&signature::tag(&letter.repeat(64)), "c");
    let all = [one.clone(), other.clone(), signature("a"), signature("b"), signature("d")];
    assert_eq!(kept(&all, &["r.example/a:v1".to_owned()]), [other.clone(), signature("b")]);
    assert_eq!(kept(&all, &[]), [one, other, signature("a"), signature("b")]);
}

#[test]
fn what_somebody_holds_is_not_removed() {
    let cache = tempfile::tempdir().unwrap();
    let access = Access { cache: Some(cache.path().to_owned()), ..Access::default() };
    let store = Store::open(cache.path()).unwrap();
    store.layout().blobs.put(b"of no image").unwrap();
    std::fs::write(store.layout().blobs.partial(&"a".repeat(64)), "half").unwrap();
    assert_eq!(unused(&access, None).unwrap().files.len(), 2);
    let held = store.layout().blobs.hold().unwrap();
    assert!(matches!(prune(&access, None), Err(ImageError::InUse { .. })));
    drop(held);
    assert_eq!(prune(&access, None).unwrap().size(), 15);
    assert_eq!(unused(&access, None).unwrap(), Unused::default());
}
