use std::sync::Arc;

use super::super::super::manifest::Manifest;
use super::super::super::manifest::tests::origin;
use super::super::super::testing::snapshot_of;
use super::super::super::verify;
use super::super::testing::{Fault, Store};
use super::super::{Delivery, Ready, Target};
use super::*;
use crate::cluster::{Keep, SnapshotPlace};

fn delivery(taken: &str, values: u64) -> Arc<Delivery> {
    let content = snapshot_of(values);
    let whole = verify(content.as_slice(), content.len() as u64).unwrap();
    let manifest = Manifest::of(origin(taken), &whole, Vec::new());
    let snapshot = Ready::made(std::env::temp_dir().as_path(), |into| into.write_all(&content)).unwrap();
    Arc::new(Delivery { manifest, snapshot, pki: None })
}

fn names(store: &Store) -> Vec<String> {
    let entries = std::fs::read_dir(store.objects()).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_and_prunes_like_a_directory() {
    let store = Store::start().await;
    let target = store.target();
    // The second one is larger than a part of an upload.
    for (taken, values) in [("2026-11-29T06:00:00Z", 5), ("2026-11-29T06:10:00Z", 14_000), ("2026-11-29T06:20:00Z", 6)]
    {
        let delivery = delivery(taken, values);
        let kept = target.put(&delivery).await.unwrap();
        assert_eq!(kept.location, format!("s3://backups/prod/etcd/{}", delivery.manifest.file()));
    }
    std::fs::write(store.objects().join("prod-notes.json"), "{}").unwrap();
    std::fs::write(store.objects().join("prod-20261129T050000Z-m2.db"), "no manifest").unwrap();
    let listed = target.list(Some("prod")).await.unwrap();
    assert_eq!(listed.len(), 3);
    assert!(listed[1].manifest.bytes > PART);
    assert!(target.list(Some("another")).await.unwrap().is_empty());
    assert_eq!(target.manifest_of(&listed[1].manifest.file()).await.unwrap().as_ref(), Some(&listed[1].manifest));
    for none in ["prod-20261129T050000Z-m2.db", "prod-notes.db", "nothing.db"] {
        assert_eq!(target.manifest_of(none).await.unwrap(), None, "{none}");
    }
    let mut content = Vec::new();
    target.fetch(&listed[1].manifest.file(), &mut content).await.unwrap();
    assert_eq!(verify(content.as_slice(), content.len() as u64).unwrap().sha256, listed[1].manifest.sha256);
    let before = "2026-11-29T06:15:00Z".parse().unwrap();
    assert_eq!(target.latest("prod", Some(before)).await.unwrap().as_ref(), Some(&listed[1]));
    let pruned = target.prune("prod", &Keep { last: 1, ..Keep::default() }).await.unwrap();
    assert_eq!(pruned, listed[..2]);
    assert_eq!(
        names(&store),
        [
            "prod-20261129T050000Z-m2.db",
            "prod-20261129T062000Z-m2.db",
            "prod-20261129T062000Z-m2.json",
            "prod-notes.json"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_busy_for_a_moment_is_asked_again_and_one_that_stays_so_fails() {
    let store = Store::start().await;
    store.faults.lock().unwrap().extend([("PUT", Fault::Busy), ("GET", Fault::Busy)]);
    store.target().put(&delivery("2026-11-29T06:00:00Z", 5)).await.unwrap();
    store.faults.lock().unwrap().extend([("PUT", Fault::Busy); AGAIN + 1]);
    let error = store.target().put(&delivery("2026-11-29T06:10:00Z", 5)).await.unwrap_err().to_string();
    assert!(error.contains("500") && error.contains("InternalError") && error.contains("tried 5 times"), "{error}");
    assert_eq!(store.target().list(None).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_read_back_as_it_was_written_does_not_count() {
    let store = Store::start().await;
    for fault in [Fault::Flipped, Fault::Truncated] {
        store.faults.lock().unwrap().push(("GET", fault));
        let error = store.target().put(&delivery("2026-11-29T06:00:00Z", 5)).await.unwrap_err().to_string();
        assert!(error.contains("prod-20261129T060000Z-m2.db"), "{error}");
        assert!(!names(&store).iter().any(|name| name.ends_with(".json")), "{fault:?}: {:?}", names(&store));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_refuses_is_told_without_a_key() {
    let store = Store::start().await;
    let file = store.place.credentials.clone().unwrap();
    std::fs::write(&file, "[default]\naws_access_key_id = key\naws_secret_access_key = wrong-secret\n").unwrap();
    let error = store.target().list(None).await.unwrap_err().to_string();
    assert!(error.contains("SignatureDoesNotMatch") && !error.contains("wrong-secret"), "{error}");
    let mut place = store.place.clone();
    place.endpoint = "http://127.0.0.1:1".into();
    let target = Target::open(&SnapshotPlace::Bucket(place)).unwrap();
    let error = target.list(None).await.unwrap_err().to_string();
    assert!(error.contains("s3://backups/prod/etcd") && !error.contains("Signature"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_that_breaks_off_is_given_up_and_older_ones_stay() {
    let store = Store::start().await;
    let target = store.target();
    let kept = target.put(&delivery("2026-11-29T06:00:00Z", 5)).await.unwrap();
    // The first part goes, the second one never does.
    let faults = [("POST", Fault::None), ("PUT", Fault::None)].into_iter().chain([("PUT", Fault::Busy); AGAIN + 1]);
    store.faults.lock().unwrap().extend(faults);
    let error = target.put(&delivery("2026-11-29T06:10:00Z", 14_000)).await.unwrap_err().to_string();
    assert!(error.contains("prod-20261129T061000Z-m2.db") && error.contains("500"), "{error}");
    assert_eq!(target.list(None).await.unwrap(), [kept]);
    assert!(!names(&store).iter().any(|name| name.contains("061000")), "{:?}", names(&store));
}
