//! What people change by hand is named by `plan`, exactly, and mended by `install`.

use crate::world::World;

/// One master after the other, each proven before the next is touched, and the API there all the time.
pub(crate) fn a_change_rolls_through_the_masters(world: &World) {
    let changed =
        "  controlPlane: {extraArgs: {kube-controller-manager: {v: \"3\"}, kube-apiserver: {v: \"1\"}}}\n  hosts:\n";
    let inventory = world.inventory_with("changed.yaml", "  hosts:\n", changed);
    let ran = world.run_verb_on(&inventory, "install", &[]).exits(0);
    println!("two arguments on three masters in {:.1} s", ran.took.as_secs_f64());
    world.run_verb_on(&inventory, "plan", &[]).exits(0);
    for master in ["m1", "m2", "m3"] {
        world.on(master, "grep -q -- --v=3 /etc/kubernetes/manifests/kube-controller-manager.yaml").exits(0);
    }
    world.run_verb("install", &[]).exits(0);
    world.run_verb("plan", &[]).exits(0);
}

pub(crate) fn drift_is_named_and_mended(world: &World) {
    let manifest = "/etc/kubernetes/manifests/kube-scheduler.yaml";
    world.on("m1", "sysctl -w net.ipv4.ip_forward=0").exits(0);
    world.on("m2", &format!("sed -i 's/--leader-elect=true/--leader-elect=false/' {manifest}")).exits(0);
    world.kubectl(&["label", "node", "n1", "topology.kubewright.dev/rack-"]);
    world.on("n2", "systemctl stop kubewright-routes.service").exits(0);

    world.kubectl(&["cordon", "n2"]);

    let status = world.run_verb("status", &["-o", "json"]).exits(1).json();
    let host = |name: &str| status["hosts"].as_array().unwrap().iter().find(|host| host["name"] == name).unwrap();
    assert_eq!(status["api_drift"], 1, "{status}");
    assert_eq!((&host("m1")["drift"], &host("n2")["drift"], &host("m3")["drift"]), (&1.into(), &1.into(), &0.into()));
    assert_eq!(host("n2")["node"], "Ready,SchedulingDisabled", "{status}");
    world.kubectl(&["uncordon", "n2"]);

    let plan = world.run_verb("plan", &["-o", "json"]).exits(2);
    let named: Vec<String> = plan
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|line| line.get("change").is_some())
        .map(|line| format!("{} {}", line["host"].as_str().unwrap(), line["change"]["resource"].as_str().unwrap()))
        .collect();
    assert_eq!(named.len(), 4, "{named:#?}");
    for (host, what) in [
        ("m1", "sysctl net.ipv4.ip_forward"),
        ("m2", manifest),
        ("api", "n1"),
        ("n2", "unit kubewright-routes.service"),
    ] {
        assert!(
            named.iter().any(|line| line.starts_with(&format!("{host} ")) && line.contains(what)),
            "{what}: {named:#?}"
        );
    }

    world.run_verb("install", &[]).exits(0);
    world.run_verb("plan", &[]).exits(0);
    assert_eq!(world.on("m1", "sysctl -n net.ipv4.ip_forward").exits(0).stdout.trim(), "1");
}
