//! The lab itself, with real hosts: needs root and the packages that `kubewright lab up` names, so it runs only where
//! KUBEWRIGHT_LAB_TESTS=1 says that it may (`make test` does).
#![allow(clippy::unwrap_used, clippy::print_stdout)] // Clippy takes only #[test] functions for tests.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kubewright::lab::{HostState, Lab, LabError, Memory, Options, Places, Up};

const PATIENCE: Duration = Duration::from_secs(180);

/// Labs of this test: their state is in a directory of its own, and they end with the test however it ends.
struct Labs {
    places: Places,
    names: Vec<kubewright::lab::LabName>,
    _state: tempfile::TempDir,
}

impl Labs {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_kubewright"));
        let places = Places { state: state.path().join("lab"), program, ..Places::from_environment().unwrap() };
        Self { places, names: Vec::new(), _state: state }
    }

    /// A small lab whose name no other lab on this machine has.
    fn options(&mut self, letter: char, workers: u8) -> Options {
        let name: kubewright::lab::LabName = format!("test-{letter}{}", std::process::id()).parse().unwrap();
        self.names.push(name.clone());
        let memory = Memory::mebibytes(512);
        Options { masters: 1, workers, memory_master: memory, memory_worker: memory, ..Options::new(name) }
    }
}

impl Drop for Labs {
    fn drop(&mut self) {
        for name in &self.names {
            if let Err(error) = Lab::down(&self.places, name) {
                println!("{error}");
            }
        }
    }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// What a command on a host prints; the host's key is checked on the way.
fn on(lab: &Lab, host: &str, command: &str) -> String {
    let output = lab.output(&lab.ssh(host, &words(&[command])).unwrap()).unwrap();
    assert!(output.status.success(), "{host}: {command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Runs a command after which the host may be gone before it can say how it went.
fn last(lab: &Lab, host: &str, command: &str) {
    lab.output(&lab.ssh(host, &words(&[command])).unwrap()).unwrap();
}

fn state(lab: &Lab, host: &str) -> HostState {
    lab.status().unwrap().hosts.iter().find(|status| status.name == host).unwrap().state
}

/// Waits until `condition` holds.
fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn connects(lab: &Lab, address: [u8; 4], port: u16) -> bool {
    let address = SocketAddr::from((address, port));
    lab.inside(|| TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok()).unwrap()
}

/// Processes in a network namespace, told by its inode.
fn processes_in(namespace: u64) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let inside = |path: PathBuf| std::fs::metadata(path.join("ns/net")).is_ok_and(|found| found.ino() == namespace);
    entries
        .filter(|entry| inside(entry.path()))
        .map(|entry| std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default())
        .collect()
}

#[test]
fn hosts_live_restart_lose_power_and_lose_their_network() {
    if std::env::var("KUBEWRIGHT_LAB_TESTS").as_deref() != Ok("1") {
        println!("skipped: set KUBEWRIGHT_LAB_TESTS=1 to run it; it needs root");
        return;
    }
    let mut labs = Labs::new();
    let options = labs.options('a', 1);
    let other = labs.options('b', 0);
    let up = |options: &Options| Lab::up(&labs.places, options, &|line| println!("{}: {line}", options.name));
    let (lab, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| up(&other));
        (up(&options).unwrap(), second.join().unwrap().unwrap().0)
    });
    let (lab, outcome) = lab;
    assert_eq!(outcome, Up::Started);
    let namespace = std::fs::metadata(format!("/run/netns/{}", lab.namespace())).unwrap().ino();

    up_again_changes_nothing(&lab, &labs.places, &options);
    hosts_are_bare_and_their_own(&lab, &second);
    commands_run_inside(&lab, &labs.places);
    a_restart_keeps_the_data(&lab);
    power_comes_back_when_asked(&lab);
    a_cable_can_be_pulled(&lab);
    a_host_that_shuts_down_stays_off(&lab);
    up_finishes_what_is_not_whole(&lab, &labs.places, &options);

    assert!(!processes_in(namespace).is_empty());
    let directory = lab.directory().to_owned();
    assert!(Lab::down(&labs.places, lab.name()).unwrap());
    until("no process is left", || processes_in(namespace).is_empty());
    assert!(!directory.exists());
    assert!(!PathBuf::from("/run/netns").join(lab.namespace()).exists());
    assert!(!Lab::down(&labs.places, lab.name()).unwrap(), "it is gone");
    assert!(matches!(Lab::open(&labs.places, lab.name()), Err(LabError::NoLab { .. })));
    assert_eq!(on(&second, "m1", "hostname"), "m1", "the other lab lives on");
}

fn up_again_changes_nothing(lab: &Lab, places: &Places, options: &Options) {
    let before = lab.status().unwrap();
    assert_eq!(Lab::up(places, options, &|line| println!("{line}")).unwrap().1, Up::Already);
    assert_eq!(lab.status().unwrap(), before);
    let larger = Options { workers: 2, ..options.clone() };
    assert!(matches!(Lab::up(places, &larger, &|_| ()), Err(LabError::Different { .. })));
    assert_eq!(lab.status().unwrap(), before);
}

fn hosts_are_bare_and_their_own(lab: &Lab, second: &Lab) {
    for host in ["m1", "n1"] {
        assert_eq!(on(lab, host, "hostname"), host);
        assert_eq!(on(lab, host, "command -v containerd iptables ipset || echo bare"), "bare");
        assert!(on(lab, host, "cat /proc/cpuinfo").contains("cpu MHz"));
        assert!(!on(lab, host, "cat /proc/cmdline").contains("ssh-"));
        assert_eq!(on(lab, host, "systemctl is-system-running --wait"), "running");
    }
    assert_eq!(on(lab, "ops@m1", "sudo -n id -u"), "0");
    assert_eq!(on(lab, "opspw@m1", "sudo -n true || echo asked"), "asked");
    let password = std::fs::read_to_string(lab.password_file()).unwrap();
    let sudo = format!("echo {} | sudo -S -p '' id -u", password.trim());
    assert_eq!(on(lab, "opspw@m1", &sudo), "0");
    // The same address in another lab is another host.
    assert_eq!(lab.host("m1").unwrap().address, second.host("m1").unwrap().address);
    let machine_ids = [on(lab, "m1", "cat /etc/machine-id"), on(second, "m1", "cat /etc/machine-id")];
    assert_ne!(machine_ids[0], machine_ids[1]);
    assert_eq!(machine_ids[0].len(), 32);
    // Nothing leads out, and who tries is told at once.
    assert!(!connects(lab, [192, 0, 2, 1], 80));
    assert_eq!(on(lab, "m1", "timeout 20 bash -c 'echo >/dev/tcp/192.0.2.1/80' 2>/dev/null; echo $?"), "1");
}

fn commands_run_inside(lab: &Lab, places: &Places) {
    let kubewright = |arguments: &[&str]| {
        let mut command = assert_cmd::Command::new(&places.program);
        command.env("KUBEWRIGHT_LAB_DIR", &places.state).env("KUBEWRIGHT_LAB", lab.name().as_str());
        command.args(arguments).assert()
    };
    let script =
        "echo $KUBECONFIG $KUBEWRIGHT_INVENTORY; command -v kubewright; ip -4 -brief address show lab0; exit 7";
    let output = kubewright(&["lab", "exec", "--", "sh", "-c", script]).code(7).get_output().stdout.clone();
    let output = String::from_utf8(output).unwrap();
    for part in [lab.kubeconfig(), lab.inventory(), lab.directory().join("bin/kubewright"), "10.99.0.1/24".into()] {
        assert!(output.contains(part.to_str().unwrap()), "{output}");
    }
    kubewright(&["lab", "ssh", "m1", "--", "exit 3"]).code(3);
    kubewright(&["lab", "exec", "--", "no-such-program"]).code(1);
    let json = kubewright(&["lab", "status", "-o", "json"]).success().get_output().stdout.clone();
    let status: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(status["hosts"][0]["role"], "control-plane,etcd");
    assert_eq!(status["hosts"][1]["state"], "running");
    assert_eq!(status["namespace"], lab.namespace());
    // Commands that still run are ended with the lab.
    let mut sleeper = lab.ssh("n1", &words(&["sleep 1000"])).unwrap();
    sleeper.splice(0..0, words(&["setsid", "-f", places.program.to_str().unwrap(), "lab", "exec", "--"]));
    let state = format!("KUBEWRIGHT_LAB_DIR={}", places.state.display());
    sleeper.splice(0..0, words(&["env", &state]));
    assert!(lab.exec(&sleeper).unwrap().success());
}

fn a_restart_keeps_the_data(lab: &Lab) {
    let boot = on(lab, "n1", "cat /proc/sys/kernel/random/boot_id");
    last(lab, "n1", "echo kept >/root/data; systemctl reboot");
    let again = lab.ssh("n1", &words(&["cat /proc/sys/kernel/random/boot_id /root/data /etc/hostname"])).unwrap();
    until("n1 has restarted", || {
        let output = lab.output(&again).unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.ends_with("kept\nn1\n") && !text.contains(&boot)
    });
}

fn power_comes_back_when_asked(lab: &Lab) {
    on(lab, "n1", "echo synced >/root/data; sync");
    let kernel = lab.status().unwrap().hosts[1].pid.unwrap();
    lab.kill("n1").unwrap();
    assert_eq!(state(lab, "n1"), HostState::Stopped);
    assert!(!PathBuf::from(format!("/proc/{kernel}")).exists());
    assert!(!connects(lab, lab.host("n1").unwrap().address.octets(), 22));
    lab.kill("n1").unwrap();
    assert!(lab.start("n1", &|line| println!("{line}")).unwrap());
    assert_eq!(on(lab, "n1", "cat /root/data"), "synced");
    assert!(!lab.start("n1", &|_| ()).unwrap(), "it runs");
}

fn a_cable_can_be_pulled(lab: &Lab) {
    let address = lab.host("n1").unwrap().address.octets();
    let boot = on(lab, "n1", "cat /proc/sys/kernel/random/boot_id");
    lab.cut("n1").unwrap();
    assert_eq!(state(lab, "n1"), HostState::Cut);
    assert!(!connects(lab, address, 22));
    assert_eq!(on(lab, "m1", "hostname"), "m1");
    lab.heal("n1").unwrap();
    assert_eq!(state(lab, "n1"), HostState::Running);
    until("n1 is back", || connects(lab, address, 22));
    assert_eq!(on(lab, "n1", "cat /proc/sys/kernel/random/boot_id"), boot, "it ran all the time");
    assert!(matches!(lab.cut("x1"), Err(LabError::NoHost { .. })));
}

fn a_host_that_shuts_down_stays_off(lab: &Lab) {
    last(lab, "n1", "systemctl poweroff");
    until("n1 is off", || state(lab, "n1") == HostState::Stopped);
}

/// One host is off, another lost its supervisor: as after an interrupted `up`, only worse.
fn up_finishes_what_is_not_whole(lab: &Lab, places: &Places, options: &Options) {
    let supervisor = std::fs::read_to_string(lab.directory().join("hosts/m1/supervisor.pid")).unwrap();
    let supervisor: i32 = supervisor.split(' ').next().unwrap().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(supervisor), nix::sys::signal::Signal::SIGKILL).unwrap();
    let kernel = lab.status().unwrap().hosts[0].pid;
    assert!(kernel.is_some(), "a kernel outlives its supervisor");
    assert_eq!(Lab::up(places, options, &|line| println!("{line}")).unwrap().1, Up::Started);
    let status = lab.status().unwrap();
    assert!(status.hosts.iter().all(|host| host.state == HostState::Running), "{status:?}");
    assert_ne!(status.hosts[0].pid, kernel, "a new kernel, with somebody to watch over it");
}
