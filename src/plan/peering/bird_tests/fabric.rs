//! Two racks: a bridge and a router for each, nodes behind it, and a link between the routers. All of it are network
//! namespaces, and goes when this goes.

#![allow(clippy::disallowed_methods)] // The hosts' door to programs knows no namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use tempfile::TempDir;

use crate::cluster::HostName;

/// How long sessions and first packets may take, and a BIRD to start.
const LIMIT: Duration = Duration::from_secs(90);
const START: Duration = Duration::from_secs(20);
const PORT: u16 = 7777;
/// Ten packets a second.
const BEAT: Duration = Duration::from_millis(100);
/// How long the last answers may take: the machine may be busy.
const GRACE: Duration = Duration::from_secs(5);

/// Whether this can be tried here: it takes root, and BIRD.
pub(super) fn is_possible() -> bool {
    nix::unistd::Uid::effective().is_root() && Command::new("bird").arg("--version").output().is_ok()
}

/// A node, with the addresses of its pods.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) address: IpAddr,
    pub(super) rack: String,
    pub(super) block: String,
    pub(super) pod: IpAddr,
}

pub(super) struct Fabric {
    nodes: Vec<Node>,
    birds: BTreeMap<String, Child>,
    directory: TempDir,
    /// Of all in this process.
    number: u32,
}

static FABRICS: AtomicU32 = AtomicU32::new(0);

impl Fabric {
    /// Nodes of the racks `r1` and `r2`, without any route between pods.
    pub(super) fn start(nodes: Vec<Node>, node_as: u32) -> Self {
        let mut fabric = Self {
            nodes,
            birds: BTreeMap::new(),
            directory: tempfile::tempdir().unwrap(),
            number: FABRICS.fetch_add(1, Ordering::Relaxed),
        };
        for rack in [1, 2] {
            let router = format!("r{rack}");
            fabric.namespace(&router);
            fabric.ip(&router, "link add br0 type bridge");
            fabric.ip(&router, &format!("address add 10.1.{rack}.254/24 dev br0"));
            fabric.ip(&router, "link set br0 up");
        }
        let (r1, r2) = (fabric.name("r1"), fabric.name("r2"));
        ip(&format!("link add spine netns {r1} type veth peer name spine netns {r2}"));
        for rack in [1, 2] {
            fabric.ip(&format!("r{rack}"), &format!("address add 10.0.0.{rack}/30 dev spine"));
            fabric.ip(&format!("r{rack}"), "link set spine up");
        }
        for node in fabric.nodes() {
            let Node { name, address, rack, pod, .. } = &node;
            fabric.namespace(name);
            let (own, router) = (fabric.name(name), fabric.name(rack));
            ip(&format!("link add eth0 netns {own} type veth peer name {name} netns {router}"));
            fabric.ip(rack, &format!("link set {name} master br0 up"));
            fabric.ip(name, &format!("address add {address}/24 dev eth0"));
            fabric.ip(name, "link set eth0 up");
            fabric.ip(name, &format!("route add default via 10.1.{}.254", &rack[1..]));
            fabric.ip(name, "link add cali0 type bridge");
            fabric.ip(name, &format!("address add {pod}/32 dev cali0"));
            fabric.ip(name, "link set cali0 up");
        }
        for rack in [1, 2] {
            fabric.run_bird(&format!("r{rack}"), &router(rack, node_as));
        }
        fabric
    }

    pub(super) fn nodes(&self) -> Vec<Node> {
        self.nodes.clone()
    }

    fn node(&self, name: &str) -> &Node {
        self.nodes.iter().find(|node| node.name == name).unwrap()
    }

    /// The namespace of a node or router, by a name that no other test has.
    fn name(&self, of: &str) -> String {
        format!("kwbgp{}-{}-{of}", std::process::id(), self.number)
    }

    fn namespace(&self, of: &str) {
        ip(&format!("netns add {}", self.name(of)));
        self.ip(of, "link set lo up");
        within(&self.name(of), || fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap()).join().unwrap();
    }

    fn ip(&self, of: &str, words: &str) -> String {
        ip(&format!("-n {} {words}", self.name(of)))
    }

    fn at(&self, of: &str, end: &str) -> PathBuf {
        self.directory.path().join(format!("{of}.{end}"))
    }

    /// Gives the BIRD of a node its configuration; whether it is another one than before.
    pub(super) fn configure(&mut self, node: &Node, text: &str) -> bool {
        let name = node.name.as_str();
        if fs::read_to_string(self.at(name, "conf")).is_ok_and(|old| old == text) {
            return false;
        }
        if self.birds.contains_key(name) {
            fs::write(self.at(name, "conf"), text).unwrap();
            let told = self.birdc(name, "configure");
            assert!(told.contains("Reconfigur"), "{name}: {told}\n{text}");
        } else {
            self.run_bird(name, text);
        }
        true
    }

    fn run_bird(&mut self, of: &str, text: &str) {
        let (configuration, socket) = (self.at(of, "conf"), self.at(of, "ctl"));
        fs::write(&configuration, text).unwrap();
        let log = fs::File::create(self.at(of, "log")).unwrap();
        let bird = Command::new("ip")
            .args(["netns", "exec", &self.name(of), "bird", "-f"])
            .arg("-c")
            .arg(&configuration)
            .arg("-s")
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.birds.insert(of.to_owned(), bird);
        let since = Instant::now();
        while !self.birdc(of, "show status").contains("up and running") {
            let told = || fs::read_to_string(self.at(of, "log")).unwrap();
            assert!(since.elapsed() < START, "BIRD of {of} does not start: {}\n{text}", told());
            thread::sleep(BEAT);
        }
    }

    fn birdc(&self, of: &str, words: &str) -> String {
        let run = Command::new("birdc").arg("-s").arg(self.at(of, "ctl")).args(words.split(' ')).output().unwrap();
        String::from_utf8_lossy(&run.stdout).into_owned()
    }

    /// Waits until all of these sessions are Established.
    pub(super) fn established(&self, wanted: &BTreeMap<HostName, BTreeSet<IpAddr>>) {
        let since = Instant::now();
        for (node, with) in wanted {
            loop {
                let told = self.birdc(node.as_str(), "show protocols all");
                let up = neighbors(&told);
                if up.is_superset(with) {
                    break;
                }
                assert!(since.elapsed() < LIMIT, "{node} has sessions with {up:?} of {with:?}:\n{told}");
                thread::sleep(BEAT);
            }
        }
    }

    /// What the kernel of `from` has as the route to the pods of `to`.
    pub(super) fn route(&self, from: &str, to: &str) -> String {
        self.ip(from, &format!("route show {}", self.node(to).block))
    }

    /// Lets a pod of one node speak with one of another, from the moment when that is possible.
    pub(super) fn talk(&self, from: &str, to: &str) -> Traffic {
        let (from, to) = (self.node(from).clone(), self.node(to).clone());
        let ended = Arc::new(AtomicBool::new(false));
        let stop = ended.clone();
        let echo = within(&self.name(&to.name), move || echo(to.pod, &stop));
        let (stop, begun) = (ended.clone(), Arc::new(AtomicBool::new(false)));
        let first = begun.clone();
        let speaker = within(&self.name(&from.name), move || speak(from.pod, to.pod, &first, &stop));
        let since = Instant::now();
        while !begun.load(Ordering::Relaxed) {
            let why = || {
                let of = |of: &str| format!("{of}:\n{}{}", self.ip(of, "route"), self.birdc(of, "show route all"));
                [from.name.as_str(), &from.rack, &to.rack, &to.name].map(of).join("\n")
            };
            assert!(since.elapsed() < LIMIT, "no packet comes back\n{}", why());
            thread::sleep(BEAT);
        }
        Traffic { ended, echo, speaker }
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        for bird in self.birds.values_mut() {
            let _ = bird.kill();
            let _ = bird.wait();
        }
        for of in self.nodes.iter().map(|node| node.name.as_str()).chain(["r1", "r2"]) {
            let _ = Command::new("ip").args(["netns", "delete", &self.name(of)]).output();
        }
    }
}

/// A router as many have them: eBGP with all nodes of its rack, and with the other router.
fn router(rack: u8, node_as: u32) -> String {
    let (own_as, other) = (65_000 + u32::from(rack), 3 - rack);
    format!(
        "router id 10.1.{rack}.254;
protocol device {{ scan time 2; }}
protocol direct {{ ipv4; }}
protocol kernel {{ scan time 2; ipv4 {{ import none; export where source = RTS_BGP; }}; }}
protocol bgp nodes {{
  local 10.1.{rack}.254 as {own_as}; neighbor range 10.1.{rack}.0/24 as {node_as}; dynamic name \"node\";
  ipv4 {{ import all; export where source = RTS_BGP; }};
}}
protocol bgp spine {{
  local 10.0.0.{rack} as {own_as}; neighbor 10.0.0.{other} as {};
  connect delay time 1; connect retry time 2; error wait time 1, 5;
  ipv4 {{ import all; export all; }};
}}
",
        65_000 + u32::from(other)
    )
}

/// The neighbours with which there is an established session.
fn neighbors(told: &str) -> BTreeSet<IpAddr> {
    let (mut up, mut is_up) = (BTreeSet::new(), false);
    for line in told.lines() {
        if line.contains(" BGP ") {
            is_up = line.contains("Established");
        } else if let Some(address) = line.trim().strip_prefix("Neighbor address:").filter(|_| is_up) {
            up.extend(address.trim().parse::<IpAddr>());
        }
    }
    up
}

/// Packets between two pods.
pub(super) struct Traffic {
    ended: Arc<AtomicBool>,
    echo: JoinHandle<()>,
    speaker: JoinHandle<Spoken>,
}

/// What became of them.
#[derive(Debug)]
pub(super) struct Spoken {
    pub(super) sent: u64,
    /// Numbers of those that did not come back.
    pub(super) lost: BTreeSet<u64>,
}

impl Traffic {
    /// Lets some more of it be spoken, and ends it.
    pub(super) fn end(self) -> Spoken {
        thread::sleep(BEAT * 20);
        self.ended.store(true, Ordering::Relaxed);
        let spoken = self.speaker.join().unwrap();
        self.echo.join().unwrap();
        spoken
    }
}

fn echo(own: IpAddr, stop: &AtomicBool) {
    let socket = UdpSocket::bind((own, PORT)).unwrap();
    socket.set_read_timeout(Some(BEAT)).unwrap();
    let (mut buffer, mut ended) = ([0; 8], None::<Instant>);
    while ended.is_none_or(|since| since.elapsed() < GRACE) {
        if let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer, from);
        }
        if ended.is_none() && stop.load(Ordering::Relaxed) {
            ended = Some(Instant::now());
        }
    }
}

/// What is lost counts from the first packet that has come back.
fn speak(own: IpAddr, other: IpAddr, begun: &AtomicBool, stop: &AtomicBool) -> Spoken {
    let socket = UdpSocket::bind((own, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let (mut sent, mut lost) = (0_u64, BTreeSet::new());
    let hear = |lost: &mut BTreeSet<u64>| {
        let mut buffer = [0; 8];
        while socket.recv(&mut buffer).is_ok() {
            let number = u64::from_be_bytes(buffer);
            lost.remove(&number);
            if !begun.swap(true, Ordering::Relaxed) {
                lost.retain(|earlier| *earlier > number);
            }
        }
    };
    while !stop.load(Ordering::Relaxed) {
        lost.insert(sent);
        let _ = socket.send_to(&sent.to_be_bytes(), (other, PORT));
        sent += 1;
        let next = Instant::now() + BEAT;
        while Instant::now() < next {
            hear(&mut lost);
        }
    }
    let since = Instant::now();
    while !lost.is_empty() && since.elapsed() < GRACE {
        hear(&mut lost);
    }
    Spoken { sent, lost }
}

/// Runs `work` on a thread in a namespace.
fn within<T: Send + 'static>(namespace: &str, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let file = fs::File::open(format!("/run/netns/{namespace}")).unwrap();
    thread::spawn(move || {
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
        work()
    })
}

fn ip(words: &str) -> String {
    let run = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(run.status.success(), "ip {words}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).into_owned()
}
