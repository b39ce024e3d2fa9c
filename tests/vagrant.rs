//! What the Vagrantfile asks Vagrant for, without Vagrant: a stand-in prints it. Needs ruby, which `make test` installs;
//! virtual machines are `make vagrant-check`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "Clippy takes only #[test] functions for tests"
)]

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

/// Hosts with disks: one by its path, one by its size.
const DISKS: &str = "\
apiVersion: kubewright.dev/v1alpha1
kind: Cluster
metadata: {name: a}
spec:
  image: oci:x
  hosts:
    - name: m1
      address: 10.1.0.11
      roles: [control-plane, etcd, worker]
      disks: [{for: etcd, device: /dev/vdb}, {for: containerd, size: \">=31GiB\"}]
";

/// What is asked for, or what was said instead; `None` where no ruby is.
fn asked(environment: &[(&str, &str)]) -> Option<Result<String, String>> {
    let mut ruby = Command::new("ruby");
    ruby.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("vagrant/stand_in.rb"));
    ruby.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/home/me").env("KUBEWRIGHT_VAGRANT_DRIVER", "qemu");
    ruby.env("KUBEWRIGHT_VAGRANT_PROGRAM", assert_cmd::cargo::cargo_bin!("kubewright"));
    let output = match ruby.envs(environment.iter().copied()).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(std::env::var_os("KUBEWRIGHT_LAB_TESTS").is_none(), "ruby is missing: scripts/packages.sh");
            println!("skipped: there is no ruby");
            return None;
        }
        output => output.unwrap(),
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Some(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}

/// The lines about machines and what they have.
fn machines(asked: &str) -> String {
    let wanted = |line: &&str| {
        let call = line.split(' ').next().unwrap_or_default();
        ["vm.define", "vm.define.vm.network", "vm.define.vm.provider.memory"].contains(&call)
            || call.ends_with("storage")
            || call.ends_with(".disk")
    };
    asked.lines().filter(wanted).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_machines_are_the_hosts_of_the_inventory() {
    let Some(asked) = asked(&[]) else { return };
    let asked = asked.unwrap();
    let names: Vec<&str> = asked.lines().filter_map(|line| line.strip_prefix("vm.define ")).collect();
    assert_eq!(names, ["\"m1\"", "\"m2\"", "\"m3\"", "\"n1\""]);
    assert!(asked.contains("vm.box \"debian/bookworm64\"\n"), "{asked}");
    assert!(asked.contains("vm.provider.driver \"qemu\"\n"), "{asked}");
}

#[test]
fn a_machine_has_the_address_memory_and_disks_of_its_host() {
    let directory = tempfile::tempdir().unwrap();
    let inventory = directory.path().join("a.yaml");
    std::fs::write(&inventory, DISKS).unwrap();
    let Some(asked) = asked(&[("KUBEWRIGHT_INVENTORY", inventory.to_str().unwrap())]) else { return };
    insta::assert_snapshot!(machines(&asked.unwrap()), @r#"
    vm.define "m1"
    vm.define.vm.network "private_network" {"ip":"10.1.0.11","libvirt__network_name":"kubewright-10.1.0.0","libvirt__forward_mode":"none","libvirt__dhcp_enabled":false}
    vm.define.vm.provider.memory 3072
    vm.define.vm.provider.storage "file" {"size":"20G"}
    vm.define.vm.provider.storage "file" {"size":"31G"}
    vm.define.vm.provider.memory 3072
    vm.define.vm.provider.vm.disk "disk" {"name":"data0","size":"20GB"}
    vm.define.vm.provider.vm.disk "disk" {"name":"data1","size":"31GB"}
    "#);
}

#[test]
fn what_cannot_be_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let first = directory.path().join("first.yaml");
    std::fs::write(&first, DISKS.replace("10.1.0.11", "10.1.0.1")).unwrap();
    for (name, value, said) in [
        ("KUBEWRIGHT_VAGRANT_CPUS", "0", "KUBEWRIGHT_VAGRANT_CPUS=0 is no number above 0"),
        ("KUBEWRIGHT_VAGRANT_UP", "all", "none of cluster, hosts"),
        ("KUBEWRIGHT_VAGRANT_PROGRAM", "/nowhere/kubewright", "there is no /nowhere/kubewright"),
        ("KUBEWRIGHT_INVENTORY", "/nowhere/a.yaml", "/nowhere/a.yaml"),
        ("KUBEWRIGHT_INVENTORY", first.to_str().unwrap(), "this machine's own"),
    ] {
        let Some(asked) = asked(&[(name, value)]) else { return };
        let told = asked.unwrap_err();
        assert!(told.contains(said), "{name}={value}: {told}");
    }
}
