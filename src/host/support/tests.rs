//! A host with a secret of every kind where it does not belong: none of them leaves it.

use super::super::testing::Scripted;
use super::*;

const BYTES: u64 = 1 << 20;

fn wanted(source: &str) -> Collect {
    Collect { source: source.into(), seconds: 86_400, bytes: BYTES, secrets: Secrets(vec!["from-the-hub".into()]) }
}

const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBplantedplantedplanted\nAwEHoUQDQgAEplanted==\n-----END EC PRIVATE KEY-----\n";

#[test]
fn every_source_has_its_place_and_nothing_else_can_be_read() {
    let host = Scripted::new();
    host.put("/etc/systemd/system/kubewright-snapshot.service", "");
    host.put("/etc/systemd/system/kubewright-x@.service", "");
    host.put("/var/log/pods/kube-system_kube-apiserver-m1_u/kube-apiserver/0.log", "T stderr F a\n");
    host.put("/var/log/pods/kube-system_kube-apiserver-m1_u/kube-apiserver/0.log.gz", "x");
    host.put("/var/log/pods/shop_web_u/web/0.log", "T stderr F a\n");
    let names = names(&host.machine, 86_400).unwrap();
    insta::assert_snapshot!(names.join("\n"), @r"
    facts.json
    certificates.txt
    units.txt
    units-of-all.txt
    containers.txt
    kernel.log
    clock.txt
    disks.txt
    inodes.txt
    addresses.txt
    routes.txt
    sockets.txt
    mounts.txt
    memory.txt
    load.txt
    logs/units/etcd.service.log
    logs/units/containerd.service.log
    logs/units/kubelet.service.log
    logs/units/haproxy.service.log
    logs/units/keepalived.service.log
    logs/units/kubewright-snapshot.service.log
    logs/pods/kube-apiserver-m1_u/kube-apiserver/0.log
    ");
    for other in ["logs/pods/../../../etc/shadow", "/etc/shadow", ""] {
        assert!(collect(&host.machine, &wanted(other)).is_err(), "{other}");
    }
    assert!(super::names(&host.machine, 0).unwrap().iter().all(|name| !name.starts_with("logs/pods")), "too old");
}

#[test]
fn what_the_host_knows_as_secret_is_struck_out_whatever_it_looks_like() {
    let host = Scripted::new();
    host.put("/etc/kubernetes/pki/sa.key", KEY);
    host.put("/etc/keepalived/keepalived.conf", "vrrp_instance a {\n  auth_pass opensesame\n}\n");
    host.put("/etc/kubewright/snapshots/credentials-0", "[default]\naws_secret_access_key = plain-words-here\n");
    host.put("/proc/mounts", "a opensesame b\nx plain-words-here MHcCAQEEIBplantedplantedplanted\nfrom-the-hub\n");
    let text = collect(&host.machine, &wanted("mounts.txt")).unwrap();
    assert_eq!(text, "a [redacted] b\nx [redacted] [redacted]\n[redacted]\n");
}

#[test]
fn a_journal_is_bounded_and_without_secrets() {
    let host = Scripted::new();
    let argv = "journalctl -u kubelet.service --since=-86400s -n 16384 --no-pager -q -o short-iso";
    let line = "2026-11-30T01:36:48+0000 m1 kubelet[8]: ";
    host.expect(argv, &format!("{line}join --token=abc.def \u{1b}[31mred\u{1b}[0m\n{line}well\n"));
    let text = collect(&host.machine, &wanted("logs/units/kubelet.service.log")).unwrap();
    assert_eq!(text, format!("{line}join --token=[redacted] [31mred[0m\n{line}well\n"));
    host.expect(argv, &"x".repeat(100).replace("xx", "a\n").repeat(1 << 15));
    let text = collect(&host.machine, &wanted("logs/units/kubelet.service.log")).unwrap();
    assert!(text.len() as u64 <= BYTES + 64, "{}", text.len());
    host.expect_failure(argv, "No journal files were found.");
    let failure = collect(&host.machine, &wanted("logs/units/kubelet.service.log")).unwrap_err();
    assert!(failure.to_string().contains("journalctl -u kubelet.service") && failure.why.contains("No journal"));
    host.done();
}

#[test]
fn the_log_of_a_container_is_read_without_the_runtime() {
    let host = Scripted::new();
    let path = "/var/log/pods/kube-system_kube-apiserver-m1_u/kube-apiserver/3.log";
    host.put(path, "2026-11-30T01:36:48Z stderr P password: corr\n2026-11-30T01:36:48Z stderr F ect horse\n2026-11-30T01:36:49Z stderr F ok\n");
    let text = collect(&host.machine, &wanted("logs/pods/kube-apiserver-m1_u/kube-apiserver/3.log")).unwrap();
    assert_eq!(text, "2026-11-30T01:36:48Z stderr P password: [redacted]\n2026-11-30T01:36:49Z stderr F ok\n");
}
