//! From one cluster image to the next, with somebody watching who must not notice.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{API_NAME, DNS_PORT, Ran, World, eventually};

const HOSTS: [&str; 5] = ["m1", "m2", "m3", "n1", "n2"];

/// The cluster image that the variable names, as a reference.
pub(crate) fn image(variable: &str) -> String {
    let path = PathBuf::from(std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set")));
    format!("oci:{}", path.display())
}

fn upgrade(world: &World, image: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    world.run_verb_with("upgrade", &[&["--image", image, "--yes"], arguments].concat(), environment)
}

fn rollback(world: &World) -> Ran {
    world.run_verb("upgrade", &["--rollback", "--yes"])
}

/// What every host runs, in a form that can be compared: programs of units, images of static pods, kubelet versions.
fn versions(world: &World) -> String {
    let units = "grep -ho '/opt/kubewright/[a-z-]*/[^/]*/bin/[a-z]*' /etc/systemd/system/etcd.service \
                 /etc/systemd/system/containerd.service /etc/systemd/system/kubelet.service 2>/dev/null; \
                 grep -h ' image:' /etc/kubernetes/manifests/*.yaml; true";
    let mut text = String::new();
    for host in HOSTS {
        text.push_str(&format!("{host}\n{}", world.on(host, units).exits(0).stdout));
    }
    text
}

#[track_caller]
pub(crate) fn nodes_are_well(world: &World, kubelet: &str) {
    let nodes: Value = serde_json::from_str(&world.kubectl(&["get", "nodes", "-o", "json"])).unwrap();
    for node in nodes["items"].as_array().unwrap() {
        let name = &node["metadata"]["name"];
        assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], kubelet, "{name}");
        assert_ne!(node["spec"]["unschedulable"], true, "{name} is still cordoned");
        let ready = node["status"]["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True");
        assert!(ready, "{name} is not Ready");
    }
}

/// A deployment with a disruption budget, and the address of its service.
fn workload(world: &World) -> String {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/workload.yaml");
    world.kubectl(&["apply", "-f", manifest]);
    world.kubectl(&["rollout", "status", "deployment/web", "--timeout=240s"]);
    world.kubectl(&["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"])
}

/// What a client noticed, without its list of moments.
pub(crate) fn summary(report: &Value) -> String {
    let of = |target: &str| {
        let result = &report[target]["result"];
        let number = |key: &str| result[key].to_string();
        format!(
            "{target}: {} requests, {} failed, {} connects tried again, p50 {} ms, p99 {} ms, longest {} ms, longest gap {} ms",
            number("requests"),
            number("failures"),
            number("connect_retries"),
            number("p50_ms"),
            number("p99_ms"),
            number("max_ms"),
            number("longest_gap_ms")
        )
    };
    format!("{}; {}", of("api"), of("service"))
}

/// etcd, containerd, runc and Kubernetes change under a workload, and two clients.
pub(crate) fn an_upgrade_goes_unnoticed(world: &World) {
    let next = image("KUBEWRIGHT_IMAGE_NEXT");
    // An install of another version refuses, and says what to do.
    let inventory = world.inventory_with("next.yaml", &world.image().display().to_string(), &next["oci:".len()..]);
    let refused = world.run_verb_on(&inventory, "install", &[]).exits(1);
    assert!(refused.stderr.contains("kubewright upgrade"), "{}", refused.stderr);

    let plan = world.run_verb("upgrade", &["--image", &next, "--plan"]).exits(2);
    println!("{}", plan.stdout);
    for words in
        ["etcd", "3.4.23", "3.5.16", "containerd", "1.6.20", "1.7.24", "v1.20.2+deb12u1", "each emptied before"]
    {
        assert!(plan.stdout.contains(words), "{words} is not in\n{}", plan.stdout);
    }

    let service = workload(world);
    // On a worker: a master of the lab has one processor, which its API server needs.
    let prober = world.prober("n1", &service);
    let dns = dns_at(world, "n1");
    let ran = upgrade(world, &next, &[], &[]);
    let report = prober.stop();
    let ran = ran.exits(0);
    println!("{}upgraded in {:.1} s\n{}", ran.stderr, ran.took.as_secs_f64(), summary(&report));
    nodes_are_well(world, "v1.20.2+deb12u1");
    assert!(world.run_verb_on(&inventory, "plan", &[]).exits(0).stdout.contains("No changes"));
    let again = upgrade(world, &next, &[], &[]).exits(0);
    assert!(again.stdout.contains("0 changed"), "{}", again.stdout);
    assert_eq!(report["service"]["result"]["failures"], 0, "{report}");
    let rate = report["api"]["result"]["success_rate"].as_f64().unwrap();
    assert!(rate >= 0.999, "{report}");
    // A pod on every node has searched for the API's short name and found it.
    let resolved = report["dns"][API_NAME].as_u64().unwrap_or(0);
    println!("{API_NAME} was asked for {resolved} times");
    assert!(resolved >= 5, "{report}");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/workload.yaml");
    let both = ["-f", manifest, "-f", dns.to_str().unwrap()];
    // Endpoints go with their service.
    world.kubectl(&[&["delete", "--wait=false", "--ignore-not-found"], &both[..]].concat());
}

/// A cluster DNS that the prober on `host` is; the file that it was made from.
fn dns_at(world: &World, host: &str) -> PathBuf {
    let address = world.address(host);
    let objects = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 53, "targetPort": DNS_PORT, "protocol": "UDP"}]}},
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "subsets": [{"addresses": [{"ip": address}], "ports": [{"port": DNS_PORT, "protocol": "UDP"}]}]}]});
    let file = world.file("dns.json", &objects.to_string());
    world.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    file
}

pub(crate) fn there_is_no_way_back_over_a_minor_of_etcd(world: &World) {
    // All members have moved to the next minor: only a restore would do.
    let refused = rollback(world).exits(1);
    assert!(refused.stderr.contains("etcd") && refused.stderr.contains("snapshot"), "{}", refused.stderr);
}

pub(crate) fn install_for_upgrades(world: &World) {
    world.run_verb("install", &[]).exits(0);
    world.fetch_kubeconfig();
}

/// From the patched image to one of which a component does not come up: that alone differs, so that a way back is open.
fn sabotaged(world: &World, variable: &str, words: &[&str]) {
    let before = versions(world);
    let ran = upgrade(world, &image(variable), &[], &[]).exits(1);
    println!("{variable}: stopped and put back in {:.1} s\n{}", ran.took.as_secs_f64(), ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?} is not in:\n{}", ran.stderr);
    }
    let reason = ran.stderr.rsplit("error: ").next().unwrap();
    assert!(reason.lines().count() <= 40, "the reason does not fit on a screen:\n{reason}");
    let status = || world.run_verb("status", &["-o", "json"]).json();
    eventually("all hosts are well again", Duration::from_secs(120), || {
        status()["hosts"].as_array().unwrap().iter().all(|host| {
            host["apiserver"].as_str().is_none_or(|state| state == "ready")
                && host["etcd"].as_str().is_none_or(|state| state == "leader" || state == "follower")
                && host["kubelet"].as_str().is_none_or(|state| state == "healthy")
        })
    });
    rollback(world).exits(0);
    assert_eq!(versions(world), before, "not what it was");
    nodes_are_well(world, "v1.20.2+deb12u1");
}

pub(crate) fn a_broken_etcd_is_put_back(world: &World) {
    sabotaged(world, "KUBEWRIGHT_IMAGE_BROKEN_ETCD", &["etcd", "is back on what it ran before", "invalid downgrade"]);
}

pub(crate) fn a_broken_api_server_is_put_back(world: &World) {
    sabotaged(world, "KUBEWRIGHT_IMAGE_BROKEN_APISERVER", &["is back on what it ran before", "sabotaged"]);
}

pub(crate) fn a_broken_kubelet_is_put_back(world: &World) {
    sabotaged(world, "KUBEWRIGHT_IMAGE_BROKEN_KUBELET", &["is back on what it ran before", "kubelet"]);
}

/// The cluster's own objects are the last that an upgrade changes, and come back as well.
pub(crate) fn a_broken_kube_proxy_is_rolled_back(world: &World) {
    let proxy = || {
        let image = "jsonpath={.spec.template.spec.containers[0].image} {.spec.template.metadata.annotations}";
        world.kubectl(&["-n", "kube-system", "get", "daemonset", "kube-proxy", "-o", image])
    };
    let before = (versions(world), proxy());
    let broken = image("KUBEWRIGHT_IMAGE_BROKEN_PROXY");
    let ran = upgrade(world, &broken, &[], &[("KUBEWRIGHT_KILL_AT", "objects:done")]);
    assert_eq!(ran.code, 137, "{}", ran.stderr);
    assert!(proxy().contains("broken"), "{}", proxy());
    let ran = rollback(world).exits(0);
    println!("kube-proxy rolled back in {:.1} s\n{}", ran.took.as_secs_f64(), ran.stderr);
    assert_eq!((versions(world), proxy()), before, "not what it was");
    nodes_are_well(world, "v1.20.2+deb12u1");
    let again = rollback(world).exits(1);
    assert!(again.stderr.contains("nothing to return to"), "{}", again.stderr);
}

/// Where an upgrade is ended as `kill -9` would, in the order in which it passes them.
const BOUNDARIES: &[&str] = &[
    "surveyed",
    "keep:done",
    "backup:done",
    "distribute:blob",
    "prepare:start",
    "prepare:converged",
    "etcd:start",
    "etcd:converged",
    "control-plane:start",
    "control-plane:converged",
    "controllers:converged",
    "access:done",
    "masters:start",
    "masters:converged",
    "workers:start",
    "workers:converged",
    "objects:done",
    "nodes:done",
];

/// One upgrade, killed at every boundary in turn; each next run goes on from there.
pub(crate) fn killed_at_every_boundary_it_ends_upgraded(world: &World) {
    let next = image("KUBEWRIGHT_IMAGE_NEXT");
    for boundary in BOUNDARIES {
        let ran = upgrade(world, &next, &[], &[("KUBEWRIGHT_KILL_AT", boundary)]);
        assert_eq!(ran.code, 137, "{boundary} was not passed:\n{}", ran.stderr);
        println!("killed at {boundary} after {:.1} s", ran.took.as_secs_f64());
    }
    let ran = upgrade(world, &next, &[], &[]).exits(0);
    println!("ended in {:.1} s", ran.took.as_secs_f64());
    nodes_are_well(world, "v1.20.2+deb12u1");
    assert!(upgrade(world, &next, &[], &[]).exits(0).stdout.contains("0 changed"));
    only_what_differs_is_sent(world);
}

/// An image of which one component is another one costs that component, and only on the hosts that have it.
fn only_what_differs_is_sent(world: &World) {
    let other = image("KUBEWRIGHT_IMAGE_BROKEN_APISERVER");
    let inspected = world.kubewright(&["image", "inspect", &other, "-o", "json"]).exits(0).json();
    let components = inspected["image"]["components"].as_array().unwrap();
    let api_server = components.iter().find(|component| component["name"] == "kube-apiserver").unwrap();
    let ran = world.run_verb("upgrade", &["--image", &other, "--plan", "-o", "json"]).exits(2);
    let preview = ran.stdout.lines().find(|line| line.starts_with("{\"preview\"")).unwrap();
    let preview: Value = serde_json::from_str(preview).unwrap();
    println!("one component differs: {} bytes for three masters", preview["preview"]["bytes"]);
    assert_eq!(preview["preview"]["bytes"].as_u64(), api_server["blob"]["size"].as_u64().map(|size| 3 * size));
}

/// The host that is being upgraded loses its power: the run names it and ends, and the next one ends upgraded.
pub(crate) fn a_power_cut_in_the_middle_is_gone_on_with(world: &World) {
    let next = image("KUBEWRIGHT_IMAGE_NEXT");
    for stage in ["etcd", "control-plane", "workers"] {
        let (host, said) = power_cut_during(world, &next, stage);
        println!("{}", said.lines().filter(|line| line.contains("rror: ")).collect::<Vec<_>>().join("\n"));
        assert!(said.contains(&format!("error: {host}: ")), "{said}");
        world.lab(&["start", &host], &[]).exits(0);
        eventually("the host is back", Duration::from_secs(180), || world.on(&host, "true").code == 0);
    }
    let ran = upgrade(world, &next, &[], &[]).exits(0);
    println!("ended in {:.1} s", ran.took.as_secs_f64());
    nodes_are_well(world, "v1.20.2+deb12u1");
    assert!(upgrade(world, &next, &[], &[]).exits(0).stdout.contains("0 changed"));
}

/// Upgrades until the first host's turn in `stage` comes, and cuts that host's power then. The host, and what the run said.
fn power_cut_during(world: &World, image: &str, stage: &str) -> (String, String) {
    let began = Instant::now();
    let mut run = world.verb_command("upgrade", &["--image", image, "--yes"], &[]);
    let mut run = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut said, mut host) = (String::new(), None);
    for line in BufReader::new(run.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        let turn = line.trim_start().strip_prefix(stage).and_then(|rest| rest.strip_prefix(" 1/"));
        if let (None, Some((_, name))) = (&host, turn.and_then(|rest| rest.split_once(": "))) {
            // It is in the middle of being changed.
            std::thread::sleep(Duration::from_secs(1));
            world.lab(&["kill", name], &[]).exits(0);
            println!("{stage}: {name} lost its power after {:.1} s", began.elapsed().as_secs_f64());
            host = Some((name.to_owned(), Instant::now()));
        }
        said.push_str(&line);
        said.push('\n');
    }
    assert_eq!(run.wait().unwrap().code(), Some(1), "{said}");
    let (host, cut) = host.unwrap_or_else(|| panic!("no turn of {stage}:\n{said}"));
    println!("told {:.1} s later", cut.elapsed().as_secs_f64());
    (host, said)
}

/// Kubernetes 1.21 is a stamp on the same source here: what is walked is the way, not another Kubernetes.
pub(crate) fn a_minor_upgrade_pauses_for_a_canary(world: &World) {
    let minor = image("KUBEWRIGHT_IMAGE_MINOR");
    let kubelet =
        |node: &str| world.kubectl(&["get", "node", node, "-o", "jsonpath={.status.nodeInfo.kubeletVersion}"]);
    let before = kubelet("n1");
    let ran = upgrade(world, &minor, &["--canary", "n2"], &[]).exits(0);
    assert!(ran.stdout.contains("paused"), "{}", ran.stdout);
    assert_eq!((kubelet("n2"), kubelet("n1")), ("v1.21.0".to_owned(), before));
    println!("to the canary in {:.1} s", ran.took.as_secs_f64());
    let ran = upgrade(world, &minor, &[], &[]).exits(0);
    println!("to the next minor in {:.1} s more", ran.took.as_secs_f64());
    nodes_are_well(world, "v1.21.0");
    let back = rollback(world).exits(1);
    assert!(back.stderr.contains("API servers cannot go back from v1.21.0"), "{}", back.stderr);
    let down = upgrade(world, &image("KUBEWRIGHT_IMAGE_NEXT"), &[], &[]).exits(1);
    assert!(down.stderr.contains("downgrade"), "{}", down.stderr);
}
