use std::io::{Read, Write};
use std::path::PathBuf;

use super::super::testing::Scripted;
use super::super::testing_etcd::RealEtcd;
use super::*;
use crate::cluster::{Keep, SnapshotPlace};

/// Three members, of which all are on this host, and what each host's settings are.
struct World {
    host: Scripted,
    etcd: RealEtcd,
    places: PathBuf,
}

impl World {
    async fn start() -> Option<Self> {
        let host = Scripted::new();
        let etcd = RealEtcd::start(&host, 3).await?;
        let places = host.at("/places");
        std::fs::create_dir_all(&places).unwrap();
        Some(Self { host, etcd, places })
    }

    fn schedule(&self, host: usize) -> Schedule {
        let members = self.etcd.endpoints.iter().enumerate();
        Schedule {
            cluster: "prod".into(),
            host: format!("m{host}"),
            members: members.map(|(index, endpoint)| (format!("m{index}"), endpoint.clone())).collect(),
            every: 2,
            prove_every: None,
            keep: Some(Keep { last: 2, ..Keep::default() }),
            recipients: Vec::new(),
            pki: None,
            places: vec![SnapshotPlace::Directory(self.places.join("a"))],
            webhook: None,
            command: Vec::new(),
            kubernetes: "v1.20.2".into(),
            image: "kubernetes:v1.20.2".into(),
        }
    }

    async fn turn(&self, schedule: &Schedule, slot: i64) -> Result<Outcome, Failure> {
        take_turn(&self.etcd.machine, schedule, Timestamp::from_second(slot * 2).unwrap()).await
    }

    fn kept(&self) -> usize {
        let names = std::fs::read_dir(self.places.join("a")).into_iter().flatten().flatten();
        names.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "json")).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_saves_in_each_slot_and_the_next_one_steps_in() {
    let Some(world) = World::start().await else { return };
    // In slot 3000, m0 is the first.
    let first = world.turn(&world.schedule(0), 3000).await.unwrap();
    assert!(matches!(&first, Outcome::Saved(places) if places.len() == 1), "{first:?}");
    assert_eq!(world.turn(&world.schedule(1), 3000).await.unwrap(), Outcome::SavedBy("m0".into()));
    // Nobody has saved in the next one: m2, whose turn is the second, does.
    assert!(matches!(world.turn(&world.schedule(2), 3001).await.unwrap(), Outcome::Saved(_)));
    assert_eq!(world.turn(&world.schedule(0), 3001).await.unwrap(), Outcome::SavedBy("m2".into()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.turn(&world.schedule(2), 3002).await.unwrap();
    assert_eq!(world.kept(), 2, "retention");
    let saves = saves::read(&world.etcd.machine).unwrap().unwrap();
    assert!(saves.failures.is_empty() && saves.places.len() == 1, "{saves:?}");
    assert!(world.host.get("/var/lib/kubewright/metrics/etcd_snapshots.prom").contains("last_turn_failed 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_fails_is_told_and_keeps_no_other_from_its_snapshot() {
    let Some(world) = World::start().await else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let listen = |_| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let mut request = String::new();
            let mut buffer = [0; 4096];
            while !request.contains("\"places\"") {
                let many = stream.read(&mut buffer).unwrap();
                request.push_str(&String::from_utf8_lossy(&buffer[..many]));
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            request
        };
        (0..2).map(listen).collect::<Vec<_>>()
    });
    let told = world.host.at("/told");
    let mut schedule = world.schedule(0);
    schedule.webhook = Some(url);
    schedule.command = vec!["/bin/sh".into(), "-c".into(), format!("cat >> {}", told.display())];
    schedule.places.push(SnapshotPlace::Directory(world.places.join("not/mounted")));
    let failure = world.turn(&schedule, 3000).await.unwrap_err().to_string();
    assert!(failure.contains("not/mounted"), "{failure}");
    assert_eq!(world.kept(), 1);
    // The slot is not done: the next host tries as well.
    let next = world.schedule(1);
    let turn = next.turn(Timestamp::from_second(6000).unwrap()).unwrap();
    assert_eq!(saved_by(&world.etcd.machine, &next, turn).await, None);
    schedule.places.pop();
    world.turn(&schedule, 3003).await.unwrap();
    world.turn(&schedule, 3006).await.unwrap();
    let heard = heard.join().unwrap();
    assert!(heard[0].contains("etcd-snapshot-failed") && heard[0].contains("not/mounted"), "{heard:?}");
    assert!(heard[1].contains("etcd-snapshot-recovered"), "{heard:?}");
    assert_eq!(std::fs::read_to_string(told).unwrap().matches("\"event\"").count(), 2, "nothing while all is well");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_proven_with_a_real_etcd_before_it_goes_anywhere() {
    let Some(world) = World::start().await else { return };
    for program in ["etcd", "etcdctl"] {
        let path = world.host.at(&format!("/opt/kubewright/etcd/3.4.23/bin/{program}"));
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink(format!("/usr/bin/{program}"), path).unwrap();
    }
    let schedule = Schedule { prove_every: Some(3600), ..world.schedule(0) };
    world.turn(&schedule, 3000).await.unwrap();
    let proved = saves::read(&world.etcd.machine).unwrap().unwrap().proved.unwrap();
    world.turn(&schedule, 3003).await.unwrap();
    assert_eq!(saves::read(&world.etcd.machine).unwrap().unwrap().proved, Some(proved), "once in an hour");
    // Where it cannot be proven, that is told, and the snapshot is no good one.
    std::fs::remove_file(world.host.at("/opt/kubewright/etcd/3.4.23/bin/etcd")).unwrap();
    let schedule = Schedule { prove_every: Some(0), ..schedule };
    let failure = world.turn(&schedule, 3006).await.unwrap_err().to_string();
    assert!(failure.contains("prove the snapshot"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_encrypted_can_be_read_with_the_identity_alone() {
    let Some(world) = World::start().await else { return };
    let (public, secret) = crate::snapshot::testing::age_pair();
    let mut schedule = world.schedule(0);
    schedule.recipients = vec![public.clone()];
    let mut keys = Vec::new();
    snapshot::seal(&schedule.recipients, &mut &b"the keys"[..], &mut keys).unwrap();
    world.host.put("/keys.age", "");
    std::fs::write(world.host.at("/keys.age"), keys).unwrap();
    schedule.pki = Some("/keys.age".into());
    let Outcome::Saved(places) = world.turn(&schedule, 3000).await.unwrap() else { unreachable!() };
    let identity = world.host.at("/identity");
    std::fs::write(&identity, secret).unwrap();
    let open = |path: &str| {
        let mut opened = Vec::new();
        snapshot::unseal(&identity, std::fs::File::open(path).unwrap(), &mut opened).unwrap();
        opened
    };
    let plain = open(&places[0]);
    assert!(places[0].ends_with(".db.age"));
    assert_eq!(snapshot::verify(plain.as_slice(), plain.len() as u64).unwrap().contents.members.len(), 3);
    assert_eq!(open(&places[0].replace(".db.age", ".pki.age")), b"the keys");
}
