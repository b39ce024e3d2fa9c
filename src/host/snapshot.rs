//! A snapshot of etcd, taken from this host's own member and verified before it counts.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::atomic;
use super::backup;
use super::etcdctl::{etcdctl, failed, status};
use super::machine::{Machine, found};
use super::protocol::{Failure, Reply};
use crate::snapshot::{Damage, Verified, verify};

/// How long it may take to write the largest database to a slow disk.
const SAVING: Duration = Duration::from_secs(13 * 60);

/// Takes a snapshot into the backup called `name`, from the client URL `endpoint` of this host's member. One that is
/// there already and whole stays.
pub(super) fn snapshot(machine: &Machine, name: &str, endpoint: &str) -> Result<Reply, Failure> {
    let directory = backup::directory(name)?;
    let path = format!("{directory}/etcd.db");
    let what = format!("snapshot {path}");
    let target = machine.root.at(&path);
    // A damaged one is replaced, like any other that is not there.
    if let Ok(Some(whole)) = look(&target) {
        return Ok(reply(path, whole));
    }
    let own = machine.own_directory(&directory)?;
    let status = status(machine, &what, endpoint)?;
    Failure::unless_room(&what, &own, status.db_size.saturating_add(status.db_size / 10))?;
    let part = target.with_file_name("etcd.db.part");
    let saved = save(machine, &what, endpoint, &part).and_then(|whole| {
        let (found, least) = (whole.contents.revision, status.revision);
        if found < least {
            let why = format!("it ends at revision {found}, and the member was at revision {least} before it began");
            return Err(Failure::new(format!("{what}: verifying what etcdctl wrote"), why));
        }
        let settled = sync(&part).and_then(|()| atomic::settle(&part, &target));
        settled.map(|()| whole).map_err(|error| Failure::writing(&what, &error, &own))
    });
    if saved.is_err() {
        let _ = clear(&part);
    }
    Ok(reply(path, saved?))
}

fn reply(path: String, whole: Verified) -> Reply {
    let Verified { bytes, sha256, contents } = whole;
    Reply::Snapshot { path, bytes, sha256, revision: contents.revision }
}

fn save(machine: &Machine, what: &str, endpoint: &str, part: &Path) -> Result<Verified, Failure> {
    clear(part).map_err(|error| Failure::new(format!("{what}: removing what a killed run left"), error))?;
    let path = part.display().to_string();
    let command = etcdctl(machine, what, endpoint)?.args(["snapshot", "save", &path]).deadline(SAVING);
    machine.system.run(&command).map_err(|error| failed(what, &error))?;
    let hint = "it was removed; run again, and look at the host's disk and memory if it happens again";
    match look(part) {
        Ok(Some(whole)) => Ok(whole),
        Ok(None) => Err(Failure::new(what, "etcdctl has ended well and written nothing")),
        Err(damage) => Err(Failure::new(format!("{what}: verifying what etcdctl wrote"), damage).hint(hint)),
    }
}

/// The snapshot at `path`; `None` where there is none.
fn look(path: &Path) -> Result<Option<Verified>, Damage> {
    let Some(file) = found(File::open(path))? else { return Ok(None) };
    let size = file.metadata()?.len();
    verify(&file, size).map(Some)
}

fn sync(part: &Path) -> io::Result<()> {
    let file = File::open(part)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.sync_all()
}

/// Removes an unfinished snapshot, and the one that etcdctl itself calls unfinished.
fn clear(part: &Path) -> io::Result<()> {
    let unfinished = PathBuf::from(format!("{}.part", part.display()));
    for path in [part, &unfinished] {
        found(fs::remove_file(path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::command::Command;
    use super::super::testing::Scripted;
    use super::super::testing_etcd::RealEtcd;
    use super::*;
    use crate::snapshot::testing::snapshot_of;

    const ENDPOINT: &str = "http://127.0.0.1:2379";

    fn host() -> Scripted {
        let host = Scripted::new();
        host.put("/etc/systemd/system/etcd.service", "ExecStart=/opt/kubewright/etcd/3.5.16/bin/etcd\n");
        host
    }

    /// The command lines of a snapshot, with what `etcdctl` writes.
    fn expect(host: &Scripted, name: &str, writes: Vec<u8>) {
        let program = host.at("/opt/kubewright/etcd/3.5.16/bin/etcdctl").display().to_string();
        let common = format!("{program} --endpoints={ENDPOINT} --dial-timeout=15s");
        let answer = r#"[{"Endpoint":"x","Status":{"header":{"revision":5},"dbSize":20480}}]"#;
        host.expect(&format!("{common} endpoint status --write-out=json --command-timeout=20s"), answer);
        let part = host.at(&format!("/var/lib/kubewright/backups/{name}/etcd.db.part"));
        let save = format!("{common} snapshot save {}", part.display());
        host.expect_effect(&save, "", move |_| fs::write(&part, writes).unwrap());
    }

    fn names(host: &Scripted, name: &str) -> Vec<String> {
        host.machine.names(&format!("/var/lib/kubewright/backups/{name}")).unwrap()
    }

    #[test]
    fn a_snapshot_counts_once_it_is_verified_and_a_whole_one_stays() {
        let host = host();
        host.put("/var/lib/kubewright/backups/a/etcd.db.part.part", "killed");
        expect(&host, "a", snapshot_of(5));
        let Reply::Snapshot { path, bytes, revision, .. } = snapshot(&host.machine, "a", ENDPOINT).unwrap() else {
            panic!()
        };
        let saved = snapshot_of(5);
        assert_eq!(path, "/var/lib/kubewright/backups/a/etcd.db");
        assert_eq!((bytes, revision), (saved.len() as u64, 6));
        assert_eq!(names(&host, "a"), ["etcd.db"]);
        assert_eq!(host.at(&path).metadata().unwrap().mode() & 0o7777, 0o600);
        host.done();
        let Reply::Snapshot { bytes, revision, .. } = snapshot(&host.machine, "a", ENDPOINT).unwrap() else { panic!() };
        assert_eq!((bytes, revision), (saved.len() as u64, 6));
        // A damaged one is replaced.
        host.put(&path, "x");
        expect(&host, "a", snapshot_of(90));
        let Reply::Snapshot { bytes, .. } = snapshot(&host.machine, "a", ENDPOINT).unwrap() else { panic!() };
        assert_eq!(bytes, snapshot_of(90).len() as u64);
        host.done();
    }

    #[test]
    fn a_damaged_one_is_an_error_and_does_not_stay() {
        let host = host();
        let mut damaged = snapshot_of(5);
        damaged[9000] ^= 1;
        expect(&host, "a", damaged);
        let failure = snapshot(&host.machine, "a", ENDPOINT).unwrap_err();
        assert!(failure.why.contains("SHA-256") && failure.hint.is_some(), "{failure}");
        assert_eq!(names(&host, "a"), Vec::<String>::new());
        host.done();
    }

    #[test]
    fn one_that_is_older_than_its_member_is_an_error() {
        let host = host();
        expect(&host, "a", snapshot_of(3));
        let failure = snapshot(&host.machine, "a", ENDPOINT).unwrap_err();
        assert!(failure.why.contains("ends at revision 4, and the member was at revision 5"), "{failure}");
        assert_eq!(names(&host, "a"), Vec::<String>::new());
        host.done();
    }

    #[test]
    fn a_host_without_etcd_and_a_bad_name_are_refused() {
        let failure = snapshot(&Scripted::new().machine, "a", ENDPOINT).unwrap_err();
        assert!(failure.hint.unwrap().contains("role etcd"));
        assert!(snapshot(&host().machine, "../a", ENDPOINT).unwrap_err().why.contains("letters"));
    }

    #[tokio::test]
    async fn a_real_member_gives_one_that_can_be_restored() {
        let host = Scripted::new();
        let Some(mut etcd) = RealEtcd::start(&host, 1).await else { return };
        let (machine, endpoint) = (etcd.machine.clone(), etcd.endpoints[0].clone());
        let run = |command: Command| machine.system.run(&command).unwrap().text();
        let client = || etcdctl(&machine, "test", &endpoint).unwrap();
        run(client().args(["put", "/registry/namespaces/kube-system", "here"]));
        let Reply::Snapshot { path, bytes, sha256, revision } = snapshot(&machine, "a", &endpoint).unwrap() else {
            panic!()
        };
        assert_eq!(revision, 2);
        let content = fs::read(host.at(&path)).unwrap();
        assert_eq!((content.len() as u64, super::super::blob::sha256(&content)), (bytes, sha256));
        let contents = verify(&content[..], bytes).unwrap().contents;
        assert_eq!((contents.members, contents.kubernetes_keys, contents.alarms), (vec!["m0".to_owned()], 1, 0));
        assert!(contents.cluster_version.is_some() && contents.applied > 0);
        let restored = host.at("/restored").display().to_string();
        run(client().args(["snapshot", "restore", &host.at(&path).display().to_string(), "--data-dir", &restored]));
        // Cut where a page ends, or with one byte changed, it is no snapshot any more.
        let changed = [&content[..5000], &[content[5000] ^ 1], &content[5001..]].concat();
        for damaged in [&content[..content.len() - 4096], &content[..content.len() - 32], &changed[..]] {
            assert!(verify(damaged, damaged.len() as u64).is_err());
        }
        etcd.kill(0).await;
        let failure = snapshot(&machine, "b", &endpoint).unwrap_err();
        assert!(failure.what.contains("endpoint status") && failure.why.contains("context deadline"), "{failure}");
        assert_eq!(names(&host, "b"), Vec::<String>::new());
    }
}
