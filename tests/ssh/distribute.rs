//! Blobs on their way to several hosts: real agents behind real sshds, each host with an address and a store of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use kubewright::cluster::{Distribution, DistributionMode, Host, HostName};
use kubewright::image::{Blob, BlobAccess};
use kubewright::remote::{AgentBinary, Connector};
use kubewright::report::{Event, Events};
use kubewright::run::distribute::{Job, Registry};
use kubewright::run::{Fleet, Outcomes};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::server::Server;
use crate::tools::{host, options};

/// Hosts `n1`, `n2`, … at 127.0.1.1, 127.0.1.2, …, and blobs for them.
struct World {
    servers: Vec<Server>,
    hosts: Vec<Host>,
    directory: tempfile::TempDir,
    blobs: Vec<Blob>,
    settings: Distribution,
}

impl World {
    fn new(hosts: usize, blobs: usize, mode: DistributionMode) -> Self {
        Self::with_blobs(hosts, blobs, 700_000, mode)
    }

    fn with_blobs(hosts: usize, blobs: usize, size: usize, mode: DistributionMode) -> Self {
        let servers: Vec<Server> = (0..hosts).map(|_| Server::start()).collect();
        let directory = tempfile::tempdir().unwrap();
        let blobs = (0..blobs).map(|seed| blob(directory.path(), size + 1000 * seed, seed)).collect();
        let host = |(index, server): (usize, &Server)| Host {
            name: HostName::parse(&format!("n{}", index + 1)).unwrap(),
            address: address(index),
            rack: Some(format!("r{}", index % 2)),
            ..host(server, "root")
        };
        let hosts = servers.iter().enumerate().map(host).collect();
        let free = TcpListener::bind((address(0), 0)).unwrap().local_addr().unwrap().port();
        let settings = Distribution { mode, port: free, ..Distribution::default() };
        Self { servers, hosts, directory, blobs, settings }
    }

    /// Another server for the only host, with these lines of sshd_config.
    fn replace_server(&mut self, config: &str) {
        self.servers = vec![Server::with(&["ed25519"], config)];
        self.hosts[0].ssh = host(&self.servers[0], "root").ssh;
    }

    async fn fleet(&self) -> Fleet {
        let options = options(self.directory.path());
        let known: String = self.servers.iter().map(Server::known_hosts_line).collect();
        fs::write(&options.known_hosts[0], known).unwrap();
        let binary = AgentBinary::read(Path::new(env!("CARGO_BIN_EXE_kubewright"))).unwrap();
        let (fleet, failed) =
            Fleet::connect_with(&self.hosts, &Connector::new(options), 16, &Events::channel().0, binary).await;
        assert!(failed.is_empty(), "{failed:?}");
        fleet
    }

    /// Every host needs every blob.
    async fn distribute(&self, fleet: &Fleet, registry: Option<&Registry<'_>>) -> (Outcomes<usize>, Told) {
        let needs: BTreeMap<HostName, BTreeSet<Blob>> =
            self.hosts.iter().map(|host| (host.name.clone(), self.blobs.iter().cloned().collect())).collect();
        let (events, mut receiver) = Events::channel();
        let blob_path = |blob: &Blob| self.directory.path().join(&blob.sha256);
        let job = Job {
            fleet,
            blob_path: &blob_path,
            settings: &self.settings,
            registry,
            stage: "distribute",
            events: &events,
        };
        let outcomes = job.run(&needs).await;
        let mut told = Told::default();
        while let Ok(event) = receiver.try_recv() {
            match event {
                Event::Note { text } => told.notes.push(text),
                Event::FellBack { host, failure, .. } => told.fell_back.push(format!("{host}: {failure}")),
                Event::HostDone { host, .. } => told.done.push(host),
                Event::Sent { bytes, total, .. } => assert!(bytes <= total),
                other => panic!("{other:?}"),
            }
        }
        (outcomes, told)
    }

    fn store(&self, host: usize) -> PathBuf {
        self.servers[host].var_lib().join("kubewright/blobs/sha256")
    }

    fn content(&self, blob: &Blob) -> Vec<u8> {
        fs::read(self.directory.path().join(&blob.sha256)).unwrap()
    }

    #[track_caller]
    fn everybody_has_everything(&self) {
        for index in 0..self.hosts.len() {
            for blob in &self.blobs {
                let there = fs::read(self.store(index).join(&blob.sha256)).unwrap();
                assert!(there == self.content(blob), "n{} has another {}", index + 1, blob.sha256);
            }
            assert_eq!(fs::read_dir(self.store(index)).unwrap().count(), self.blobs.len());
        }
    }
}

/// What was told on the way.
#[derive(Debug, Default)]
struct Told {
    notes: Vec<String>,
    fell_back: Vec<String>,
    done: Vec<String>,
}

fn address(index: usize) -> IpAddr {
    Ipv4Addr::new(127, 0, 1, u8::try_from(index + 1).unwrap()).into()
}

fn blob(directory: &Path, size: usize, seed: usize) -> Blob {
    let content: Vec<u8> =
        (0..size).map(|n| (n.wrapping_mul(2_654_435_761).wrapping_add(seed << 20) >> 13) as u8).collect();
    let sha256: String = digest(&SHA256, &content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(directory.join(&sha256), content).unwrap();
    Blob { sha256, size: size as u64 }
}

#[tokio::test]
async fn hosts_give_blobs_to_each_other_and_each_leaves_once() {
    let world = World::new(4, 3, DistributionMode::Peers);
    // One host has a blob already, another has the beginning of one.
    fs::create_dir_all(world.store(0)).unwrap();
    fs::write(world.store(0).join(&world.blobs[0].sha256), world.content(&world.blobs[0])).unwrap();
    fs::create_dir_all(world.store(1)).unwrap();
    let part = world.store(1).join(&world.blobs[1].sha256).with_extension("part");
    fs::write(part, &world.content(&world.blobs[1])[..300_000]).unwrap();

    let fleet = world.fleet().await;
    let (outcomes, told) = world.distribute(&fleet, None).await;
    assert!(outcomes.failed.is_empty() && told.fell_back.is_empty(), "{:?} {told:?}", outcomes.failed);
    assert_eq!(outcomes.ok.values().copied().collect::<Vec<_>>(), [2, 3, 3, 3]);
    world.everybody_has_everything();
    assert_eq!(told.done.len(), 4);
    // Blobs 1 and 2 left once, 0 not at all.
    let [summary] = &told.notes[..] else { panic!("{told:?}") };
    assert_eq!(summary, "blobs for 4 hosts: 2 MiB from here, 7 MiB from host to host");
    // Nobody listens any more, and nothing is left to do.
    for index in 0..4 {
        let address = SocketAddr::new(address(index), world.settings.port);
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "{address} still listens");
    }
    let (outcomes, told) = world.distribute(&fleet, None).await;
    assert_eq!((outcomes.ok.values().sum::<usize>(), told.notes.len()), (0, 0));
}

#[tokio::test]
async fn what_other_hosts_cannot_give_comes_from_here() {
    let world = World::new(3, 2, DistributionMode::Peers);
    // n1 has damaged blobs and gives them; on n2 somebody else listens.
    fs::create_dir_all(world.store(0)).unwrap();
    for blob in &world.blobs {
        let mut content = world.content(blob);
        content[1000] ^= 1;
        fs::write(world.store(0).join(&blob.sha256), content).unwrap();
    }
    let _taken = TcpListener::bind((address(1), world.settings.port)).unwrap();
    let fleet = world.fleet().await;
    let (outcomes, told) = world.distribute(&fleet, None).await;
    assert!(outcomes.failed.is_empty(), "{:?}", outcomes.failed);
    assert!(told.notes[0].contains("n2: giving blobs to other hosts at 127.0.1.2:"), "{told:?}");
    assert!(!told.fell_back.is_empty() && told.fell_back.len() <= 4, "{told:?}");
    assert!(told.fell_back.iter().all(|line| line.contains("what arrived is sha256:")), "{told:?}");
    for index in [1, 2] {
        for blob in &world.blobs {
            assert!(fs::read(world.store(index).join(&blob.sha256)).unwrap() == world.content(blob));
        }
    }
}

#[tokio::test]
async fn a_host_that_dies_is_told_and_the_others_are_served() {
    let mut world = World::new(3, 4, DistributionMode::Peers);
    let fleet = world.fleet().await;
    world.servers[2].kill();
    let (outcomes, _) = world.distribute(&fleet, None).await;
    let failed: Vec<_> = outcomes.failed.iter().map(|failed| failed.host.as_ref().unwrap().to_string()).collect();
    assert_eq!(failed, ["n3"]);
    world.servers.pop();
    world.hosts.pop();
    world.everybody_has_everything();
}

#[tokio::test]
async fn one_host_is_sent_several_blobs_at_once() {
    let mut world = World::with_blobs(1, 6, 3 << 20, DistributionMode::Auto);
    world.replace_server("LogLevel VERBOSE");
    let fleet = world.fleet().await;
    let (outcomes, told) = world.distribute(&fleet, None).await;
    assert!(outcomes.failed.is_empty(), "{:?}", outcomes.failed);
    world.everybody_has_everything();
    assert_eq!(told.notes, ["blobs for 1 host: 19 MiB from here"]);
    assert_eq!(world.servers[0].log().matches("Starting session: command").count(), 4);
}

#[tokio::test]
async fn a_server_that_allows_one_session_gets_its_blobs_one_by_one() {
    let mut world = World::with_blobs(1, 3, 6 << 20, DistributionMode::Push);
    world.replace_server("MaxSessions 1");
    let fleet = world.fleet().await;
    let (outcomes, _) = world.distribute(&fleet, None).await;
    assert!(outcomes.failed.is_empty(), "{:?}", outcomes.failed);
    world.everybody_has_everything();
}

/// A damaged beginning is found out only at the end; then all of it is sent again.
#[tokio::test]
async fn a_damaged_beginning_is_sent_again() {
    let world = World::new(1, 1, DistributionMode::Push);
    fs::create_dir_all(world.store(0)).unwrap();
    let part = world.store(0).join(&world.blobs[0].sha256).with_extension("part");
    fs::write(part, vec![0; 300_000]).unwrap();
    let fleet = world.fleet().await;
    let (outcomes, _) = world.distribute(&fleet, None).await;
    assert!(outcomes.failed.is_empty(), "{:?}", outcomes.failed);
    world.everybody_has_everything();
}

#[tokio::test]
async fn hosts_pull_from_a_registry_and_fall_back_to_here() {
    let world = World::new(2, 2, DistributionMode::Registry);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let registry = Registry::fixed(BlobAccess {
        blobs: format!("http://{}/v2/k8s/blobs/", listener.local_addr().unwrap()),
        authorization: Some("Basic secret".to_owned()),
        authorities: None,
    });
    // It has the first blob, and not the second.
    let (known, content) = (world.blobs[0].sha256.clone(), world.content(&world.blobs[0]));
    let served = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                stream.read_line(&mut request).await.unwrap();
            }
            let good = request.contains(&format!("GET /v2/k8s/blobs/sha256:{known} "))
                && request.to_lowercase().contains("authorization: basic secret");
            let (status, body) = if good { ("200 OK", &content[..]) } else { ("404 Not Found", &b"unknown"[..]) };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body).await.unwrap();
        }
    });
    let fleet = world.fleet().await;
    let (outcomes, told) = world.distribute(&fleet, Some(&registry)).await;
    assert!(outcomes.failed.is_empty(), "{:?}", outcomes.failed);
    world.everybody_has_everything();
    assert_eq!(told.fell_back.len(), 2, "{told:?}");
    assert!(told.fell_back.iter().all(|line| line.contains("404")), "{told:?}");
    assert!(told.notes[0].starts_with("blobs for 2 hosts: 2 MiB from here, 2 MiB from the registry"), "{told:?}");
    served.abort();
}
