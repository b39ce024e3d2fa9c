//! `lab run`: a command with a cluster of its own, and what is left when it is over. Part of the end-to-end run: needs
//! what that needs, and runs when `KUBEWRIGHT_LAB_SUITE` is `test` or `soak` (see scripts/).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// How long it may take until nothing is left after a kill.
const PATIENCE: Duration = Duration::from_secs(60);

/// A home directory of its own, and what the machine had before.
struct Place {
    home: tempfile::TempDir,
    name: &'static str,
    before: Traces,
}

/// What a lab leaves traces in.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    namespaces: BTreeSet<String>,
    mounts: String,
}

impl Traces {
    fn now() -> Self {
        let entries = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
        let namespaces = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        Self { namespaces, mounts: std::fs::read_to_string("/proc/self/mounts").unwrap() }
    }
}

impl Place {
    fn new(name: &'static str) -> Self {
        Self { home: tempfile::tempdir().unwrap(), name, before: Traces::now() }
    }

    fn command(&self, flags: &[&str], command: &[&str]) -> Command {
        let image = format!("oci:{}", std::env::var("KUBEWRIGHT_IMAGE").unwrap());
        let home = std::env::var("HOME").unwrap();
        let cache = std::env::var("KUBEWRIGHT_CACHE").unwrap_or_else(|_| format!("{home}/.cache/kubewright"));
        let temporary = self.home.path().join("tmp");
        std::fs::create_dir_all(&temporary).unwrap();
        let mut run = Command::new(std::env::var("KUBEWRIGHT_BIN").unwrap());
        run.args(["lab", "run", "--name", self.name, "--image", &image]).args(flags).arg("--").args(command);
        run.env("HOME", self.home.path()).env("KUBEWRIGHT_CACHE", cache).env("TMPDIR", temporary);
        run.stdin(Stdio::null());
        run
    }

    fn run(&self, flags: &[&str], command: &[&str]) -> Output {
        self.command(flags, command).output().unwrap()
    }

    /// As a terminal starts it: in a group of its own, to all of which Ctrl-C goes.
    fn start(&self) -> Child {
        let mut command = self.command(&[], &["sleep", "600"]);
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// What is left of the lab: processes, namespaces, mounts, files.
    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(self.home.path().to_str().unwrap()) || line.contains(&format!("--name {}", self.name)) {
                left.push(format!("process {line}"));
            }
        }
        let now = Traces::now();
        if now.namespaces.contains(&format!("kw-{}", self.name)) {
            left.push("its namespace".into());
        }
        left.extend(now.mounts.lines().filter(|line| line.contains(self.name)).map(str::to_owned));
        files(self.home.path(), &mut left);
        left
    }

    fn assert_clean(&self, when: &str) {
        let begin = Instant::now();
        while !self.left().is_empty() && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(self.left(), Vec::<String>::new(), "{when}");
        assert_eq!(Traces::now(), self.before, "{when}");
    }
}

fn files(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            // What kubectl keeps for itself, wherever it runs.
            Ok(_) if entry.file_name() == ".kube" => {}
            Ok(kind) if kind.is_dir() => files(&entry.path(), found),
            _ => found.push(entry.path().display().to_string()),
        }
    }
}

fn suite() -> Option<String> {
    let suite = std::env::var("KUBEWRIGHT_LAB_SUITE").ok().filter(|suite| suite == "test" || suite == "soak");
    if suite.is_none() {
        println!("the lab suite is not asked for; scripts/lab-suite.sh runs it");
    }
    suite
}

/// One test, because two clusters at once are too much for two processors.
#[test]
fn a_command_gets_a_cluster_and_leaves_nothing() {
    let Some(suite) = suite() else { return };
    let place = Place::new("throwaway");
    let begin = Instant::now();
    let output = place.run(&[], &["kubectl", "get", "nodes", "--no-headers"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("a command with a cluster of one master and one worker: {:.0} s", begin.elapsed().as_secs_f64());
    // Standard output is the command's alone.
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|line| line.contains(" Ready ")), "{text}");
    place.assert_clean("after a command that succeeded");

    stopped_at_any_moment(&place, if suite == "soak" { &[500, 4_000, 12_000, 25_000, 60_000] } else { &[6_000] });
    killed_outright(&place);
    if suite == "soak" {
        a_failure_is_passed_on_with_its_logs(&place);
    }
}

/// Ctrl-C: the lab goes, and a second Ctrl-C meanwhile does not keep it from that.
fn stopped_at_any_moment(place: &Place, moments: &[u64]) {
    for moment in moments {
        let mut child = place.start();
        std::thread::sleep(Duration::from_millis(*moment));
        let group = Pid::from_raw(child.id().cast_signed());
        killpg(group, Signal::SIGINT).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let _ = killpg(group, Signal::SIGINT);
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "after {moment} ms: {status}");
        place.assert_clean(&format!("after Ctrl-C at {moment} ms"));
    }
}

/// `kill -9` of the one process that knows of the lab.
fn killed_outright(place: &Place) {
    let mut child = place.start();
    std::thread::sleep(Duration::from_secs(8));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    place.assert_clean("after kill -9");
}

fn a_failure_is_passed_on_with_its_logs(place: &Place) {
    let logs = tempfile::tempdir().unwrap();
    let output = place.run(&["--logs", logs.path().to_str().unwrap()], &["sh", "-c", "sleep 1000 & exit 42"]);
    assert_eq!(output.status.code(), Some(42), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = Vec::new();
    files(logs.path(), &mut found);
    assert!(found.iter().any(|file| file.ends_with("m1-console.log")), "{found:?}");
    assert!(found.iter().any(|file| file.contains("-install-")), "{found:?}");
    // With what the command has left running.
    place.assert_clean("after a command that failed");
}
