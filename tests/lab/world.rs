//! The lab, and the program under test run as a person would run it.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The name of the API within a cluster.
pub(crate) const API_NAME: &str = "kubernetes.default.svc.cluster.local";
/// Where the prober answers for it.
pub(crate) const DNS_PORT: u16 = 5353;

pub(crate) struct World {
    binary: PathBuf,
    image: PathBuf,
    name: String,
    state: tempfile::TempDir,
    pub(crate) inventory: PathBuf,
}

/// A lab of one scenario: gone with it, however it ends.
pub(crate) struct Beside(World);

impl std::ops::Deref for Beside {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let down = self.0.lab(&["down"], &[]);
        println!("lab {}: down: {}", self.0.name, down.stderr.trim_end());
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// Fails with all output unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as one JSON document, or its last line as one.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let last = self.stdout.lines().next_back().unwrap_or_default();
        let whole = serde_json::from_str(&self.stdout).or_else(|_| serde_json::from_str(last));
        whole.unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A program on a host that asks until it is stopped.
pub(crate) struct Prober(std::process::Child);

impl Prober {
    /// Stops it; what it has seen.
    pub(crate) fn stop(mut self) -> Value {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl World {
    /// Boots three masters and two workers, or takes the lab that `KUBEWRIGHT_LAB_NAME` names.
    pub(crate) fn up() -> Self {
        let path = |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set")));
        let name = std::env::var("KUBEWRIGHT_LAB_NAME").unwrap_or_else(|_| format!("t{}", std::process::id()));
        let (binary, image) = (path("KUBEWRIGHT_BIN"), path("KUBEWRIGHT_IMAGE"));
        Self::boot(binary, image, name, &["--masters", "3", "--workers", "2"])
    }

    /// Another lab with the same program and image, for a scenario that needs hosts of its own; it ends with that.
    pub(crate) fn beside(&self, suffix: &str, arguments: &[&str]) -> Beside {
        Beside(Self::boot(self.binary.clone(), self.image.clone(), format!("{}{suffix}", self.name), arguments))
    }

    fn boot(binary: PathBuf, image: PathBuf, name: String, arguments: &[&str]) -> Self {
        let mut world = Self { binary, image, name, state: tempfile::tempdir().unwrap(), inventory: PathBuf::new() };
        let image = format!("oci:{}", world.image.display());
        let up = ["lab", "up", "--name", &world.name, "--image", &image];
        let up = world.kubewright(&[&up, arguments].concat()).exits(0);
        println!("lab {}: up in {:.1} s", world.name, up.took.as_secs_f64());
        let status = world.lab(&["status"], &["-o", "json"]).exits(0).json();
        world.inventory = PathBuf::from(status["inventory"].as_str().unwrap());
        world
    }

    pub(crate) fn down(self) {
        self.lab(&["down"], &[]).exits(0);
    }

    /// Runs the program outside the lab's network.
    pub(crate) fn kubewright(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        self.run(command)
    }

    /// `kubewright lab VERB --name NAME ARGUMENTS`.
    pub(crate) fn lab(&self, verb: &[&str], arguments: &[&str]) -> Ran {
        self.run(self.lab_command(verb, arguments))
    }

    fn lab_command(&self, verb: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("lab").args(verb).args(["--name", &self.name]).args(arguments);
        command
    }

    /// Runs a command inside the lab's network.
    pub(crate) fn exec(&self, command: &[&str]) -> Ran {
        self.lab(&["exec"], &[&["--"], command].concat())
    }

    /// The command behind [`World::exec`], for what goes on beside the scenario.
    pub(crate) fn exec_command(&self, command: &[&str]) -> Command {
        self.lab_command(&["exec"], &[&["--"], command].concat())
    }

    /// This machine's address on the hosts' network.
    pub(crate) fn gateway(&self) -> &'static str {
        "10.99.0.1"
    }

    /// What a machine knows that has never seen the cluster.
    pub(crate) fn forget_keys(&self) {
        std::fs::remove_dir_all(self.state.path()).unwrap();
        std::fs::create_dir(self.state.path()).unwrap();
    }

    /// Runs `command` on a host, as root.
    pub(crate) fn on(&self, host: &str, command: &str) -> Ran {
        self.lab(&["ssh", host], &["--", command])
    }

    /// `kubewright VERB -i INVENTORY ARGUMENTS` inside the lab's network.
    pub(crate) fn run_verb(&self, verb: &str, arguments: &[&str]) -> Ran {
        self.run_verb_with(verb, arguments, &[])
    }

    /// [`World::run_verb`] with another inventory.
    pub(crate) fn run_verb_on(&self, inventory: &Path, verb: &str, arguments: &[&str]) -> Ran {
        self.run(self.verb_command_on(inventory, verb, arguments))
    }

    /// The same with environment variables.
    pub(crate) fn run_verb_with(&self, verb: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        self.run(self.verb_command(verb, arguments, environment))
    }

    /// The command behind [`World::run_verb_with`], for those who want to run it beside something else.
    pub(crate) fn verb_command(&self, verb: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = self.verb_command_on(&self.inventory, verb, arguments);
        command.envs(environment.iter().copied());
        command
    }

    fn verb_command_on(&self, inventory: &Path, verb: &str, arguments: &[&str]) -> Command {
        let inventory = inventory.display().to_string();
        let verb: Vec<&str> = verb.split(' ').collect();
        let words = [&["--", "kubewright"], &verb[..], &["-i", &inventory], arguments].concat();
        let mut command = self.lab_command(&["exec"], &words);
        command.env("KUBEWRIGHT_STATE_DIR", self.state.path());
        command
    }

    /// kubectl with the administrator's kubeconfig, inside the lab's network.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.exec(&[&["kubectl"], arguments].concat()).exits(0).stdout
    }

    /// Writes the administrator's kubeconfig where [`World::kubectl`] looks for it.
    pub(crate) fn fetch_kubeconfig(&self) {
        let status = self.lab(&["status"], &["-o", "json"]).exits(0).json();
        self.run_verb("kubeconfig", &["--to", status["kubeconfig"].as_str().unwrap()]).exits(0);
    }

    /// Puts a kubectl on a host that has none: kubewright gives it to masters only.
    pub(crate) fn copy_kubectl_to(&self, host: &str) {
        let kubectl = self.exec(&["sh", "-c", "command -v kubectl"]).exits(0).stdout;
        let mut command = self.lab_command(&["ssh", host], &["--", "test -x /root/kubectl || { cat >/root/kubectl.new && chmod 755 /root/kubectl.new && sync /root/kubectl.new && mv /root/kubectl.new /root/kubectl; }"]);
        command.stdin(std::fs::File::open(kubectl.trim()).unwrap());
        assert!(command.output().unwrap().status.success());
    }

    /// Asks the API through `host`'s own endpoint and the service at `address` ten times a second, from that host, where
    /// it answers for the API's own name as well.
    pub(crate) fn prober(&self, host: &str, address: &str) -> Prober {
        let program = std::env::var_os("KUBEWRIGHT_PROBER").unwrap_or_else(|| panic!("KUBEWRIGHT_PROBER is not set"));
        let put = "cat >/root/prober.new && chmod 755 /root/prober.new && mv /root/prober.new /root/prober";
        let mut command = self.lab_command(&["ssh", host], &["--", put]);
        command.stdin(std::fs::File::open(program).unwrap());
        assert!(command.output().unwrap().status.success());
        let config = if host.starts_with('m') { "admin.conf" } else { "kubelet.conf" };
        let path = if host.starts_with('m') {
            "/api/v1/namespaces/default".to_owned()
        } else {
            format!("/api/v1/nodes/{host}")
        };
        let ask = format!(
            "/root/prober --kubeconfig /etc/kubernetes/{config} --api-path {path} --service http://{address}/ \
             --dns {API_NAME}=10.96.0.1 --dns-at {}:{DNS_PORT}",
            self.address(host)
        );
        let mut command = self.lab_command(&["ssh", host], &["--", &ask]);
        Prober(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap())
    }

    /// The cluster's name, which is the lab's.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The version of m1's kubelet.
    pub(crate) fn kubelet_version(&self) -> String {
        self.kubectl(&["get", "node", "m1", "-o", "jsonpath={.status.nodeInfo.kubeletVersion}"])
    }

    /// Where a node is reached.
    pub(crate) fn address(&self, host: &str) -> String {
        let internal = r#"jsonpath={.status.addresses[?(@.type=="InternalIP")].address}"#;
        self.kubectl(&["get", "node", host, "-o", internal])
    }

    pub(crate) fn inventory(&self) -> &Path {
        &self.inventory
    }

    /// Where a host is reached, whether it is a node or not.
    pub(crate) fn address_of(&self, host: &str) -> String {
        let status = self.lab(&["status"], &["-o", "json"]).exits(0).json();
        let hosts = status["hosts"].as_array().unwrap();
        let host = hosts.iter().find(|one| one["name"] == host).unwrap();
        host["address"].as_str().unwrap().to_owned()
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    pub(crate) fn image(&self) -> &Path {
        &self.image
    }

    /// The inventory with a text replaced, in a file beside it.
    pub(crate) fn inventory_with(&self, name: &str, from: &str, to: &str) -> PathBuf {
        let text = std::fs::read_to_string(&self.inventory).unwrap();
        assert!(text.contains(from), "the inventory has no {from:?}:\n{text}");
        self.file(name, &text.replace(from, to))
    }

    /// A file beside the inventory.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.inventory.with_file_name(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, mut command: Command) -> Ran {
        let began = Instant::now();
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
        Ran {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            took: began.elapsed(),
        }
    }
}

/// Looks until `condition` holds; the deadline is a bound on the test, not a measurement.
#[track_caller]
pub(crate) fn eventually(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(300));
    }
    began.elapsed()
}
