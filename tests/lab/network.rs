//! The network between pods, tried and changed; add-ons; labels of others beside ours.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::semantics;
use crate::world::{World, eventually};

/// How the lab's inventory says in which mode kube-proxy is.
const IPVS: &str = "proxy: {mode: ipvs}";

fn tried(report: &Value) -> Vec<(&str, Option<&str>, bool)> {
    let one = |tried: &'_ Value| -> bool { tried["broken"].is_null() };
    let list = report["tried"].as_array().unwrap();
    list.iter().map(|way| (way["from"].as_str().unwrap(), way["to"].as_str(), one(way))).collect()
}

/// A node without its cable is its row and its column, and nothing else is broken.
pub(crate) fn a_cut_node_is_its_row_and_its_column(world: &World) {
    routes_come_back(world);
    let whole = world.run_verb("check network", &[]).exits(0);
    assert!(whole.stdout.contains("ways work"), "{}", whole.stdout);
    world.lab(&["cut", "n2"], &[]).exits(0);
    let shown = world.run_verb("check network", &[]);
    let report = world.run_verb("check network", &["-o", "json"]);
    world.lab(&["heal", "n2"], &[]).exits(0);
    println!("{}", shown.exits(1).stdout);
    let report: Value = serde_json::from_str(report.exits(1).stdout.lines().last().unwrap()).unwrap();
    for (from, to, works) in tried(&report) {
        let of_n2 = from == "n2" || to == Some("n2");
        assert!(works != of_n2, "{from} → {to:?}: {works}");
    }
    let rows: BTreeSet<&str> = tried(&report).iter().map(|(from, ..)| *from).collect();
    assert_eq!(rows.len(), 5);
    let left = world.kubectl(&["get", "daemonsets,services", "-n", "kube-system", "-o", "name"]);
    assert!(!left.contains("kubewright-check"), "{left}");
    eventually("n2 is back", Duration::from_secs(120), || {
        world.kubectl(&["get", "node", "n2", "-o", "jsonpath={.status.conditions[-1].status}"]) == "True"
    });
}

/// Whoever configures the interfaces of a host takes routes away that it does not know.
fn routes_come_back(world: &World) {
    let routes = || world.on("n2", "ip route show | grep -c ' via 10.99.0.[15]'").stdout.trim().to_owned();
    let before = routes();
    for loss in ["systemctl restart systemd-networkd", "ip route flush proto boot; ip route show"] {
        let left = world.on("n2", &format!("{loss}; sleep 1; ip route show | grep -c ' via 10.99.0.[15]'")).stdout;
        println!("{loss}: {} of {before} routes left", left.lines().last().unwrap_or_default());
        eventually("routes to the other nodes are back", Duration::from_secs(20), || routes() == before);
    }
}

/// An add-on is planned, applied, changed and removed; a label of ours goes with the inventory, others' stay.
pub(crate) fn addons_and_labels_follow_the_inventory(world: &World) {
    world.file(
        "addon.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\ndata: {cluster: \"{{ cluster.name }}\"}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {name: second}\n---\n\
         apiVersion: v1\nkind: Namespace\nmetadata: {name: addon-data}\n",
    );
    let (from, to) = (
        "  hosts:\n",
        "  labels: {example.com/tier: gold}\n  addons: [{name: demo, path: addon.yaml, \
                                     template: true}]\n  hosts:\n",
    );
    let inventory = world.inventory_with("addons.yaml", from, to);
    let plan = world.run_verb_on(&inventory, "plan", &[]).exits(2).stdout;
    assert!(plan.contains("create ConfigMap default/first") && plan.contains("example.com/tier"), "{plan}");
    world.run_verb_on(&inventory, "install", &[]).exits(0);
    world.run_verb_on(&inventory, "plan", &[]).exits(0);
    let cluster = world.kubectl(&["get", "configmap", "first", "-o", "jsonpath={.data.cluster}"]);
    assert_eq!(cluster, world.name());

    world.kubectl(&["label", "node", "n1", "example.com/theirs=1", "--overwrite"]);
    world.file("addon.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\n");
    let plan = world.run_verb_on(&inventory, "plan", &[]).exits(2).stdout;
    assert!(plan.contains("remove ConfigMap default/second") && !plan.contains("remove Namespace"), "{plan}");
    let told = world.run_verb_on(&inventory, "install", &[]).exits(0).stderr;
    assert!(told.contains("Namespace addon-data") && told.contains("--prune everything"), "{told}");
    let left = world.kubectl(&["get", "configmaps,namespaces", "-o", "name"]);
    assert!(left.contains("first") && !left.contains("second") && left.contains("addon-data"), "{left}");

    // Neither the add-on nor the label any more.
    world.run_verb("install", &["--prune", "everything"]).exits(0);
    let left = world.kubectl(&["get", "configmaps", "-o", "name"]);
    assert!(!left.contains("first"), "{left}");
    let labels = world.kubectl(&["get", "node", "n1", "-o", "jsonpath={.metadata.labels}"]);
    assert!(labels.contains("example.com/theirs") && !labels.contains("example.com/tier"), "{labels}");
    world.kubectl(&["label", "node", "n1", "example.com/theirs-"]);
    world.run_verb("plan", &[]).exits(0);
}

/// A node that cannot be emptied is told before the first one is: the cluster must not stop half-way.
fn a_pod_of_nobody_is_found_first(world: &World, inventory: &Path) {
    let image = world.kubectl(&["get", "pods", "-A", "-o", "jsonpath={.items[0].spec.containers[0].image}"]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"},
        "spec": {"nodeName": "n1", "containers": [{"name": "a", "image": image, "command": ["sleep", "1000"]}]}});
    let file = world.file("bare.yaml", &pod.to_string());
    world.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let refused = world.run_verb_on(inventory, "install", &[]).exits(1).stderr;
    world.kubectl(&["delete", "pod", "bare", "--grace-period=0", "--force"]);
    assert!(refused.contains("nothing was changed") && refused.contains("default/bare"), "{refused}");
    assert!(kernel(world, "m1").contains("kube-ipvs0"), "m1 was changed");
}

/// To iptables and back while clients ask: each node is emptied, Services keep their word, and nothing of the other mode
/// is left in a node's kernel.
pub(crate) fn kube_proxy_changes_its_mode(world: &World) {
    let service = semantics::services(world);
    semantics::services_keep_their_word(world, "ipvs");
    // On a master, whose own kube-proxy changes as well while it asks.
    let prober = world.prober("m2", &service);
    let other = "proxy: {mode: iptables}, untracked: [{cidr: 203.0.113.0/24, port: 443}]";
    let iptables = world.inventory_with("iptables.yaml", IPVS, other);
    let plan = world.run_verb_on(&iptables, "plan", &[]).exits(2).stdout;
    assert!(plan.contains("mode of kube-proxy: ipvs → iptables"), "{plan}");
    a_pod_of_nobody_is_found_first(world, &iptables);
    let there = world.run_verb_on(&iptables, "install", &[]).exits(0);
    let report = prober.stop();
    println!("to iptables: {:.1} s; {}", there.took.as_secs_f64(), crate::upgrade::summary(&report));
    let noticed = &report["service"]["result"];
    let (asked, failed) = (noticed["requests"].as_u64().unwrap(), noticed["failures"].as_u64().unwrap());
    assert!(asked > 50 && failed * 20 < asked, "{report}");
    semantics::services_keep_their_word(world, "iptables");
    for host in ["m1", "n1"] {
        let left = kernel(world, host);
        assert!(left.contains("KUBE-SVC-"), "{host}: {left}");
        for way in ["-d 203.0.113.0/24 -p tcp -m tcp --dport 443", "-s 203.0.113.0/24 ! -d 10."] {
            assert!(left.contains(way) && left.contains("-j CT --notrack"), "{host}: {way}: {left}");
        }
        for gone in ["kube-ipvs0", "KUBE-LOAD-BALANCER", "KUBE-CLUSTER-IP", "-A -t"] {
            assert!(!left.contains(gone), "{host} still has {gone}: {left}");
        }
    }
    world.run_verb_on(&iptables, "plan", &[]).exits(0);
    world.run_verb_on(&iptables, "check network", &[]).exits(0);
    let back = world.run_verb("install", &[]).exits(0);
    println!("back to ipvs: {:.1} s", back.took.as_secs_f64());
    semantics::services_keep_their_word(world, "ipvs again");
    semantics::remove(world);
    for host in ["m1", "n1"] {
        let left = kernel(world, host);
        assert!(left.contains("kube-ipvs0") && left.contains("-A -t"), "{host}: {left}");
        for gone in ["KUBE-SVC-", "KUBE-SEP-", "KUBEWRIGHT-UNTRACKED"] {
            assert!(!left.contains(gone), "{host} still has {gone}: {left}");
        }
    }
    world.run_verb("plan", &[]).exits(0);
    let cordoned = world.kubectl(&["get", "nodes", "-o", "jsonpath={.items[*].spec.unschedulable}"]);
    assert!(cordoned.trim().is_empty(), "a node is still cordoned");
}

/// Links, chains, sets and virtual servers.
fn kernel(world: &World, host: &str) -> String {
    let look =
        "PATH=$PATH:$(echo /opt/kubewright/host-tools/*/bin); ip -br link; iptables-save; ipset list -n; ipvsadm -Sn";
    world.on(host, look).exits(0).stdout
}
