//! Each failure is one clear error that names the host, and nothing is left half-written.

use std::io::{Read, Seek, SeekFrom, Write};
use std::process::Stdio;

use crate::locking::a_run_is_at_work;
use crate::world::{Ran, World};

fn install_with(world: &World, inventory: &std::path::Path) -> Ran {
    let inventory = inventory.display().to_string();
    world.exec(&["kubewright", "install", "-i", &inventory])
}

#[track_caller]
fn fails_naming(ran: Ran, words: &[&str]) {
    let ran = ran.exits(1);
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?} is not in:\n{}", ran.stderr);
    }
}

pub(crate) fn a_host_that_fails_leaves_the_others_alone(world: &World) {
    // Unreachable: the cable is out.
    world.lab(&["cut", "n2"], &[]).exits(0);
    let ran = world.run_verb("install", &[]);
    world.lab(&["heal", "n2"], &[]).exits(0);
    fails_naming(ran, &["n2", "reached, and left as they are: m1, m2, m3, n1"]);

    // A changed host key is refused, whatever the flags.
    let text = std::fs::read_to_string(&world.inventory).unwrap();
    let keys: Vec<&str> = text
        .lines()
        .filter_map(|line| line.find("ssh-ed25519 ").map(|at| line[at..].trim_end_matches(['"', '\'', ']', '}', ' '])))
        .collect();
    let changed = world.inventory_with("changed-key.yaml", keys[0], keys[1]);
    fails_naming(install_with(world, &changed), &["m1", "host key"]);

    // A wrong sudo password.
    let sudo = world.inventory_with(
        "sudo.yaml",
        "user: root",
        "user: opspw, become: sudo, becomePassword: {env: WRONG_PASSWORD}",
    );
    let inventory = sudo.display().to_string();
    let ran = world.exec(&["env", "WRONG_PASSWORD=not-it", "kubewright", "install", "-i", &inventory]);
    assert!(!ran.stderr.contains("not-it"), "the password is shown");
    fails_naming(ran, &["m1", "n2", "becoming root", "the password is wrong"]);

    // Nothing of all that touched a host.
    world.on("m1", "test ! -e /etc/kubernetes && test ! -e /opt/kubewright").exits(0);
}

pub(crate) fn a_corrupt_blob_is_refused_and_named(world: &World) {
    let copy = tempfile::tempdir().unwrap();
    let image = copy.path().join("image");
    let copied = std::process::Command::new("cp").arg("-r").arg(world.image()).arg(&image).status().unwrap();
    assert!(copied.success());
    // A layer that masters get: the directory may hold those of earlier builds, too.
    let reference = format!("oci:{}", image.display());
    let inspected = world.kubewright(&["image", "inspect", &reference, "-o", "json"]).exits(0).json();
    let components = inspected["image"]["components"].as_array().unwrap();
    let kubelet = components.iter().find(|component| component["name"] == "kubelet").unwrap();
    let layer = image.join("blobs/sha256").join(kubelet["blob"]["sha256"].as_str().unwrap());
    let mut file = std::fs::OpenOptions::new().write(true).open(&layer).unwrap();
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(b"not what it was").unwrap();

    let from = world.image().display().to_string();
    let inventory = world.inventory_with("corrupt.yaml", &from, &image.display().to_string());
    let digest = layer.file_name().unwrap().to_string_lossy().into_owned();
    fails_naming(install_with(world, &inventory), &[&digest[..12]]);
    world.on("m1", "test ! -e /etc/kubernetes && test ! -e /opt/kubewright").exits(0);
}

pub(crate) fn a_full_disk_is_found_first(world: &World) {
    world.on("n1", "mkdir -p /var/lib/kubewright && mount -t tmpfs -o size=80m tmpfs /var/lib/kubewright").exits(0);
    // The file system that matters is the one of /var/lib; here only the blob store is small, so sending fails.
    let ran = world.run_verb("install", &[]);
    let left = world.on("n1", "ls /var/lib/kubewright/blobs/sha256 2>/dev/null | grep -v part; true").exits(0).stdout;
    world.on("n1", "umount /var/lib/kubewright").exits(0);
    fails_naming(ran, &["n1", "space"]);
    for name in left.lines() {
        assert_eq!(name.len(), 64, "{name} is no blob");
    }
    // The others are as far as they could come; the next run goes on from there.
}

pub(crate) fn unknown_host_keys_are_accepted_once_and_when_asked(world: &World) {
    let text = std::fs::read_to_string(&world.inventory).unwrap();
    let without: String =
        text.lines().filter(|line| !line.contains("hostKeys")).map(|line| format!("{line}\n")).collect();
    assert_ne!(text, without);
    let inventory = world.inventory.with_file_name("unpinned.yaml");
    std::fs::write(&inventory, without).unwrap();
    let home = tempfile::tempdir().unwrap();
    let home = format!("HOME={}", home.path().display());
    let inventory = inventory.display().to_string();
    let plan = |flags: &[&str]| world.exec(&[&["env", &home, "kubewright", "plan", "-i", &inventory], flags].concat());
    fails_naming(plan(&[]), &["m1", "n2", "--accept-new-host-keys"]);
    plan(&["--accept-new-host-keys"]).exits(2);
    plan(&[]).exits(2);
}

/// On a cluster that runs: the host is named long before a gate's own deadline, and nobody waits for it any more.
pub(crate) fn a_host_cut_off_in_the_middle_is_named(world: &World) {
    let mut run = world.verb_command("install", &[], &[("KUBEWRIGHT_HOLD_AT", "workers:start")]);
    let mut run = run.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // What the hold is on has begun when the lock is taken and the hosts were compared.
    a_run_is_at_work(world);
    world.lab(&["cut", "n2"], &[]).exits(0);
    drop(run.stdin.take());
    let mut said = String::new();
    run.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let code = run.wait().unwrap().code();
    world.lab(&["heal", "n2"], &[]).exits(0);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("n2: ") && said.contains("the other side stopped answering"), "{said}");
    assert!(!said.contains("not within"), "{said}");
    world.run_verb("install", &[]).exits(0);
}

pub(crate) fn a_kubelet_that_cannot_start_is_told(world: &World) {
    const DROP_IN: &str = "/etc/systemd/system/kubelet.service.d/99-broken.conf";
    world
        .on(
            "n1",
            &format!(
                "mkdir -p $(dirname {DROP_IN}) && \
                 printf '[Service]\\nExecStart=\\nExecStart=/bin/sh -c \"sleep 1; echo no such disk; exit 3\"\\n' >{DROP_IN} && \
                 systemctl daemon-reload && systemctl kill -s KILL kubelet"
            ),
        )
        .exits(0);
    let ran = world.run_verb("install", &[]);
    world.on("n1", &format!("rm -r $(dirname {DROP_IN}) && systemctl daemon-reload")).exits(0);
    fails_naming(ran, &["n1", "kubelet.service", "keeps crashing", "no such disk", "journalctl -u kubelet"]);
    world.run_verb("install", &[]).exits(0);
}
