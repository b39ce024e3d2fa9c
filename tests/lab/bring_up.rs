//! From bare hosts to a cluster, through every interruption, and back.

use std::time::Duration;

use crate::world::World;

/// Where the installer is ended as `kill -9` would, in the order in which an install passes them.
const CHECKPOINTS: &[&str] = &[
    "connected",
    "locked",
    "surveyed",
    "keys-cached",
    "distribute:blob",
    "prepare:start",
    "prepare:converged",
    "etcd:converged",
    "runtime:start",
    "control-plane:converged",
    "objects:done",
    "nodes:start",
];

/// What a shell reports for a process ended by signal 9.
const KILLED: i32 = 137;

pub(crate) fn the_binary_runs_anywhere(world: &World) {
    let ldd = std::process::Command::new("ldd").arg(world.binary()).output().unwrap();
    let said = String::from_utf8_lossy(&ldd.stdout);
    assert!(said.contains("statically linked"), "{said}");
    let size = world.binary().metadata().unwrap().len();
    assert!(size < 30 << 20, "{size} bytes");
}

pub(crate) fn plan_on_bare_hosts_changes_nothing(world: &World) {
    let before = world
        .on("m1", "find /etc /opt /var/lib -newer /proc/1/stat -type f | sort | xargs -r sha256sum")
        .exits(0)
        .stdout;
    let plan = world.run_verb("plan", &[]).exits(2);
    for expected in ["m1\n", "n2\n", "+ file /etc/kubernetes/manifests/kube-apiserver.yaml"] {
        assert!(plan.stdout.contains(expected), "{expected:?} is not in the plan:\n{}", plan.stdout);
    }
    assert!(!plan.stdout.contains("PRIVATE KEY"), "the plan shows a key");
    let after = world
        .on("m1", "find /etc /opt /var/lib -newer /proc/1/stat -type f | sort | xargs -r sha256sum")
        .exits(0)
        .stdout;
    let kept = |text: &str| {
        text.lines().filter(|line| !line.contains("/var/lib/kubewright/bin/")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(kept(&before), kept(&after), "plan left something on the host");
}

pub(crate) fn killed_at_every_checkpoint_it_converges(world: &World) {
    for checkpoint in CHECKPOINTS {
        let ran = world.run_verb_with("install", &[], &[("KUBEWRIGHT_KILL_AT", checkpoint)]);
        assert_eq!(ran.code, KILLED, "{checkpoint} was not passed:\n{}", ran.stderr);
    }
    let ran = world.run_verb("install", &[]).exits(0);
    println!("converged after {} kills, the last run in {:.1} s", CHECKPOINTS.len(), ran.took.as_secs_f64());
    world.fetch_kubeconfig();
}

pub(crate) fn each_checkpoint_on_bare_hosts(world: &World) {
    // Half an hour for all of them: one may be tried alone.
    let only = std::env::var("KUBEWRIGHT_LAB_CHECKPOINTS").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|one| one == name);
    for checkpoint in CHECKPOINTS.iter().filter(|name| wanted(name)) {
        let ran = world.run_verb_with("install", &[], &[("KUBEWRIGHT_KILL_AT", checkpoint)]);
        assert_eq!(ran.code, KILLED, "{checkpoint} was not passed:\n{}", ran.stderr);
        let ran = world.run_verb("install", &[]).exits(0);
        println!("killed at {checkpoint}, converged in {:.1} s", ran.took.as_secs_f64());
        world.fetch_kubeconfig();
        five_nodes_are_ready_and_labelled(world);
        world.run_verb("reset", &["--yes"]).exits(0);
    }
    world.run_verb("install", &[]).exits(0);
    world.fetch_kubeconfig();
}

pub(crate) fn five_nodes_are_ready_and_labelled(world: &World) {
    let nodes: serde_json::Value = serde_json::from_str(&world.kubectl(&["get", "nodes", "-o", "json"])).unwrap();
    let nodes = nodes["items"].as_array().unwrap();
    assert_eq!(nodes.len(), 5);
    for node in nodes {
        let name = node["metadata"]["name"].as_str().unwrap();
        let ready = node["status"]["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True");
        assert!(ready, "{name} is not Ready");
        for label in ["topology.kubernetes.io/zone", "topology.kubewright.dev/idc", "topology.kubewright.dev/rack"] {
            assert!(node["metadata"]["labels"][label].is_string(), "{name} has no label {label}");
        }
    }
    let status = world.run_verb("status", &["-o", "json"]).exits(0).json();
    let leaders = status["hosts"].as_array().unwrap().iter().filter(|host| host["etcd"] == "leader").count();
    assert_eq!(leaders, 1, "{status}");
    let page = world.run_verb("report", &[]).exits(0).stdout;
    assert!(page.contains("distribute") && !page.contains("Not well"), "{page}");
    for host in status["hosts"].as_array().unwrap() {
        assert!(page.contains(&format!("id=\"host-{}\"", host["name"].as_str().unwrap())), "{page}");
    }
}

pub(crate) fn a_second_install_changes_nothing(world: &World) {
    let ran = world.run_verb("install", &[]).exits(0);
    assert!(ran.stdout.starts_with("0 changed"), "{}", ran.stdout);
    println!("no-op install in {:.1} s", ran.took.as_secs_f64());
    world.run_verb("plan", &[]).exits(0);
}

/// Everything that this suite has run so far, a whole install of five hosts among it, at its largest.
pub(crate) fn the_installer_stays_small(_: &World) {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
    let mebibytes = usage.max_rss() >> 10;
    println!("no program of this run took more than {mebibytes} MiB");
    assert!((1..150).contains(&mebibytes), "{mebibytes} MiB");
}

pub(crate) fn keys_survive_an_empty_state_directory(world: &World) {
    let other_machine = tempfile::tempdir().unwrap();
    let directory = other_machine.path().display().to_string();
    let ran = world.run_verb_with("install", &[], &[("KUBEWRIGHT_STATE_DIR", &directory)]).exits(0);
    assert!(ran.stdout.starts_with("0 changed"), "{}", ran.stdout);

    // A different CA in the local cache is refused, and nothing is changed.
    let foreign = tempfile::tempdir().unwrap();
    let name = std::fs::read_dir(other_machine.path()).unwrap().next().unwrap().unwrap().file_name();
    let from = other_machine.path().join(&name).join("pki");
    let to = foreign.path().join(&name).join("pki");
    copy(&from, &to);
    let (certificate, key) = foreign_ca();
    std::fs::write(to.join("ca.crt"), certificate).unwrap();
    std::fs::write(to.join("ca.key"), key).unwrap();
    let directory = foreign.path().display().to_string();
    let ran = world.run_verb_with("install", &[], &[("KUBEWRIGHT_STATE_DIR", &directory)]).exits(1);
    assert!(ran.stderr.contains("ca.crt"), "{}", ran.stderr);
    world.run_verb("plan", &[]).exits(0);
}

fn foreign_ca() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "kubernetes");
    (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}

pub(crate) fn reset_returns_hosts_to_bare(world: &World) {
    let refused = world.run_verb("reset", &[]).exits(64);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    world.run_verb("reset", &["--yes"]).exits(0);
    for host in ["m1", "m2", "m3", "n1", "n2"] {
        let left = world.on(host, "ls -d /etc/kubernetes /etc/etcd /var/lib/etcd /var/lib/kubelet /var/lib/containerd /opt/kubewright /var/lib/kubewright 2>/dev/null; ls /etc/systemd/system | grep -E 'kube|etcd|containerd'; ip -o link | grep -E 'cni0|kube-ipvs0|veth'; grep kubewright /etc/hosts /proc/mounts; true");
        assert_eq!(left.exits(0).stdout, "", "{host} still has something");
    }
    // And bare hosts can be installed again: the plan says so.
    crate::world::eventually("plan on bare hosts", Duration::from_secs(60), || world.run_verb("plan", &[]).code == 2);
}
