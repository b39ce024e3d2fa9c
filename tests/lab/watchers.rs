//! What those who watch see of a restore.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::etcd::pods;
use crate::upgrade::nodes_are_well;
use crate::world::{World, eventually};

const OBJECTS: usize = 20_000;
/// How soon watchers have to be right again once the restore has ended.
const SOON: Duration = Duration::from_secs(60);

fn program() -> String {
    std::env::var("KUBEWRIGHT_OBJECTS").unwrap_or_else(|_| panic!("KUBEWRIGHT_OBJECTS is not set"))
}

fn objects(world: &World, verb: &str, from: usize, to: usize, value: &str) {
    let began = Instant::now();
    world.exec(&[&program(), verb, &from.to_string(), &to.to_string(), value]).exits(0);
    println!("{verb} {}: {:.1} s", to - from, began.elapsed().as_secs_f64());
}

/// An informer, and a plain list and watch, both open all the time.
struct Watchers {
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Watchers {
    fn start(world: &World) -> Self {
        let mut command = world.exec_command(&[&program(), "watch"]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (ask, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, ask, answers: BufReader::new(answers) }
    }

    /// What both know now.
    fn know(&mut self) -> (Value, Value) {
        writeln!(self.ask, "?").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let both: Value = serde_json::from_str(&line).unwrap();
        (both["informer"].clone(), both["watch"].clone())
    }

    /// What both of them know once it is the same, and `right`.
    fn agree(&mut self, limit: Duration, right: impl Fn(&Value) -> bool) -> (Value, Duration) {
        let began = Instant::now();
        loop {
            let (informer, watch) = self.know();
            if informer == watch && right(&informer) {
                return (informer, began.elapsed());
            }
            assert!(began.elapsed() < limit, "informer: {informer}, watch: {watch}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn watchers_see_a_restore(world: &World) {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("snapshots").display().to_string();
    world.kubectl(&["create", "namespace", "watched"]);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/workload.yaml");
    world.kubectl(&["apply", "-f", manifest]);
    world.kubectl(&["rollout", "status", "deployment/web", "--timeout=240s"]);
    objects(world, "create", 0, OBJECTS, "first");
    let mut watchers = Watchers::start(world);
    let (wanted, _) = watchers.agree(Duration::from_secs(300), |known| known["count"] == OBJECTS);
    let running = pods(world);
    let saved = world.run_verb("etcd snapshot save", &["--to", &to]).exits(0);
    println!("{}", saved.stdout.trim());

    objects(world, "delete", 0, OBJECTS / 2, "");
    objects(world, "replace", OBJECTS / 2, OBJECTS / 2 + 500, "changed");
    objects(world, "create", OBJECTS, OBJECTS + 500, "new");
    watchers.agree(Duration::from_secs(60), |known| known["count"] == OBJECTS / 2 + 500);

    let restored = world.run_verb("etcd restore", &[&to, "--confirm", world.name()]).exits(0);
    println!("restored in {:.1} s", restored.took.as_secs_f64());
    let (_, took) = watchers.agree(SOON, |known| *known == wanted);
    println!("{OBJECTS} objects: an informer and a watch are right {:.1} s after the restore", took.as_secs_f64());
    assert_eq!(pods(world), running, "the workload was touched");
    nodes_are_well(world, &world.kubelet_version());
    world.kubectl(&["delete", "--wait=false", "-f", manifest]);
    world.kubectl(&["delete", "namespace", "watched", "--wait=false"]);
}

/// Whatever becomes of the member that a snapshot comes from: there is a whole one afterwards, and no half one.
pub(crate) fn a_member_loses_its_power_while_it_is_saved(world: &World) {
    world.kubectl(&["create", "namespace", "watched"]);
    // Enough for a snapshot to take a while.
    objects(world, "create", 0, 1500, &"x".repeat(100_000));
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().display().to_string();
    let members = world.run_verb("etcd members", &["-o", "json"]).exits(0);
    // Events come before it.
    let members: Value = serde_json::from_str(members.stdout.lines().last().unwrap()).unwrap();
    let follower = |member: &&Value| member["view"]["leader"] != member["view"]["member"];
    // The one that is asked first.
    let member = members.as_array().unwrap().iter().find(follower).unwrap()["host"].as_str().unwrap().to_owned();
    let mut command = world.verb_command("etcd snapshot save", &["--to", &to], &[]);
    let mut saving = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let part =
        || std::fs::read_dir(directory.path()).unwrap().flatten().any(|entry| entry.metadata().unwrap().len() > 0);
    eventually("the snapshot begins to come", Duration::from_secs(60), || {
        part() || saving.try_wait().unwrap().is_some()
    });
    world.lab(&["kill", &member], &[]).exits(0);
    let code = saving.wait().unwrap().code();
    let kept = world.exec(&["kubewright", "etcd", "snapshot", "list", &to, "-o", "json"]).exits(0).json();
    println!(
        "{member} lost its power while it was saved from: exit {code:?}, {} snapshots",
        kept.as_array().unwrap().len()
    );
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{names:?}");
    for snapshot in kept.as_array().unwrap() {
        let file = snapshot["location"].as_str().unwrap();
        world.exec(&["kubewright", "etcd", "snapshot", "verify", file]).exits(0);
    }
    assert_eq!(kept.as_array().unwrap().len(), 1, "another member should have given one");
    world.lab(&["start", &member], &[]).exits(0);
    eventually("all members are well", Duration::from_secs(120), || world.run_verb("etcd members", &[]).code == 0);
    eventually("the API answers", Duration::from_secs(180), || world.exec(&["kubectl", "get", "namespaces"]).code == 0);
    world.kubectl(&["delete", "namespace", "watched", "--wait=false"]);
}
