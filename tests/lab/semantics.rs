//! What Services promise, asked of the kernel of real hosts: the same whatever mode kube-proxy is in.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::world::{World, eventually};

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/semantics.yaml");
const POD: &str = "jsonpath={.items[*].metadata.name}";

/// Services before pods that tell who they are; the address of one that any of them answers.
pub(crate) fn services(world: &World) -> String {
    world.kubectl(&["apply", "-f", MANIFEST]);
    world.kubectl(&["rollout", "status", "deployment/who", "--timeout=240s"]);
    world.kubectl(&["rollout", "status", "daemonset/only", "--timeout=240s"]);
    address(world, "any")
}

pub(crate) fn remove(world: &World) {
    world.kubectl(&["delete", "--wait=false", "-f", MANIFEST]);
}

fn address(world: &World, service: &str) -> String {
    world.kubectl(&["get", "service", service, "-o", "jsonpath={.spec.clusterIP}"])
}

/// Who answers `host` at an address, and who that one says has asked.
fn ask(world: &World, host: &str, address: &str, port: u16) -> Option<(String, String)> {
    let ask =
        format!("exec 3<>/dev/tcp/{address}/{port} && printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3");
    let ran = world.on(host, &format!("timeout 10 bash -c {}", quoted(&ask)));
    let line = ran.stdout.lines().find(|line| line.contains("was asked by"))?.trim().to_owned();
    let (who, asked) = line.split_once(" was asked by ")?;
    let asked = asked.trim_matches(['[', ']']).trim_start_matches("::ffff:");
    Some((who.to_owned(), asked.to_owned()))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Asks so often that chance alone would not give all answers from one of four pods.
fn answers(world: &World, host: &str, address: &str, port: u16) -> BTreeSet<String> {
    (0..12).filter_map(|_| ask(world, host, address, port)).map(|(who, _)| who).collect()
}

/// Asks every kind of Service, from hosts and from a pod.
pub(crate) fn services_keep_their_word(world: &World, mode: &str) {
    for host in ["m1", "n1", "n2"] {
        eventually(&format!("{host} has heard of the pods in mode {mode}"), Duration::from_secs(60), || {
            ask(world, host, &address(world, "any"), 80).is_some()
        });
    }
    assert!(answers(world, "m1", &address(world, "any"), 80).len() > 1, "{mode}: one pod answers everything");
    assert_eq!(answers(world, "m1", &address(world, "same"), 80).len(), 1, "{mode}: one client, several pods");

    // Any node's port leads to any pod, also from outside of the cluster's nodes.
    for host in ["m2", "n2"] {
        let of_host = world.address(host);
        assert!(answers(world, "n1", &of_host, 30080).len() > 1, "{mode}: the port of {host}");
    }
    // Only the node that has the pod answers, and the pod sees who has asked.
    let (m1, n1, n2) = (world.address("m1"), world.address("n1"), world.address("n2"));
    let (who, asked) = ask(world, "m1", &n1, 30081).unwrap_or_else(|| panic!("{mode}: n1 does not answer"));
    assert!(who.ends_with("on n1") && asked == m1, "{mode}: {who}, asked by {asked}");
    assert_eq!(ask(world, "m1", &n2, 30081), None, "{mode}: n2 has no such pod");

    // Nobody passes on what goes to a headless Service; its pods are its addresses.
    assert_eq!(address(world, "headless"), "None");
    let endpoints = world.kubectl(&["get", "endpoints", "headless", "-o", "jsonpath={.subsets[*].addresses[*].ip}"]);
    let pods: Vec<&str> = endpoints.split_whitespace().collect();
    assert_eq!(pods.len(), 4, "{endpoints}");
    for pod in &pods {
        assert!(ask(world, "m1", pod, 8080).is_some(), "{mode}: {pod} of the headless Service");
    }
    let rules = "PATH=$PATH:$(echo /opt/kubewright/host-tools/*/bin); iptables-save; ipvsadm -Sn";
    let rules = world.on("m1", rules).exits(0).stdout;
    assert!(!rules.contains("default/headless") && !rules.contains(":8888"), "{rules}");

    // A pod that asks its own Service gets to itself as well.
    let one = world.kubectl(&["get", "pods", "-l", "app=who", "-o", POD]);
    let one = one.split_whitespace().next().unwrap();
    let url = format!("http://{}/cgi-bin/who", address(world, "any"));
    let round = format!("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do /bin/busybox wget -q -O - -T 5 {url} || exit 1; done");
    let ran = world.exec(&["kubectl", "exec", one, "--", "/bin/busybox", "sh", "-c", &round]).exits(0);
    let heard: BTreeSet<&str> =
        ran.stdout.lines().filter_map(|line| line.split_once(" on ")).map(|(pod, _)| pod).collect();
    assert!(heard.len() > 1, "{mode}: {}", ran.stdout);
}
