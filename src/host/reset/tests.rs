//! A reset on a scripted host that has everything.

use std::fs;
use std::path::Path;

use super::super::testing::Scripted;
use super::reset;

const SHOW: &str =
    "systemctl show -p Id,Names,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Type,Job --";

fn installed() -> Scripted {
    let host = Scripted::new();
    for (path, content) in [
        ("/run/systemd/system/x", ""),
        ("/etc/systemd/system/kubewright-routes.service", "[Service]\n"),
        ("/etc/systemd/system/kubelet.service", "# Written by kubewright\n"),
        ("/etc/systemd/system/containerd.service", "# the distribution's own\n"),
        ("/etc/systemd/system/containerd.service.d/kubewright.conf", ""),
        ("/etc/systemd/system/ssh.service.d/local.conf", ""),
        (
            "/proc/mounts",
            "/dev/sda / ext4 rw 0 0\ntmpfs /var/lib/kubelet/pods/a/secret tmpfs rw 0 0\n/dev/sdb /var/lib/etcd xfs rw 0 0\n",
        ),
        ("/sys/class/net/eth0/mtu", "1500"),
        ("/sys/class/net/cni0/mtu", "1500"),
        ("/usr/sbin/ip", ""),
        ("/usr/sbin/iptables-save", ""),
        ("/etc/sysctl.d/95-kubewright.conf", ""),
        ("/etc/sysctl.d/10-network.conf", ""),
        ("/etc/hosts", "127.0.0.1 localhost\n# BEGIN kubewright hosts\nx\n# END kubewright hosts\n"),
        ("/etc/fstab", "# kubewright swap: /dev/sda2 none swap sw 0 0\n"),
        ("/var/lib/kubewright/masked-swap", "dev-sda2.swap\n"),
        ("/var/lib/kubewright/swaps-before", "-2 /dev/sda2\n"),
        ("/var/lib/kubewright/stopped/firewalld.service", "enabled\nrunning\n"),
        ("/var/lib/kubewright/stopped/ufw.service", ""),
        ("/etc/systemd/system/firewalld.service.d/kubewright.conf", ""),
        ("/etc/systemd/system/ufw.service.d/kubewright.conf", ""),
        ("/etc/systemd/system/swap.d/kubewright.conf", ""),
        ("/etc/systemd/network/05-kubewright.network", ""),
        ("/etc/kubernetes/pki/ca.key", "secret"),
        ("/etc/kubernetes/network/routes", "route replace 10.244.1.0/24 via 10.0.0.2\n"),
        ("/opt/cni/bin/other", ""),
        ("/etc/cni/net.d/10-kubewright.conflist", "{}"),
        ("/etc/cni/net.d/99-other.conflist", "{}"),
        ("/etc/containerd/config.toml", "# the distribution's own\n"),
        ("/var/lib/etcd/member/wal/0", ""),
        ("/var/lib/kubelet/config.yaml", ""),
        ("/opt/kubewright/etcd/3.4/bin/etcd", ""),
        ("/var/lib/kubewright/blobs/sha256/x", ""),
        ("/var/lib/kubewright/bin/old/kubewright", ""),
        ("/var/lib/kubewright/bin/new/kubewright", ""),
        ("/var/lib/kubewright/lock", "{}"),
    ] {
        host.put(path, content);
    }
    for program in ["ip", "iptables-save"] {
        use std::os::unix::fs::PermissionsExt;
        let path = host.at(&format!("/usr/sbin/{program}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::os::unix::fs::symlink("/opt/kubewright/cni-plugins/1/bin/bridge", host.at("/opt/cni/bin/bridge")).unwrap();
    host
}

fn script(host: &Scripted) {
    let kubelet = "Id=kubelet.service\nNames=kubelet.service\nLoadState=loaded\nActiveState=active\n";
    let routes =
        "Id=kubewright-routes.service\nNames=kubewright-routes.service\nLoadState=loaded\nActiveState=inactive\n";
    host.expect(&format!("{SHOW} kubewright-routes.service kubelet.service"), &format!("{routes}\n{kubelet}"));
    host.expect("systemctl stop -- kubelet.service", "");
    host.expect_effect("umount /var/lib/kubelet/pods/a/secret", "", |root| {
        fs::write(root.join("proc/mounts"), "/dev/sda / ext4 rw 0 0\n/dev/sdb /var/lib/etcd xfs rw 0 0\n").unwrap();
    });
    host.expect("ip -4 route show", "default via 10.0.0.1 dev eth0\n10.244.1.0/24 via 10.0.0.2 dev eth0\n");
    host.expect("ip -4 -batch -", "");
    host.expect_effect("ip link delete dev cni0", "", |root| {
        fs::remove_dir_all(root.join("sys/class/net/cni0")).unwrap()
    });
    host.expect(
        "iptables-save",
        "*nat\n:KUBE-SERVICES - [0:0]\n-A OUTPUT -j KUBE-SERVICES\n-A OUTPUT -j ACCEPT\nCOMMIT\n",
    );
    host.expect("iptables-restore", "");
    host.expect("systemctl unmask --no-reload -- dev-sda2.swap", "");
    host.expect("swapon -- /dev/sda2", "");
    host.expect("systemctl disable --no-reload -- kubewright-routes.service kubelet.service", "");
    host.expect("systemctl daemon-reload", "");
    let shown = |name: &str| format!("Id={name}\nNames={name}\nLoadState=loaded\nActiveState=inactive\n");
    host.expect(&format!("{SHOW} firewalld.service"), &shown("firewalld.service"));
    host.expect("systemctl enable --no-reload -- firewalld.service", "");
    host.expect("systemctl start -- firewalld.service", "");
    host.expect(&format!("{SHOW} ufw.service"), &shown("ufw.service"));
}

#[test]
fn everything_of_ours_goes_and_everything_else_stays() {
    let host = installed();
    script(&host);
    let binary = host.at("/var/lib/kubewright/bin/new/kubewright");
    let parts = reset(&host.machine, &binary, &mut |_| {}).unwrap();
    host.done();
    let fed: Vec<String> = host.fed().into_iter().map(|input| String::from_utf8(input).unwrap()).collect();
    assert_eq!(fed, ["route delete 10.244.1.0/24 via 10.0.0.2\n", "*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n"]);
    let lines: Vec<String> = parts
        .iter()
        .flat_map(|part| {
            part.changes
                .iter()
                .map(move |change| format!("{} {:?} {}: {}", part.part, change.action, change.resource, change.summary))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    kubelet Stop unit kubelet.service: active → stopped
    kubelet Remove mount /var/lib/kubelet/pods/a/secret: unmounted
    kubelet Update units: disabled: kubewright-routes.service, kubelet.service
    kubelet Remove file /etc/systemd/system/kubewright-routes.service: removed
    kubelet Remove file /etc/systemd/system/kubelet.service: removed
    kubelet Remove file /etc/systemd/system/containerd.service.d/kubewright.conf: removed
    kubelet Remove file /etc/systemd/system/firewalld.service.d/kubewright.conf: removed
    kubelet Remove file /etc/systemd/system/swap.d/kubewright.conf: removed
    kubelet Remove file /etc/systemd/system/ufw.service.d/kubewright.conf: removed
    kubelet Update systemd: daemon-reload: units are gone
    kubelet Remove directory /var/lib/kubelet: removed
    network Remove routes to the pods of other nodes: 1 deleted
    network Remove link cni0: deleted
    network Remove iptables rules: chains of Kubernetes and its networks
    network Remove file /etc/cni/net.d/10-kubewright.conflist: removed
    kernel Remove file /etc/sysctl.d/95-kubewright.conf: removed
    kernel Remove file /etc/systemd/network/05-kubewright.network: removed
    kernel Remove blocks in /etc/hosts: taken away
    kernel Update swap units: unmasked
    kernel Update swap in /etc/fstab: brought back
    kernel Start swap: on again
    kernel Update unit firewalld.service: given back: enabled, running
    kernel Update unit ufw.service: may start again
    control-plane Remove directory /etc/kubernetes: removed
    etcd Remove directory /var/lib/etcd: emptied; it is a mount point
    binaries Remove directory /opt/kubewright: removed
    binaries Remove file /opt/cni/bin/bridge: removed
    binaries Remove directory /var/lib/kubewright: removed
    ");
    for path in [
        "/var/lib/kubewright",
        "/opt/kubewright",
        "/etc/kubernetes",
        "/var/lib/etcd/member",
        "/etc/sysctl.d/95-kubewright.conf",
    ] {
        assert!(!host.at(path).exists(), "{path}");
    }
    for path in [
        "/var/lib/etcd",
        "/etc/systemd/system/containerd.service",
        "/etc/systemd/system/ssh.service.d/local.conf",
        "/etc/cni/net.d/99-other.conflist",
        "/etc/containerd/config.toml",
        "/opt/cni/bin/other",
        "/etc/sysctl.d/10-network.conf",
    ] {
        assert!(host.at(path).exists(), "{path}");
    }
    assert_eq!(host.get("/etc/hosts"), "127.0.0.1 localhost\n");
    assert_eq!(host.get("/etc/fstab"), "/dev/sda2 none swap sw 0 0\n");
    host.expect("iptables-save", "*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n");
    assert!(reset(&host.machine, &binary, &mut |_| {}).unwrap().is_empty(), "a second time there is nothing to do");
    host.done();
}

#[test]
fn a_failure_does_not_stop_the_rest_and_the_memory_stays_for_the_next_time() {
    let host = Scripted::new();
    host.put("/run/systemd/system/x", "");
    host.put("/etc/systemd/system/etcd.service", "# Written by kubewright\n");
    host.put("/var/lib/kubelet/pods/a/nfs/precious", "");
    host.put("/proc/mounts", "nas:/x /var/lib/kubelet/pods/a/nfs nfs4 rw 0 0\n");
    host.put("/etc/kubernetes/admin.conf", "");
    host.put("/var/lib/kubewright/lock", "{}");
    let show = "Id=etcd.service\nNames=etcd.service\nLoadState=loaded\nActiveState=active\n";
    host.expect(&format!("{SHOW} etcd.service"), show);
    host.expect_failure("systemctl stop -- etcd.service", "timed out");
    host.expect_failure("umount /var/lib/kubelet/pods/a/nfs", "busy");
    host.expect("systemctl disable --no-reload -- etcd.service", "");
    host.expect("systemctl daemon-reload", "");
    let failure = reset(&host.machine, Path::new("/nowhere"), &mut |_| {}).unwrap_err();
    host.done();
    assert!(failure.what.starts_with("3 failures"), "{failure}");
    assert!(host.at("/var/lib/kubelet/pods/a/nfs/precious").exists(), "never removed through a mount");
    assert!(!host.at("/etc/kubernetes").exists());
    assert!(host.at("/var/lib/kubewright/lock").exists());
}
