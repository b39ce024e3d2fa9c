use std::sync::Arc;

use super::super::super::manifest::tests::origin;
use super::super::super::testing::snapshot_of;
use super::super::{Delivery, Kept, Spool, Target};
use super::*;
use crate::cluster::Keep;

async fn save(directory: &Directory, taken: &str, doubts: &[&str]) -> Result<Kept, TargetError> {
    let snapshot = snapshot_of(5);
    let origin = origin(taken);
    let mut spool = Spool::Part(directory.begin("prod", &origin.file_name(), snapshot.len() as u64)?);
    for piece in snapshot.chunks(4096) {
        spool.write(piece)?;
    }
    let whole = spool.verify(6)?;
    let doubts = doubts.iter().map(|doubt| (*doubt).to_owned()).collect();
    let manifest = Manifest::of(origin, &whole, doubts);
    let delivery = Delivery { manifest, snapshot: spool.ready(whole.sha256)?, pki: None };
    Target::Directory(directory.clone()).put(&Arc::new(delivery)).await
}

async fn prune(directory: &Directory, cluster: &str) -> Vec<String> {
    let pruned = Target::Directory(directory.clone()).prune(cluster, &LAST).await.unwrap();
    pruned.into_iter().map(|kept| kept.location).collect()
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const LAST: Keep = Keep { last: 1, hourly: 0, daily: 0, weekly: 0 };

#[test]
fn what_is_damaged_or_old_never_gets_a_name() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = Directory::new(temporary.path().join("snapshots"));
    let mut damaged = snapshot_of(5);
    damaged[9000] ^= 1;
    let one = origin("2026-11-29T06:15:00Z");
    let begin = || directory.begin("prod", &one.file_name(), 0);
    let mut spool = Spool::Part(begin().unwrap());
    spool.write(&damaged).unwrap();
    assert!(matches!(spool.verify(1), Err(TargetError::Damaged(_))));
    drop(spool);
    let mut spool = Spool::Part(begin().unwrap());
    spool.write(&snapshot_of(5)).unwrap();
    assert!(spool.verify(7).unwrap_err().to_string().contains("ends at revision 6"));
    // The other one has it.
    assert!(matches!(begin(), Err(TargetError::Busy(_))));
    drop(spool);
    assert_eq!(names(directory.path()), Vec::<String>::new());
}

#[test]
fn only_the_last_part_of_a_place_may_be_missing() {
    let temporary = tempfile::tempdir().unwrap();
    let at = |name: &str| Directory::new(temporary.path().join(name)).usable().map_err(|error| error.to_string());
    fs::write(temporary.path().join("file"), "").unwrap();
    assert_eq!((at(""), at("new")), (Ok(()), Ok(())));
    assert!(at("file").unwrap_err().contains("not a directory"));
    assert!(at("file/new").unwrap_err().contains("using "));
    let told = at("none/new").unwrap_err();
    assert!(told.contains("none is not there either: is it mounted?"), "{told}");
}

#[tokio::test]
async fn what_is_cut_short_there_is_told() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = Directory::new(temporary.path());
    let [first, second] = ["2026-11-29T06:00:00Z", "2026-11-29T06:15:00Z"];
    let first = save(&directory, first, &[]).await.unwrap();
    let second = save(&directory, second, &[]).await.unwrap();
    fs::File::options().write(true).open(&second.location).unwrap().set_len(4096).unwrap();
    let found = Target::Directory(directory).look(Some("prod")).await.unwrap();
    assert_eq!(found.kept, [first]);
    assert_eq!(found.passed_over.len(), 1);
    assert!(found.passed_over[0].damaged && found.passed_over[0].why.contains("it has 4096 bytes"));
}

#[test]
fn a_killed_runs_leftovers_go_and_a_living_ones_stay() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = Directory::new(temporary.path());
    for name in ["prod-20261129T061400Z-m1.db.part", "other-20261129T061400Z-m1.db.part", "notes.part"] {
        fs::write(temporary.path().join(name), "x").unwrap();
    }
    let living = directory.begin("prod", "prod-20261129T061500Z-m2.db", 0).unwrap();
    let mut second = directory.begin("prod", "prod-20261129T061501Z-m2.db", 0).unwrap();
    second.write(b"x").unwrap();
    assert_eq!(
        names(temporary.path()),
        [
            "notes.part",
            "other-20261129T061400Z-m1.db.part",
            "prod-20261129T061500Z-m2.db.part",
            "prod-20261129T061501Z-m2.db.part"
        ]
    );
    drop((living, second));
}

#[tokio::test]
async fn only_what_was_written_here_is_pruned() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = Directory::new(temporary.path());
    for minute in 0..3 {
        save(&directory, &format!("2026-11-29T06:0{minute}:00Z"), &[]).await.unwrap();
    }
    let at = |name: &str| temporary.path().join(name);
    fs::write(at("prod-20261129T060000Z-m9.db"), "no manifest").unwrap();
    fs::write(at("foreign.json"), "{}").unwrap();
    // Copied under another name, and changed since.
    fs::copy(at("prod-20261129T060000Z-m2.json"), at("copy.json")).unwrap();
    fs::write(at("prod-20261129T060100Z-m2.db"), "changed").unwrap();
    assert_eq!(prune(&directory, "prod").await, [at("prod-20261129T060000Z-m2.db").display().to_string()]);
    assert_eq!(
        names(temporary.path()),
        [
            "copy.json",
            "foreign.json",
            "prod-20261129T060000Z-m9.db",
            "prod-20261129T060100Z-m2.db",
            "prod-20261129T060100Z-m2.json",
            "prod-20261129T060200Z-m2.db",
            "prod-20261129T060200Z-m2.json"
        ]
    );
    assert!(prune(&directory, "another").await.is_empty());
}

#[tokio::test]
async fn the_latest_good_one_is_found_and_stays() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = Directory::new(temporary.path());
    let target = Target::Directory(directory.clone());
    save(&directory, "2026-11-29T06:00:00Z", &[]).await.unwrap();
    let good = save(&directory, "2026-11-29T06:10:00Z", &[]).await.unwrap();
    let doubtful = save(&directory, "2026-11-29T06:20:00Z", &["m1 differs"]).await.unwrap();
    assert_eq!(target.latest("prod", None).await.unwrap(), Some(good.clone()));
    let before = "2026-11-29T06:05:00Z".parse().unwrap();
    let earlier = target.latest("prod", Some(before)).await.unwrap().unwrap();
    assert_eq!(earlier.manifest.origin.taken.to_string(), "2026-11-29T06:00:00Z");
    prune(&directory, "prod").await;
    assert_eq!(target.list(None).await.unwrap(), [good, doubtful]);
}

#[test]
fn a_directory_whose_file_system_is_gone_is_not_made_anew() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = Directory::new(temporary.path().join("mount/snapshots"));
    let error = directory.begin("prod", "prod-20261129T061500Z-m2.db", 0).unwrap_err().to_string();
    assert!(error.contains("is it mounted?") && error.contains("mount/snapshots"), "{error}");
    assert!(!temporary.path().join("mount").exists());
}

/// A small file system of its own, where the test may make one.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let options = Some("size=160k");
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(Some("none"), directory.path(), Some("tmpfs"), flags, options).ok()?;
        Some(Self(directory))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = nix::mount::umount(self.0.path());
    }
}

#[tokio::test]
async fn a_full_or_read_only_place_fails_and_what_is_there_stays() {
    // Only root can mount.
    let Some(small) = Small::mount() else { return };
    let directory = Directory::new(small.0.path());
    let kept = save(&directory, "2026-11-29T06:00:00Z", &[]).await.unwrap();
    // What is too large is known before anything is written.
    let Err(error) = directory.begin("prod", "prod-20261129T060500Z-m2.db", 1 << 20) else { panic!("there is room") };
    assert!(error.to_string().contains("1126 KiB are needed"), "{error}");
    // And what turns out to be, when there is no more room.
    let mut spool = Spool::Part(directory.begin("prod", "prod-20261129T061000Z-m2.db", 0).unwrap());
    let error = loop {
        if let Err(error) = spool.write(&[7; 8192]) {
            break error.to_string();
        }
    };
    assert!(error.contains("No space left"), "{error}");
    drop(spool);
    let read_only = nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY;
    nix::mount::mount(None::<&str>, small.0.path(), None::<&str>, read_only, None::<&str>).unwrap();
    let error = save(&directory, "2026-11-29T06:15:00Z", &[]).await.unwrap_err().to_string();
    assert!(error.contains("Read-only"), "{error}");
    assert!(Target::Directory(directory.clone()).prune("prod", &LAST).await.unwrap().is_empty());
    assert_eq!(directory.list(None).unwrap().kept, [kept.manifest]);
    assert_eq!(names(small.0.path()).len(), 2, "something is left");
}
