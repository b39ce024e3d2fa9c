//! Interrupts on a host that has some to move: two CPUs and network cards of four queues, emulated. The lab's own hosts
//! have one CPU each. Runs where KUBEWRIGHT_BIN and KUBEWRIGHT_IMAGE are set, as `scripts/lab-suite.sh` does; needs root.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "Clippy takes only #[test] functions for tests"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// The host; it is gone when this is.
struct Host {
    directory: tempfile::TempDir,
    binary: PathBuf,
    image: PathBuf,
}

impl Host {
    fn start(binary: PathBuf, image: PathBuf) -> Self {
        let cache = image.parent().and_then(Path::parent).unwrap().join("lab");
        let directory = tempfile::tempdir().unwrap();
        let host = Self { directory, binary, image };
        let begin = Instant::now();
        assert!(script(&["make", cache.to_str().unwrap()]).status().unwrap().success());
        assert!(script(&["start", cache.to_str().unwrap(), host.place()]).status().unwrap().success());
        println!("the host is up after {:.0} s", begin.elapsed().as_secs_f64());
        host
    }

    fn place(&self) -> &str {
        self.directory.path().to_str().unwrap()
    }

    /// What `command` prints on the host.
    fn on(&self, command: &str) -> String {
        let output = script(&["ssh", self.place(), command]).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs a verb with `irq` as the section of that name.
    fn kubewright(&self, verb: &[&str], irq: &str, environment: &[(&str, &str)]) -> Output {
        let inventory = self.directory.path().join("inventory.yaml");
        let key = std::fs::read_to_string(self.directory.path().join("known_hosts")).unwrap();
        let key = key.trim().split_once(' ').unwrap().1;
        let text = format!(
            "apiVersion: kubewright.dev/v1alpha1
kind: Cluster
metadata: {{name: irq}}
spec:
  image: oci:{image}
  ssh: {{user: root, identityFile: {place}/login, identitiesOnly: true, hostKeys: [{key}]}}
  kernel: {{irq: {irq}}}
  hosts:
    - {{name: irq-host, address: 10.77.0.2, roles: [control-plane, etcd, worker]}}
",
            image = self.image.display(),
            place = self.place(),
        );
        std::fs::write(&inventory, text).unwrap();
        let mut command = script(&["exec", self.place(), self.binary.to_str().unwrap()]);
        command.args(verb).arg("-i").arg(&inventory);
        // It is smaller and slower than a control plane should be, its clock is read from a chip that counts whole
        // seconds, and it never gets that far.
        command.env("KUBEWRIGHT_IGNORE_PREFLIGHT", "memory,cpus,clock,etcd-disk");
        command.env("KUBEWRIGHT_STATE_DIR", self.directory.path().join("state")).envs(environment.iter().copied());
        command.output().unwrap()
    }

    /// Installs as far as hosts are prepared; what comes after would take long here and shows nothing of interrupts.
    fn prepare(&self, irq: &str) {
        let begin = Instant::now();
        let output = self.kubewright(&["install"], irq, &[("KUBEWRIGHT_KILL_AT", "prepare:converged")]);
        let said = String::from_utf8_lossy(&output.stderr);
        // As a shell tells of a child that was killed.
        assert_eq!(output.status.code(), Some(128 + 9), "{said}");
        println!("prepared in {:.0} s", begin.elapsed().as_secs_f64());
    }

    /// What a plan says of interrupts.
    fn planned(&self, irq: &str) -> Vec<String> {
        let output = self.kubewright(&["plan"], irq, &[]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let about =
            |line: &&str| ["interrupts of", "card ", "irqbalance", "attribute"].iter().any(|word| line.contains(word));
        text.lines().filter(about).map(str::to_owned).collect()
    }

    fn reboot(&self) {
        let before = self.on("cat /proc/sys/kernel/random/boot_id");
        assert!(script(&["reboot", self.place()]).status().unwrap().success());
        assert_ne!(self.on("cat /proc/sys/kernel/random/boot_id"), before);
    }

    /// CPUs of a card's interrupts, by what the driver calls them: read from the kernel, not from us.
    fn affinity(&self, card: &str) -> BTreeMap<String, String> {
        let text = self.on(&format!(
            "for number in $(ls /sys/class/net/{card}/device/../msi_irqs); do
                 awk -v number=$number: '$1 == number {{ printf \"%s \", $NF }}' /proc/interrupts
                 cat /proc/irq/$number/smp_affinity_list
             done"
        ));
        let line = |line: &str| line.split_once(' ').map(|(name, cpus)| (name.to_owned(), cpus.to_owned()));
        text.lines().filter_map(line).filter(|(name, _)| !name.ends_with("config")).collect()
    }

    /// What all files of one kind hold, by queue.
    fn queues(&self, card: &str, files: &str) -> Vec<String> {
        let text = self.on(&format!("cat /sys/class/net/{card}/queues/{files}"));
        text.lines().map(|mask| mask.trim_start_matches('0').to_owned()).collect()
    }

    /// Four queues on two CPUs, one after the other.
    fn is_spread(&self, card: &str) -> bool {
        let affinity = self.affinity(card);
        let wanted = |name: &str, cpus: &str| {
            let queue: usize = name.rsplit('.').next().unwrap().parse().unwrap();
            cpus == (queue % 2).to_string()
        };
        affinity.len() == 8
            && affinity.iter().all(|(name, cpus)| wanted(name, cpus))
            && self.queues(card, "tx-*/xps_cpus") == ["1", "2", "1", "2"]
            && self.queues(card, "rx-*/rps_cpus") == ["", "", "", ""]
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let stopped = script(&["stop", self.place()]).status();
        println!("stopped: {stopped:?}");
    }
}

fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/irq-host.sh"));
    command.args(arguments);
    command
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn interrupts_are_spread_and_stay_so() {
    let wanted = |name| std::env::var_os(name).map(PathBuf::from);
    let (Some(binary), Some(image)) = (wanted("KUBEWRIGHT_BIN"), wanted("KUBEWRIGHT_IMAGE")) else {
        println!("skipped: scripts/lab-suite.sh runs it");
        return;
    };
    if std::env::var("KUBEWRIGHT_LAB_SUITE").as_deref() == Ok("soak") {
        println!("skipped: it is a part of the other suite");
        return;
    }
    let host = Host::start(binary, image);
    let card = host.on("ip -o -4 addr show to 10.77.0.2 | awk '{print $2}'");
    assert!(!host.is_spread(&card));

    // One queue for two CPUs: the other one shares the work.
    host.prepare("{queues: 1}");
    assert_eq!(host.queues(&card, "rx-*/rps_cpus"), ["2"]);
    assert_eq!(host.queues(&card, "rx-*/rps_flow_cnt"), ["32768"]);
    assert_eq!(host.on("cat /proc/sys/net/core/rps_sock_flow_entries"), "32768");
    assert_eq!(host.affinity(&card)["virtio0-input.0"], "0");
    assert_eq!(host.planned("{queues: 1}"), Vec::<String>::new());

    // More queues than CPUs.
    let four = "{queues: 4, rings: 128}";
    let planned = host.planned(four).join("\n");
    assert!(planned.contains("queues 1 → 4") && planned.contains("receive ring 256 → 128"), "{planned}");
    host.prepare(four);
    assert!(host.is_spread(&card), "{:?}", host.affinity(&card));
    assert_eq!(host.planned(four), Vec::<String>::new());
    let table = host.on("/var/lib/kubewright/bin/kubewright host irq");
    println!("{table}");
    assert_eq!(table.lines().count(), 9, "{table}");
    assert!(!table.contains('→'), "{table}");

    // irqbalance looks every ten seconds, and has other interrupts to work on.
    assert_eq!(host.on("systemctl is-active irqbalance"), "active");
    std::thread::sleep(Duration::from_secs(25));
    assert!(host.is_spread(&card), "{:?}", host.affinity(&card));

    // A card that comes later.
    assert!(script(&["plug", host.place()]).status().unwrap().success());
    let second = host.on("ip -o -4 addr show to 10.77.1.2 | awk '{print $2}'");
    eventually("the second card is spread", || host.is_spread(&second));
    assert!(host.is_spread(&card));

    host.reboot();
    eventually("both cards are spread after a power cut", || host.is_spread(&card) && host.is_spread(&second));
    assert_eq!(host.on("cat /sys/kernel/mm/transparent_hugepage/enabled"), "always [madvise] never");
    assert_eq!(host.planned(four), Vec::<String>::new());
}
