//! Services of a distribution that get into the way: told, stopped when the inventory says so, given back. They are
//! stand-ins with the names of the real ones, made before the first install and looked at until after the reset.

use std::time::Duration;

use serde_json::Value;

use crate::world::{World, eventually};

/// On n1: a firewall with its rules up, a tuner, and compressed memory to swap to.
const SERVICES: &str = r#"
    cd /usr/lib/systemd/system &&
    printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/touch /run/rules\nExecStop=/bin/rm /run/rules\n[Install]\nWantedBy=multi-user.target\n' >ufw.service &&
    printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' >tuned.service &&
    printf '#!/bin/sh\nset -e\nmodprobe zram\necho 64M >/sys/block/zram0/disksize\nmkswap /dev/zram0\nswapon /dev/zram0\n' >/usr/sbin/zramswap &&
    printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh /usr/sbin/zramswap\nExecStop=-/sbin/swapoff /dev/zram0\nExecStop=/sbin/rmmod zram\n[Install]\nWantedBy=multi-user.target\n' >zramswap.service &&
    systemctl daemon-reload && systemctl enable --now ufw.service tuned.service zramswap.service
"#;

/// What runs, what starts at boot, and what they have done.
const LOOK: &str = "
    systemctl is-active ufw.service tuned.service zramswap.service; systemctl is-enabled ufw tuned zramswap;
    grep -c zram /proc/swaps; ls /run/rules 2>&1
";

const UP: &str = "active\nactive\nactive\nenabled\nenabled\nenabled\n1\n/run/rules\n";
/// What an install leaves of them without a word in the inventory.
const LEFT: &str = "active\nactive\ninactive\nenabled\nenabled\ndisabled\n0\n/run/rules\n";

fn findings(world: &World, check: &str) -> Vec<Value> {
    let ran = world.run_verb("preflight", &["-o", "json"]);
    let lines = ran.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["check"] == check && line["host"] == "n1").collect()
}

pub(crate) fn services_in_the_way_are_told(world: &World) {
    world.on("n1", SERVICES).exits(0);
    assert_eq!(world.on("n1", LOOK).stdout, UP);
    let told = findings(world, "services");
    let hints: Vec<&str> = told.iter().map(|finding| finding["hint"].as_str().unwrap()).collect();
    assert_eq!(hints.len(), 2, "{told:#?}");
    for line in ["services: {ufw: stop}", "services: {tuned: stop}"] {
        assert!(hints.iter().any(|hint| hint.contains(line)), "{line} is not in {hints:?}");
    }
    let swap = findings(world, "swap");
    assert!(swap[0]["message"].as_str().unwrap().contains("/dev/zram0"), "{swap:#?}");
}

/// Rules of somebody's own, which no service of a known name has loaded.
pub(crate) fn a_closed_port_is_named_with_host_and_peer(world: &World) {
    let status = world.lab(&["status"], &["-o", "json"]).exits(0).json();
    let master = status["hosts"].as_array().unwrap().iter().find(|host| host["name"] == "m1").unwrap();
    let from = master["address"].as_str().unwrap();
    let iptables = "$(ls /opt/kubewright/host-tools/*/bin/iptables | head -n1)";
    let rule = |verb: &str| format!("{iptables} {verb} INPUT -p tcp --dport 10250 -s {from} -j DROP");
    world.on("n1", &rule("-I")).exits(0);
    let ran = world.run_verb("preflight", &["-o", "json"]);
    world.on("n1", &rule("-D")).exits(0);
    let ran = ran.exits(1);
    let lines = ran.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lost: Vec<Value> = lines.filter(|line| line["check"] == "reachable").collect();
    assert_eq!(lost.len(), 1, "{lost:#?}");
    assert_eq!(lost[0]["host"], "m1");
    let message = lost[0]["message"].as_str().unwrap();
    assert!(message.contains("kubelet on n1") && message.contains(":10250"), "{message}");
}

pub(crate) fn services_are_stopped_and_given_back_by_the_inventory(world: &World) {
    assert_eq!(world.on("n1", LOOK).stdout, LEFT);
    let text = std::fs::read_to_string(&world.inventory).unwrap();
    let stop = world.inventory.with_file_name("stop.yaml");
    std::fs::write(&stop, text.replacen("spec:\n", "spec:\n  services: {ufw: stop, tuned: stop}\n", 1)).unwrap();
    let plan = world.run_verb_on(&stop, "plan", &[]).exits(2);
    assert!(plan.stdout.contains("ufw.service") && plan.stdout.contains("kept from starting"), "{}", plan.stdout);
    world.run_verb_on(&stop, "install", &[]).exits(0);
    world.run_verb_on(&stop, "plan", &[]).exits(0);
    let gone = world.on("n1", LOOK).stdout;
    assert!(gone.starts_with("inactive\ninactive\ninactive\ndisabled\ndisabled\ndisabled\n0\n"), "{gone}");
    assert!(gone.contains("/run/rules") && gone.contains("No such file"), "its rules are gone: {gone}");
    // Whoever asks for it does not get it.
    world
        .on("n1", "systemctl start ufw.service tuned.service; ! systemctl is-active ufw tuned && test ! -e /run/rules")
        .exits(0);
    std::fs::remove_file(&stop).unwrap();
    world.run_verb("plan", &[]).exits(2);
    world.run_verb("install", &[]).exits(0);
    world.run_verb("plan", &[]).exits(0);
    assert_eq!(world.on("n1", LOOK).stdout, LEFT);
}

/// A unit that a generator makes from now on, as systemd and zram-generator do: no run has seen it, and none masks it.
const GENERATOR: &str = r#"
    dd if=/dev/zero of=/swapfile2 bs=1M count=16 status=none && chmod 600 /swapfile2 && mkswap /swapfile2 >/dev/null &&
    mkdir -p /etc/systemd/system-generators && cd /etc/systemd/system-generators &&
    printf '#!/bin/sh\nprintf "[Swap]\\nWhat=/swapfile2\\n" >$1/swapfile2.swap\nmkdir -p $1/swap.target.wants\nln -s ../swapfile2.swap $1/swap.target.wants/\n' >lab-swap &&
    chmod 755 lab-swap && sync
"#;

/// Before the power cut that `settings_survive_a_power_cut` makes.
pub(crate) fn a_generator_of_swap_is_there(world: &World) {
    world.on("n1", GENERATOR).exits(0);
}

/// After it.
pub(crate) fn services_stay_as_they_are_over_a_power_cut(world: &World) {
    assert_eq!(world.on("n1", LOOK).stdout, LEFT);
    // The generator has run, and what it made was not started.
    world.on("n1", "test -e /run/systemd/generator/swapfile2.swap && ! grep -q swapfile2 /proc/swaps").exits(0);
    world.on("n1", "rm /etc/systemd/system-generators/lab-swap").exits(0);
}

/// After a reset: as before the first install, and for good.
pub(crate) fn services_are_given_back(world: &World) {
    assert_eq!(world.on("n1", LOOK).stdout, UP);
    let ours = "ls -d /etc/systemd/system/*.d/kubewright.conf /etc/systemd/network/*kubewright* 2>/dev/null";
    world.on("n1", &format!("! {ours}")).exits(0);
    world.lab(&["kill", "n1"], &[]).exits(0);
    world.lab(&["start", "n1"], &[]).exits(0);
    eventually("n1 is as it was", Duration::from_secs(60), || world.on("n1", LOOK).stdout == UP);
}
