//! What is found on hosts before anything is changed, and what stays as it was set.

use std::time::Duration;

use crate::world::{World, eventually};

/// On n1: a swap file in fstab and one turned on by hand, a file that undoes a setting at boot, a port that is taken, programs that may not run, somebody
/// else's static pod, and a route into the pod network.
const TROUBLE: &str = "
    dd if=/dev/zero of=/swapfile bs=1M count=32 status=none && chmod 600 /swapfile && mkswap /swapfile >/dev/null &&
    swapon /swapfile && echo '/swapfile none swap sw 0 0' >>/etc/fstab &&
    dd if=/dev/zero of=/by-hand bs=1M count=16 status=none && chmod 600 /by-hand && mkswap /by-hand >/dev/null &&
    swapon -p 9 /by-hand &&
    sysctl -q -w net.core.somaxconn=64 net.ipv4.tcp_max_syn_backlog=64 &&
    echo 'net.core.somaxconn = 128' >/etc/sysctl.d/99-local.conf &&
    systemd-run -q --unit trouble systemd-socket-activate --accept -l 10250 /bin/cat &&
    mount --bind /opt /opt && mount -o remount,bind,noexec /opt &&
    mkdir -p /etc/kubernetes/manifests && echo '{}' >/etc/kubernetes/manifests/etcd.yaml &&
    ip route add 10.244.77.0/24 via 10.99.0.1
";

/// All of it but the swap and the low values, which an install mends itself.
const MENDED: &str = "
    rm /etc/sysctl.d/99-local.conf && systemctl stop trouble && umount /opt && rm -r /etc/kubernetes &&
    ip route del 10.244.77.0/24
";

pub(crate) fn six_things_wrong_are_six_findings(world: &World) {
    world.run_verb("preflight", &[]).exits(0);
    world.on("n1", TROUBLE).exits(0);
    let found = world.run_verb("preflight", &["-o", "json"]).exits(1);
    println!("preflight of five hosts in {:.1} s", found.took.as_secs_f64());
    let findings: Vec<serde_json::Value> = found
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|line| line["check"].is_string() && line["host"] == "n1")
        // No lab host has a time server or a name server: it has no way out.
        .filter(|line| line["severity"] != "note" && !["time", "dns"].contains(&line["check"].as_str().unwrap()))
        .collect();
    let mut checks: Vec<&str> = findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    checks.sort_unstable();
    assert_eq!(checks, ["leftovers", "mounts", "ports", "routes", "swap", "sysctls"], "{}", found.stdout);

    let refused = world.run_verb("install", &[]).exits(1);
    for words in ["nothing was changed", "/etc/sysctl.d/99-local.conf:1 sets net.core.somaxconn = 128", "port 10250"] {
        assert!(refused.stderr.contains(words), "{words:?} is not in:\n{}", refused.stderr);
    }
    world.on("n1", "test ! -e /opt/kubewright && test ! -e /etc/sysctl.d/95-kubewright.conf").exits(0);
    world.on("n1", MENDED).exits(0);
    // What an install mends is no reason not to begin.
    world.run_verb("preflight", &[]).exits(0);
}

pub(crate) fn settings_survive_a_power_cut(world: &World) {
    let holds =
        "cat /proc/swaps | wc -l; sysctl -n net.core.somaxconn net.ipv4.tcp_max_syn_backlog net.ipv4.ip_forward";
    assert_eq!(world.on("n1", holds).exits(0).stdout, "1\n32768\n65536\n1\n");
    // What a power cut makes of a file that was written just before.
    world.on("n1", ": >/var/lib/kubelet/pki/kubelet-client-current.pem && sync").exits(0);
    world.lab(&["kill", "n1"], &[]).exits(0);
    world.lab(&["start", "n1"], &[]).exits(0);
    eventually("n1 is well again", Duration::from_secs(120), || world.run_verb("status", &[]).code == 0);
    assert_eq!(world.on("n1", holds).exits(0).stdout, "1\n32768\n65536\n1\n");
    world.run_verb("plan", &[]).exits(0);
}

/// After a reset: what was there before the first install.
pub(crate) fn settings_are_given_back(world: &World) {
    let now = world.on(
        "n1",
        "grep -v '^#' /etc/fstab | grep -c swap; grep -c '^/swapfile ' /proc/swaps; grep -c '^/by-hand .*9$' /proc/swaps
         sysctl -n net.ipv4.ip_forward",
    );
    assert_eq!(now.stdout, "1\n1\n1\n0\n", "{}", now.stderr);
    world.on("n1", "! grep -q kubewright /etc/fstab && ! ls /etc/sysctl.d /etc/modprobe.d | grep kubewright").exits(0);
}
