//! What stays of earlier versions, on a scripted host with a scripted containerd.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

use super::super::super::testing::Scripted;
use super::{changes, lines, part, settles};
use crate::desired::state::{Part, PartState, Resource, Retained};

fn state(directories: &[&str], references: &[&str], blobs: &[&str], others: u32) -> [PartState; 1] {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let retained =
        Retained { directories: owned(directories), references: owned(references), blobs: owned(blobs), others };
    [part(Part::Retained, vec![Resource::Retained(retained)])]
}

/// A component's directory, unpacked so many days ago from the blob called `digest`.
fn unpacked(host: &Scripted, name: &str, version: &str, digest: &str, days: u64) {
    let marker = format!("/opt/kubewright/{name}/{version}/.kubewright-digest");
    host.put(&format!("/opt/kubewright/{name}/{version}/bin/{name}"), "program");
    host.put(&marker, &format!("{digest}\n"));
    let file = fs::File::options().write(true).open(host.at(&marker)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
    blob(host, digest, 3 << 20);
}

fn blob(host: &Scripted, name: &str, size: usize) {
    host.put(&format!("/var/lib/kubewright/blobs/sha256/{name}"), &"x".repeat(size));
}

fn blobs(host: &Scripted) -> Vec<String> {
    host.machine.names("/var/lib/kubewright/blobs/sha256").unwrap()
}

#[test]
fn the_version_before_stays_and_older_ones_go_with_their_blobs() {
    let host = Scripted::new();
    for (version, digest, days) in [("3.6", "d6", 0), ("3.5", "d5", 10), ("3.4", "d4", 20), ("3.3", "d3", 30)] {
        unpacked(&host, "etcd", version, digest, days);
    }
    unpacked(&host, "gone", "1", "d1", 40);
    blob(&host, "dd.part", 5 << 20);
    // Not ours, and links of ours.
    host.put("/opt/kubewright/etcd/own/bin/etcd", "");
    host.put("/opt/kubewright/bin/.keep", "");
    symlink("/opt/kubewright/etcd/3.6/bin/etcdctl", host.at("/opt/kubewright/bin/etcdctl")).unwrap();
    let state = |others| state(&["/opt/kubewright/etcd/3.6"], &[], &["d6"], others);
    insta::assert_snapshot!(settles(&host, &state(1)), @"
    Remove old component etcd 3.4: removed: no longer in use, and a newer one is retained
    Remove old component etcd 3.3: removed: no longer in use, and a newer one is retained
    Remove old blobs: 3 removed, 11 MiB
    ");
    assert_eq!(host.machine.names("/opt/kubewright/etcd").unwrap(), ["3.5", "3.6", "own"]);
    assert_eq!(blobs(&host), ["d1", "d5", "d6"]);
    insta::assert_snapshot!(settles(&host, &state(0)), @"
    Remove old component etcd 3.5: removed: no longer in use, and no other version is retained
    Remove old component gone 1: removed: no longer in use, and no other version is retained
    Remove old blobs: 2 removed, 6 MiB
    ");
    assert_eq!(host.machine.names("/opt/kubewright").unwrap(), ["bin", "etcd"]);
    assert_eq!(blobs(&host), ["d6"]);
}

#[test]
fn what_is_in_use_stays_however_old_it_is() {
    type Use = (&'static str, &'static dyn Fn(&Scripted));
    let used_by: [Use; 6] = [
        ("a unit", &|host| {
            host.put("/etc/systemd/system/x.service.d/10.conf", "ExecStart=/opt/kubewright/runc/1.1/bin/runc\n");
        }),
        ("a static pod", &|host| host.put("/etc/kubernetes/manifests/x.yaml", "path: \"/opt/kubewright/runc/1.1\"\n")),
        ("a configuration", &|host| host.put("/etc/containerd/config.toml", "= '/opt/kubewright/runc/1.1/bin/runc'")),
        ("a link", &|host| {
            host.put("/opt/cni/bin/.keep", "");
            symlink("/opt/kubewright/runc/1.1/bin/runc", host.at("/opt/cni/bin/runc")).unwrap();
        }),
        ("a process", &|host| {
            host.put("/proc/77/stat", "77 (x) S 1 1");
            symlink("/opt/kubewright/runc/1.1/bin/shim", host.at("/proc/77/exe")).unwrap();
        }),
        ("a container", &|host| {
            let task = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/abc";
            host.put(&format!("{task}/options.json"), r#"{"binary_name":"/opt/kubewright/runc/1.1/bin/runc"}"#);
            host.put(&format!("{task}/rootfs/etc/x"), "/opt/kubewright/runc/1.0/bin/runc");
        }),
    ];
    for (who, uses) in used_by {
        let host = Scripted::new();
        for (version, days) in [("1.3", 0), ("1.2", 10), ("1.1", 20), ("1.0", 30)] {
            unpacked(&host, "runc", version, version, days);
        }
        uses(&host);
        let told = settles(&host, &state(&["/opt/kubewright/runc/1.3"], &[], &["1.3"], 1));
        assert!(
            told.contains("runc 1.2:") && told.contains("runc 1.0:") && !told.contains("runc 1.1:"),
            "{who}: {told}"
        );
        assert_eq!(blobs(&host), ["1.1", "1.3"], "{who}");
    }
}

const PAUSE: &str = "registry.k8s.io/pause";

#[test]
fn images_of_ours_that_nothing_needs_leave_containerd_with_their_other_names() {
    let host = Scripted::new();
    fs::create_dir_all(host.at("/run/containerd")).unwrap();
    let _containerd = UnixListener::bind(host.at("/run/containerd/containerd.sock")).unwrap();
    for name in ["b4", "b3", "b2", "b1", "b0", "bx"] {
        blob(&host, name, 1);
    }
    let managed = "io.cri-containerd.image=managed";
    let row = |tag: &str, days: u64| format!("{PAUSE}:3.{tag} sha256:m{tag} {days} kubewright.dev/blob=b{tag}\n");
    let listed = |tags: &[&str]| {
        let mut text: String = tags.iter().map(|tag| row(tag, tag.parse::<u64>().unwrap() * 86_400)).collect();
        text.push_str("docker.io/library/debian:12 sha256:other 5\n");
        // Somebody's own name for version 1, and containerd's own names for all.
        text.push_str("my/pause:1 sha256:m1 5\n");
        for tag in ["0", "1", "2"] {
            text.push_str(&format!(
                "sha256:i{tag} sha256:m{tag} 5 {managed}\n{PAUSE}@sha256:m{tag} sha256:m{tag} 5 {managed}\n"
            ));
        }
        text.push_str("used sha256:i2\nused docker.io/library/debian:12\nused gone/image:1\n");
        text
    };
    let state = state(&[], &[&format!("{PAUSE}:3.4")], &["b4"], 1);
    let all = listed(&["4", "3", "2", "1", "0"]);
    host.expect("containerd catalogue", &all);
    let told = changes(&host, &state);
    insta::assert_snapshot!(lines(&told), @"
    Remove old image registry.k8s.io/pause:3.3: removed from containerd: no longer in use, and a newer one is retained
    Remove old image registry.k8s.io/pause:3.1: removed from containerd: no longer in use, and a newer one is retained
    Remove old image registry.k8s.io/pause:3.0: removed from containerd: no longer in use, and a newer one is retained
    Remove old blobs: 4 removed, 0 MiB
    ");
    host.expect("containerd catalogue", &all);
    host.expect(&format!("containerd remove {PAUSE}:3.3"), "");
    host.expect(&format!("containerd remove {PAUSE}:3.1"), "");
    host.expect(&format!("containerd remove {PAUSE}:3.0"), "");
    // What somebody else has removed meanwhile is removed.
    host.expect_failure("containerd remove sha256:i0", "not found");
    host.expect(&format!("containerd remove {PAUSE}@sha256:m0"), "");
    assert_eq!(super::make(&host, &state), told);
    assert_eq!(blobs(&host), ["b2", "b4"]);
    host.expect("containerd catalogue", &listed(&["4", "2"]));
    assert_eq!(changes(&host, &state), []);
    host.done();
}

#[test]
fn an_image_that_a_manifest_names_stays_without_a_container() {
    let host = Scripted::new();
    fs::create_dir_all(host.at("/run/containerd")).unwrap();
    let _containerd = UnixListener::bind(host.at("/run/containerd/containerd.sock")).unwrap();
    host.put("/etc/kubernetes/manifests/a.yaml", &format!("image: {PAUSE}:3.2\n"));
    let listed =
        format!("{PAUSE}:3.2 sha256:m2 1 kubewright.dev/blob=b2\n{PAUSE}:3.20 sha256:m20 2 kubewright.dev/blob=b20\n");
    host.expect("containerd catalogue", &listed);
    let told = lines(&changes(&host, &state(&[], &[&format!("{PAUSE}:3.4")], &[], 0)));
    assert!(told.contains("pause:3.20:") && !told.contains("pause:3.2:"), "{told}");
    host.done();
}

#[test]
fn without_containerd_nothing_is_said_about_images_and_blobs_stay() {
    let host = Scripted::new();
    blob(&host, "b1", 1);
    assert_eq!(changes(&host, &state(&[], &[&format!("{PAUSE}:3.4")], &[], 1)), []);
}

#[test]
fn agents_of_earlier_versions_go() {
    let host = Scripted::new();
    let agents = ["a", "b", "c", "d"].map(|letter| letter.repeat(64));
    for (agent, days) in agents.iter().zip([40, 30, 20, 10]) {
        host.put(&format!("/var/lib/kubewright/bin/{agent}/kubewright"), "");
        let directory = fs::File::open(host.at(&format!("/var/lib/kubewright/bin/{agent}"))).unwrap();
        directory.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
    }
    host.put("/var/lib/kubewright/bin/kubewright", "");
    host.put("/proc/7/stat", "7 (x) S 1 1");
    symlink(format!("/var/lib/kubewright/bin/{}/kubewright", agents[0]), host.at("/proc/7/exe")).unwrap();
    insta::assert_snapshot!(settles(&host, &state(&[], &[], &[], 1)), @"
    Remove old agent cccccccccccc: removed: no longer in use, and a newer one is retained
    Remove old agent bbbbbbbbbbbb: removed: no longer in use, and a newer one is retained
    ");
}
