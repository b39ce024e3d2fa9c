//! The agent as a process of its own: it ends with its session, and what it was doing is mended by the next one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's way to fail")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use kubewright::desired::state::{File, Owner, Part, PartState, Resource, User};
use kubewright::host::frame;
use kubewright::host::protocol::{Event, FromAgent, Holder, Reply, ToAgent};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

struct Agent {
    process: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl Agent {
    async fn start(root: &Path) -> Self {
        let mut process = Command::new(place(root))
            .args(["agent", "--root"])
            .arg(root)
            .env("PATH", format!("{}:/usr/bin:/bin", root.join("programs").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut agent = Self { process, stdin, stdout };
        let FromAgent::Hello { sha256 } = agent.receive().await.unwrap() else { panic!("no hello") };
        assert_eq!(sha256.len(), 64);
        agent
    }

    async fn send(&mut self, request: &ToAgent) {
        frame::write_message(&mut self.stdin, request).await.unwrap();
    }

    async fn receive(&mut self) -> Option<FromAgent> {
        frame::read(&mut self.stdout).await.ok().map(|frame| frame.message().unwrap())
    }

    async fn reply(&mut self) -> Reply {
        loop {
            match self.receive().await.expect("the agent is gone") {
                FromAgent::Reply(reply) => return *reply,
                FromAgent::Failed(failure) => panic!("{failure}"),
                _ => {}
            }
        }
    }

    async fn ask(&mut self, request: &ToAgent) -> Reply {
        self.send(request).await;
        self.reply().await
    }
}

/// The binary where the installer would put it: it then knows its digest from the path, as it does on a host.
fn place(root: &Path) -> std::path::PathBuf {
    let directory = root.join("bin").join("0123456789abcdef".repeat(4));
    let binary = directory.join("kubewright");
    if !binary.exists() {
        fs::create_dir_all(&directory).unwrap();
        let built = env!("CARGO_BIN_EXE_kubewright");
        fs::hard_link(built, &binary).or_else(|_| fs::copy(built, &binary).map(drop)).unwrap();
    }
    binary
}

fn host() -> tempfile::TempDir {
    let host = tempfile::tempdir().unwrap();
    fs::create_dir_all(host.path().join("etc/kubernetes/manifests")).unwrap();
    let (user, group) = (nix::unistd::getuid(), nix::unistd::getgid());
    fs::write(host.path().join("etc/passwd"), format!("root:x:{user}:{group}::/:/bin/sh\n")).unwrap();
    fs::write(host.path().join("etc/group"), format!("root:x:{group}:\n")).unwrap();
    host
}

fn files(count: usize, generation: usize) -> Vec<PartState> {
    let file = |index: usize| {
        Resource::File(File {
            path: format!("/etc/kubernetes/{}/f{index}", ["manifests", "pki"][index % 2]),
            mode: 0o600,
            owner: Owner::root(),
            content: format!("generation {generation}\n").repeat(200),
            secret: false,
            restarts: Vec::new(),
            reloads: Vec::new(),
        })
    };
    vec![PartState { part: Part::ControlPlane, resources: (0..count).map(file).collect() }]
}

#[tokio::test]
async fn killed_anywhere_the_next_run_converges() {
    let host = host();
    let count = 12;
    for generation in 0..count {
        let parts = files(count, generation);
        let mut agent = Agent::start(host.path()).await;
        agent.send(&ToAgent::Converge { parts: parts.clone() }).await;
        let mut begun = 0;
        while begun <= generation {
            let Some(message) = agent.receive().await else { panic!("it ended by itself") };
            begun += usize::from(matches!(message, FromAgent::Event(Event::Changing { .. })));
        }
        agent.process.kill().await.unwrap();
        let manifests = host.path().join("etc/kubernetes/manifests");
        let strange = fs::read_dir(manifests)
            .unwrap()
            .find(|entry| !entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('f'));
        assert!(strange.is_none(), "the kubelet would start {strange:?}");
        let mut agent = Agent::start(host.path()).await;
        agent.ask(&ToAgent::Converge { parts: parts.clone() }).await;
        let Reply::Changes { parts: left } = agent.ask(&ToAgent::Diff { parts }).await else { panic!() };
        assert!(left.is_empty(), "{left:?}");
    }
    for directory in ["manifests", "pki", ".kubewright-tmp"] {
        let names: Vec<_> = fs::read_dir(host.path().join("etc/kubernetes").join(directory)).unwrap().collect();
        let leftover =
            names.iter().find(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".kubewright"));
        assert!(leftover.is_none(), "{leftover:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_session_ends_the_agent_its_lock_and_its_commands() {
    let host = host();
    let programs = host.path().join("programs");
    fs::create_dir(&programs).unwrap();
    let pid = host.path().join("pid");
    let script = format!("#!/bin/sh\necho $$ >{0}.new\nmv {0}.new {0}\nexec sleep 600\n", pid.display());
    fs::write(programs.join("systemd-sysusers"), script).unwrap();
    fs::set_permissions(programs.join("systemd-sysusers"), fs::Permissions::from_mode(0o755)).unwrap();
    let holder = Holder { user: "a".into(), host: "b".into(), pid: 1, verb: "install".into(), since: "now".into() };
    let lock = ToAgent::Lock { holder };
    let user = Resource::User(User { name: "etcd".into(), home: "/".into() });
    let parts = vec![PartState { part: Part::Etcd, resources: vec![user] }];

    let mut first = Agent::start(host.path()).await;
    assert!(matches!(first.ask(&lock).await, Reply::Locked));
    first.send(&ToAgent::Converge { parts }).await;
    while !pid.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut second = Agent::start(host.path()).await;
    assert!(matches!(second.ask(&lock).await, Reply::Held { .. }));

    drop(first.stdin);
    let ended = timeout(Duration::from_secs(30), first.process.wait()).await.expect("it goes on without its session");
    assert!(ended.unwrap().success());
    assert!(matches!(second.ask(&lock).await, Reply::Locked));
    let command: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let gone = async {
        // Dead, though perhaps not yet reaped by whoever inherited it.
        while fs::read_to_string(format!("/proc/{command}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), gone).await.expect("the command outlived the agent");
}

#[tokio::test]
async fn nothing_but_frames_comes_out_and_rubbish_in_ends_it() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = host();
    let mut agent = Agent::start(host.path()).await;
    agent.stdin.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let ended = timeout(Duration::from_secs(30), agent.process.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(1));
    let mut rest = Vec::new();
    agent.stdout.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"");
}
