//! Hosts of etcd save it by themselves, into an object store, too; and what is left when all else is lost.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::etcd::{apply, configuration, objects};
use crate::upgrade::nodes_are_well;
use crate::world::{Ran, World, eventually};

const NAMESPACE: &str = "restored";
const BUCKET: &str = "s3://backups/lab";
const PORT: u16 = 9000;
/// What the inventory says of etcd.
const ETCD: &str = "etcd: {heartbeat: 500ms, election: 5000ms";

/// A real object store on the lab's network, until this is dropped.
struct Store {
    process: Child,
    directory: tempfile::TempDir,
    address: String,
}

impl Store {
    fn start(world: &World) -> Self {
        let program =
            std::env::var("KUBEWRIGHT_OBJECT_STORE").unwrap_or_else(|_| panic!("KUBEWRIGHT_OBJECT_STORE is not set"));
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("backups")).unwrap();
        let address = format!("{}:{PORT}", world.gateway());
        let mut command =
            world.exec_command(&[&program, &address, directory.path().to_str().unwrap(), "lab-key", "lab-secret"]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let store = Self { process, directory, address };
        let connect = format!("exec 3<>/dev/tcp/{}/{PORT}", world.gateway());
        eventually("the object store answers", Duration::from_secs(20), || {
            world.exec(&["bash", "-c", &connect]).code == 0
        });
        store
    }

    /// Manifests of the bucket: name, and when it was taken.
    fn manifests(&self) -> BTreeSet<(String, i64)> {
        let entries = std::fs::read_dir(self.directory.path().join("backups/lab")).into_iter().flatten().flatten();
        let read = |path: PathBuf| {
            let manifest: Value = serde_json::from_str(&std::fs::read_to_string(&path).ok()?).ok()?;
            assert!(manifest["doubts"].as_array().unwrap().is_empty(), "{manifest}");
            let taken: jiff::Timestamp = manifest["taken"].as_str()?.parse().ok()?;
            Some((path.file_name()?.to_str()?.to_owned(), taken.as_second()))
        };
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .filter_map(read)
            .collect()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the scenarios share: a store, an inventory that saves into it, and who can read what is saved.
struct Setting {
    store: Store,
    inventory: PathBuf,
    identity: PathBuf,
}

impl Setting {
    fn new(world: &World) -> Self {
        let store = Store::start(world);
        let identity = world.file("age.key", IDENTITY);
        world.file("s3.credentials", "[default]\naws_access_key_id = lab-key\naws_secret_access_key = lab-secret\n");
        let section = format!(
            "{ETCD}, snapshots: {{every: 1m, keep: {{last: 4}}, recipients: [{RECIPIENT}], include: [pki], targets: [\
             {{directory: /var/backups/etcd}}, {{s3: {{endpoint: 'http://{}', bucket: backups, prefix: lab, \
             credentialsFile: s3.credentials}}}}]}}",
            store.address
        );
        let inventory = world.inventory_with("snapshots.yaml", ETCD, &section);
        Self { store, inventory, identity }
    }

    fn run(&self, world: &World, verb: &str, arguments: &[&str]) -> Ran {
        world.run_verb_on(&self.inventory, verb, arguments)
    }

    fn restore(&self, world: &World, from: &str) -> Ran {
        let identity = self.identity.to_str().unwrap();
        self.run(world, "etcd restore", &[from, "--confirm", world.name(), "--identity", identity])
    }
}

/// A pair of keys of age, for tests only.
const RECIPIENT: &str = "age1ewtlajwdrkrdu4e4770t0hhagpknv43nqsp8flju5jw0jh64pevsqygp8r";
const IDENTITY: &str = "AGE-SECRET-KEY-1JAE87SLGP82CNNEL548U4R80T6ZMAR245EZ0FMMMHPF9PWFTLPQS5QJP26\n";

/// Ten minutes of a schedule of one minute, with a member cut off in the middle.
pub(crate) fn snapshots_are_taken_in_turns(world: &World) {
    let setting = Setting::new(world);
    setting.run(world, "install", &[]).exits(0);
    let again = setting.run(world, "plan", &[]).exits(0);
    println!("{}", again.stdout.lines().last().unwrap_or_default());

    let began = Instant::now();
    let minute = || jiff::Timestamp::now().as_second().div_euclid(60);
    let (first, mut seen, mut many) = (minute() + 1, BTreeSet::new(), Vec::new());
    let (mut cut, mut healed) = (false, false);
    while began.elapsed() < Duration::from_secs(600) {
        if !cut && began.elapsed() > Duration::from_secs(180) {
            world.lab(&["cut", "m2"], &[]).exits(0);
            cut = true;
        }
        if !healed && began.elapsed() > Duration::from_secs(390) {
            // It has failed loudly, and everybody can see that.
            let status = setting.run(world, "etcd snapshot status", &[]);
            assert_eq!(status.code, 1, "{}{}", status.stdout, status.stderr);
            world.lab(&["heal", "m2"], &[]).exits(0);
            healed = true;
        }
        let there = setting.store.manifests();
        many.push(there.len());
        seen.extend(there);
        std::thread::sleep(Duration::from_secs(5));
    }
    let last = minute();
    let slots: BTreeSet<i64> = seen.iter().map(|(_, taken)| taken.div_euclid(60)).collect();
    let missing: Vec<_> = (first..last).filter(|slot| !slots.contains(slot)).collect();
    assert!(missing.is_empty(), "of {} slots, {missing:?} have no snapshot: {seen:?}", last - first);
    // One more is there while the older one has yet to go.
    assert!(many.iter().skip(60).all(|many| (4..=5).contains(many)), "retention: {many:?}");
    let journal = world.on("m2", "journalctl -u kubewright-snapshot.service --no-pager -q | grep -i -m3 fail").stdout;
    assert!(!journal.is_empty(), "m2 has not said that it failed");
    let members: BTreeSet<_> =
        seen.iter().filter_map(|(name, _)| name.rsplit_once('-').map(|(_, host)| host)).collect();
    println!("{} slots, {} snapshots, by {members:?}", last - first, seen.len());
    assert_eq!(members.len(), 3, "not in turns");

    eventually("all is well again", Duration::from_secs(150), || {
        setting.run(world, "etcd snapshot status", &[]).code == 0
    });
    println!("{}", setting.run(world, "etcd snapshot status", &[]).stdout);
    let identity = setting.identity.to_str().unwrap();
    setting.run(world, "etcd snapshot verify", &[BUCKET, "--identity", identity]).exits(0);
    let unreadable = setting.run(world, "etcd snapshot verify", &[BUCKET]).exits(1);
    assert!(unreadable.stderr.contains("--identity"), "{}", unreadable.stderr);
    let metrics = world.on("m1", "cat /var/lib/kubewright/metrics/etcd_snapshots.prom").exits(0).stdout;
    assert!(metrics.contains("last_success_timestamp_seconds{target=\"s3://backups/lab\"}"), "{metrics}");
    // Without the section, the hosts stop.
    world.run_verb("install", &[]).exits(0);
    assert_ne!(world.on("m1", "systemctl is-enabled kubewright-snapshot.timer").code, 0);
}

/// All data of etcd are lost with the power of their hosts; then all hosts.
pub(crate) fn all_is_lost_but_the_bucket(world: &World) {
    let setting = Setting::new(world);
    setting.run(world, "install", &[]).exits(0);
    world.kubectl(&["create", "namespace", NAMESPACE]);
    apply(world, "create", (0..200).map(|number| configuration(number, "first")).collect());
    let wanted = objects(world);
    println!("{}", setting.run(world, "etcd snapshot save", &[]).exits(0).stdout);
    // No more of them: what is restored is that one.
    for host in ["m1", "m2", "m3"] {
        world.on(host, "systemctl disable --now kubewright-snapshot.timer").exits(0);
    }

    for host in ["m1", "m2", "m3"] {
        world.on(host, "rm -rf /var/lib/etcd/member && sync").exits(0);
        world.lab(&["kill", host], &[]).exits(0);
    }
    for host in ["m1", "m2", "m3"] {
        world.lab(&["start", host], &[]).exits(0);
    }
    for host in ["m1", "m2", "m3"] {
        let active = world.on(host, "systemctl is-active etcd").stdout;
        assert_ne!(active.trim(), "active", "{host} has begun anew by itself");
    }
    let refused = setting.run(world, "install", &[]).exits(1);
    assert!(refused.stderr.contains("etcd restore"), "{}", refused.stderr);
    let restored = setting.restore(world, BUCKET).exits(0);
    println!("all disks lost: restored in {:.1} s", restored.took.as_secs_f64());
    is_back(world, &wanted);

    // New hosts, and nothing on this machine.
    setting.run(world, "reset", &["--yes"]).exits(0);
    world.forget_keys();
    let identity = setting.identity.to_str().unwrap();
    let keys = setting.run(world, "etcd snapshot keys", &[BUCKET, "--identity", identity]).exits(0);
    let file = keys.stdout.split_whitespace().last().unwrap();
    let installed = setting.run(world, "install", &[]).exits(0);
    // The new hosts save as well, under the same name: which data are meant has to be said now.
    setting.run(world, "etcd snapshot save", &[]).exits(0);
    let refused = setting.restore(world, BUCKET).exits(1);
    assert!(refused.stderr.contains("several installations"), "{}", refused.stderr);
    let restored = setting.restore(world, file).exits(0);
    println!(
        "all hosts lost: installed in {:.1} s, restored in {:.1} s",
        installed.took.as_secs_f64(),
        restored.took.as_secs_f64()
    );
    world.fetch_kubeconfig();
    is_back(world, &wanted);
    world.kubectl(&["delete", "namespace", NAMESPACE]);
    world.run_verb("install", &[]).exits(0);
}

fn is_back(world: &World, wanted: &std::collections::BTreeMap<String, (String, String)>) {
    assert_eq!(objects(world), *wanted);
    nodes_are_well(world, &world.kubelet_version());
}
