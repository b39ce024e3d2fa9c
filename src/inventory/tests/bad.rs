//! What is said about bad inventories.

use insta::assert_snapshot;

use super::{load, single, with_hosts};
use crate::inventory::Style;

fn report(text: &str) -> String {
    load(text).map(|_| ()).unwrap_err().to_string()
}

const HOST: &str = "    - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd, worker]}\n";

#[test]
fn what_is_no_yaml_is_reported_with_what_came_before() {
    let text = single("  ssh: {user: root}\n  ssh: {user: ops}\n  kernel: {modules: [a}\n");
    assert_snapshot!(report(&text));
}

#[test]
fn twenty_errors_are_reported_at_once() {
    let text = "\
apiVersion: kubewright.dev/v1alpha1
kind: Cluster
metadata:
  name: Prod
spec:
  image: registry.example/k8s
  ssh:
    user: ops
    port: 70000
    bastion: jump.example:ssh
  ssh:
    user: root
  endpoint:
    mode: vpi
  network:
    podCIDR: 10.244.0.0/16
    serviceCidr: 10.96.1.0/16
    nodePrefix: \"24\"
  etcd: {heartbeat: 500ms, election: 2s}
  kernel:
    sysctls: {net.core.somaxconn: 010}
  labels: {bad key: x}
  hosts:
    - name: m[1-3]
      address: 10.1.0.[11-12]
      roles: [control-plane, etc]
    - name: w1
      adress: 10.1.0.21
      roles: [worker]
      ssh: {user: \"${NOBODY}\"}
    - {name: w2, address: 10.1.0.300, roles: []}
    - {name: w3, address: 10.1.0.23, roles: [worker]}
    - {name: w3, address: 10.1.0.23, roles: [worker]}
    - {name: w4, address: 10.1.0.23, roles: [worker]}
";
    assert_snapshot!(report(text));
}

#[test]
fn rules_of_the_cluster_are_reported_at_once() {
    let sections = "  endpoint: {host: m1, port: 30443, mode: vip, vip: 10.1.0.11, routerId: 7}
  network: {podCidr: 10.1.0.0/16, serviceCidr: 10.1.128.0/17, nodePrefix: 17}
  etcd: {heartbeat: 500ms, election: 2s}
  controlPlane:
    extraArgs:
      kube-apiserver: {etcd-servers: x}
      kube-controller-manager:
        cluster-cidr: 10.0.0.0/8
  pki: {leafLifetime: 3651d}
  labels: {kubernetes.io/hostname: x}
";
    let hosts = "    - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd]}
    - {name: m2, address: 10.1.0.11, roles: [etcd], taints: [{key: a, effect: NoSchedule}]}
    - {name: m1, address: \"fd00::1\", roles: [control-plane]}
";
    assert_snapshot!(report(&with_hosts(sections, hosts)));
}

#[test]
fn what_is_no_document_is_explained() {
    let cases = [
        ("empty", String::new()),
        ("comments", "# nothing\n\n".into()),
        ("null", "~\n".into()),
        ("text", "hello\n".into()),
        ("list", "- a\n- b\n".into()),
        ("tab", "a:\n\tb: c\n".into()),
        ("two documents", format!("{}---\na: b\n", single(""))),
        ("tag", single("  labels: {a: !!str 1}\n")),
        ("merge key", single("  labels: {<<: {a: b}}\n  etcd: {<<: {}}\n")),
        ("range without quotes", with_hosts("", "    - {name: m[1-3], address: 10.1.0.1, roles: [etcd]}\n")),
        ("variable without quotes", single("  ssh: {user: ${SSH_USER}}\n")),
        ("unclosed", single("  ssh: {user: ops\n")),
        ("quote", single("  ssh: {user: \"ops}\n")),
        ("indentation", "apiVersion: a\n kind: b\n".into()),
        ("colon", "kind: a: b\n".into()),
        ("alias", single("  labels: *l\n")),
        ("control", "a: \u{1}b\n".into()),
    ];
    let mut all = String::new();
    for (what, text) in cases {
        all.push_str(&format!("## {what}\n{}\n", report(&text)));
    }
    assert_snapshot!(all);
}

#[test]
fn values_are_read_strictly() {
    let cases = [
        "ssh: {identitiesOnly: yes}",
        "ssh: {identitiesOnly: \"true\"}",
        "ssh: {port: 022}",
        "ssh: {port: 0}",
        "ssh: {port: 1_000}",
        "ssh: {user: 1000}",
        "ssh: {user: }",
        "ssh: [user]",
        "ssh: {bastion: 22}",
        "ssh: {bastion: [{port: 22}]}",
        "ssh: {become: su}",
        "labels: {release: 1.10, debug: true}",
        "labels:",
        "network: {proxy: {mode: iptables, scheduler: rr}}",
        "endpoint: {vip: 10.1.0.10}",
        "endpoint: {mode: vip}",
        "endpoint: {host: 10.1.0.10, mode: external, address: 127.0.0.1}",
        "controlPlane: {extraArgs: {kubelet: {v: 2}, kube-apiserver: {--v: 2, etcd_servers: x}}}",
        "kernel: {modules: [\"a b\"]}",
        "kernel: {irq: {affinity: pin, leaveCpus: 3-1, queues: all, rings: 0}}",
        "kernel: {transparentHugepage: yes, cpuGovernor: Fast!, hugepages: {2MiB: many, 3MiB: 1, 2GB: 1}}",
        "image: oci:other",
        "etcd: {quota: 8GB}",
        "pki: {caLifetime: 10y}",
        "distribution: {mode: torrent, rateLimit: 400MB, port: 0, retain: 0}",
    ];
    let mut all = String::new();
    for case in cases {
        all.push_str(&format!("## {case}\n{}\n", report(&single(&format!("  {case}\n")))));
    }
    assert_snapshot!(all);
}

#[test]
fn logins_are_checked() {
    let cases = [
        "{host: m1}",
        "{user: ops, become: root}",
        "{identityFile: a, identityFiles: [b]}",
        "{identityFile: \"~you/key\"}",
        "{hostKeys: [ssh-ed25519 AAAA, \"m1 ssh-ed25519 AAAA\"]}",
        "{hostKeys: []}",
        "{user: ops, becomePassword: {}}",
        "{user: ops, becomePassword: {env: A, prompt: true}}",
    ];
    let mut all = String::new();
    for case in cases {
        all.push_str(&format!("## {case}\n{}\n", report(&single(&format!("  ssh: {case}\n")))));
    }
    assert_snapshot!(all);
}

#[test]
fn a_password_in_the_inventory_is_never_shown() {
    for ssh in [
        "{becomePassword: hunter2, usr: x}",
        "{becomePassword: \"hunter2\", port: 0}",
        "{user: ops, becomePassword: {env: hunter2-!, usr: hunter2}}",
        "{user: ops, becomePassword: {value: hunter2}}",
        "{user: ops, becomePassword: {prompt: hunter2}}",
        "{user: ops, becomePassword: {file: \"~hunter2\"}}",
        "{user: ops, becomePassword: {env: [hunter2]}}",
        "{user: ops, becomePassword: hunter2, broken: [}",
        "{user: ops, password: hunter2}",
        "{user: ops, becomePassword: {env: A}, becomePassword: hunter2}",
        "{user: ops, sudoPass: hunter2, becomePassword: !!str hunter2}",
        "{user: ops, becomePassword: [hunter2, {prompt: hunter2}]}",
    ] {
        let text = single(&format!("  ssh: {ssh}\n"));
        for style in [Style::Plain, Style::Colour] {
            let shown = load(&text).map(|_| ()).unwrap_err().render(style);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let findings: Vec<String> =
            load(&text).unwrap_err().findings().map(|finding| serde_json::to_string(finding).unwrap()).collect();
        assert!(!findings.concat().contains("hunter2"), "{findings:?}");
    }
}

#[test]
fn the_password_of_a_login_is_never_shown() {
    for section in [
        "ssh: {bastion: \"ops:hunter2@jump\"}",
        "ssh: {bastion: [\"ops:hunter2@jump\", ops@jump]}",
        "ssh: {bastion: {host: \"ops:hunter2@jump\"}}",
        "ssh: {bastion: \"ops:hunter2@jump:99999\"}",
        "ssh: {user: \"ops:hunter2\"}",
        "ssh: {become: \"ops:hunter2@jump\"}",
        "endpoint: {host: \"ops:hunter2@api\"}",
    ] {
        let shown = report(&single(&format!("  {section}\n")));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let shown = report(&single("").replace("oci:k8s", "\"user:hunter2@registry.example/x:y\""));
    assert!(!shown.contains("hunter2") && shown.contains("user:(secret)@registry.example/x:y"), "{shown}");
}

#[test]
fn lines_nearby_are_never_shown() {
    let shown = report(&single("  labels: {near: by}\n  etcd: {heartbat: 1s}\n  kernel: {modules: [near]}\n"));
    assert!(shown.contains("heartbat") && !shown.contains("near"), "{shown}");
}

/// A rule that depends on a value which is wrong by itself would only mislead.
#[test]
fn what_is_wrong_already_breaks_no_rule() {
    for (sections, hosts) in [
        ("  etcd: {heartbeat: 500ms, electon: 5s}\n", HOST),
        ("  etcd: {heartbeat: 500ms, election: 5}\n", HOST),
        ("  network: {podCidr: 10.96.0.0/99}\n", HOST),
        ("  network: {podcidr: 10.0.0.0/8, serviceCidr: 10.244.0.0/16}\n", HOST),
        ("", "    - {name: m1, address: 10.1.0.300, roles: [control-plane, etcd, worker]}\n"),
        ("", "    - {name: m1, address: 10.1.0.1, roles: [control-plane, etcd, wroker]}\n"),
        ("", "    - {name: m1, address: 10.1.0.1, role: [control-plane, etcd, worker]}\n"),
        ("", "    - m1\n"),
    ] {
        let shown = report(&with_hosts(sections, hosts));
        assert!(
            shown.ends_with("1 error in /inv/cluster.yaml\n") || shown.ends_with("\n\n1 error in /inv/cluster.yaml\n"),
            "{shown}"
        );
    }
}

/// But it hides no rule about others.
#[test]
fn what_is_wrong_hides_nothing_else() {
    let shown = report(&with_hosts(
        "  etcd: {heartbeat: 500ms, election: 1s}\n  kubelet: {maxpods: 5}\n",
        "    - {name: m1, address: 10.1.0.1, roles: [control-plane, etcd, worker], rak: r1}\n    - {name: m1, address: 10.1.0.2, roles: [etcd]}\n",
    ));
    for part in [
        "five heartbeats",
        "did you mean `maxPods`",
        "did you mean `rack`",
        "two hosts are called m1",
        "even number",
        "5 errors",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_thousand_hosts_make_one_error() {
    let hosts = format!("{HOST}    - {{name: \"n[1-1000]\", address: \"10.128.[0-3].[1-250]\", roles: [worker]}}\n");
    let shown = report(&with_hosts("  network: {podCidr: 10.128.0.0/12}\n", &hosts));
    assert!(shown.contains("(and 999 more like it)") && shown.contains("1 error in"), "{shown}");
}

#[test]
fn findings_are_sorted_and_placed() {
    let text = single("  kubelet: {maxPods: x}\n  etcd:\n    quota: 1\n");
    let report = load(&text).unwrap_err();
    let places: Vec<_> = report.findings().map(|f| (f.line, f.column, f.field.clone())).collect();
    assert_eq!(places, [(6, 22, "spec.kubelet.maxPods".to_owned()), (8, 12, "spec.etcd.quota".to_owned())]);
}

#[test]
fn an_unknown_service_is_told_with_the_one_that_is_meant() {
    let text = single("  services: {firewald: stop, tuned: stopped}\n  kernel: {swap: on}\n");
    assert_snapshot!(report(&text));
}

#[test]
fn disks_are_checked() {
    let common = "  disks: [{for: etcd, device: /dev/vdb, size: \">=1GiB\"}, {for: logs}]\n";
    let hosts = "    - name: m1
      address: 10.1.0.11
      roles: [control-plane, etcd, worker]
      disks:
        - {for: etcd, device: vdb}
        - {for: kubelet, size: 500GB}
        - {for: data, device: /dev/vdc}
        - {device: /dev/vdd, filesystem: btrfs}
        - {for: logs, device: /dev/vde, rotational: true}
        - {for: kubelet, device: /dev/vdf, lvm: true, snapshotter: devmapper}
        - {for: containerd, device: /dev/vdg, snapshotter: devmapper}
        - {for: containerd, device: /dev/vdh, lvm: true, baseImageSize: 10GiB}
        - {for: containerd, device: /dev/vdi, lvm: true, snapshotter: devmapper, baseImageSize: 512MiB}
        - {for: containerd, device: /dev/vdj, lvm: true, snapshotter: zfs}
";
    let wrong = report(&with_hosts(common, hosts));
    let hosts = "    - name: m1
      address: 10.1.0.11
      roles: [control-plane, etcd]
      disks: [{for: etcd, device: /dev/vdb}, {for: etcd, device: /dev/vdc}, {for: logs, device: /dev/vdb}]
    - {name: w1, address: 10.1.0.12, roles: [worker], disks: [{for: etcd, device: /dev/vdb}]}
";
    assert_snapshot!(format!("{wrong}\n{}", report(&with_hosts("", hosts))));
}

#[test]
fn snapshots_are_checked() {
    let section = "  etcd:
    snapshots:
      every: 7m
      maxAge: soon
      proveEvery: 7
      keep: {last: -1, monthly: 3}
      recipients: [ssh-ed25519 AAAA, age1short]
      include: [pki, data]
      webhook: https://me:secret@hooks.example
      command: [notify]
      targets:
        - {directory: backups}
        - {directory: /var/lib/etcd/backups}
        - {directory: /backups, s3: {endpoint: https://s3.example, bucket: b, credentialsFile: c}}
        - {s3: {endpoint: s3.example, bucket: Back ups}}
        - {}
";
    assert_snapshot!(report(&single(section)));
    let section =
        "  etcd: {snapshots: {every: 1h, include: [pki], recipients: [], keep: {last: 0}, maxAge: 1, targets: []}}\n";
    assert_snapshot!("snapshots_without_targets", report(&single(section)));
}
