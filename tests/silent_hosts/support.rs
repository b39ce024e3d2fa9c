//! `kubewright support`, as it is called: a cluster of which no host answers still makes an archive.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use predicates::prelude::*;
use predicates::str::contains;

use crate::{SPEC, kubewright};

/// Nobody listens on port 1.
const INVENTORY: &str = "
apiVersion: kubewright.dev/v1alpha1
kind: Cluster
metadata: {name: prod-bj1}
spec:
  image: oci:out
  ssh: {user: ops, become: sudo, becomePassword: {file: sudo.txt}}
  endpoint: {host: api.bj1.example, port: 6443, mode: local}
  etcd: {snapshots: {every: 1h, targets: [{directory: /backup}], webhook: 'https://hooks.example/planted-webhook'}}
  hosts:
    - {name: m1, address: 198.51.100.11, roles: [control-plane, etcd], ssh: {host: 127.0.0.11, port: 1}}
    - {name: n1, address: 198.51.100.21, roles: [worker], ssh: {host: 127.0.0.21, port: 1}}
";

const LOG: &str = r#"{"cluster":"q","event":"run-started","hosts":2,"log":"x","time":"2026-11-29T04:00:00Z","verb":"install"}
{"error":"m1: it said planted-for-sudo and --token abc.planted","event":"run-failed","time":"2026-11-29T04:00:06Z"}
"#;

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path().join("state/prod-bj1/runs");
    fs::create_dir_all(&runs).unwrap();
    for (file, content) in [
        (home.path().join("etcd"), "etcd"),
        (home.path().join("spec.yaml"), SPEC),
        (home.path().join("cluster.yaml"), INVENTORY),
        (home.path().join("sudo.txt"), "planted-for-sudo\n"),
        (runs.join("20261129T040000Z-install-1.log"), LOG),
    ] {
        fs::write(file, content).unwrap();
    }
    kubewright(home.path()).args(["image", "build", "spec.yaml", "-o", "oci:out"]).assert().success();
    home
}

fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(fs::File::open(path).unwrap()).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let (name, mut text) = (entry.path().unwrap().display().to_string(), String::new());
        entry.read_to_string(&mut text).unwrap();
        (name.split_once('/').unwrap().1.to_owned(), text)
    });
    entries.collect()
}

#[test]
fn where_no_host_answers_an_archive_is_made_and_that_is_a_success() {
    let home = home();
    let arguments = ["support", "-i", "cluster.yaml", "--to", "a.tar.zst"];
    let said =
        contains("missing: hosts/m1/: ").and(contains("missing: hosts/n1/: ")).and(contains("written to a.tar.zst"));
    kubewright(home.path()).args(arguments).assert().code(0).stdout(said);
    let path = home.path().join("a.tar.zst");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let files = unpacked(&path);
    for (name, text) in &files {
        assert!(!text.contains("planted"), "{name}: {text}");
    }
    assert!(files["cluster/inventory.yaml"].contains("becomePassword: {file: "), "{}", files["cluster/inventory.yaml"]);
    let log = &files["cluster/runs/20261129T040000Z-install-1.log"];
    assert!(log.contains("m1: it said [redacted] and --token [redacted]"), "{log}");
    assert!(files["missing.txt"].contains("127.0.0.21:1") && files["missing.txt"].contains("api/: "));
    assert!(files["cluster/status.json"].contains("\"unreachable\"") && files.contains_key("cluster/plan.txt"));

    // Of the same name, another one is not replaced.
    kubewright(home.path()).args(arguments).assert().code(64).stderr(contains("it is there already"));
    let json = kubewright(home.path()).args(["support", "-i", "cluster.yaml", "-o", "json"]).assert().code(0);
    let last = String::from_utf8_lossy(&json.get_output().stdout).lines().last().unwrap().to_owned();
    let told: serde_json::Value = serde_json::from_str(&last).unwrap();
    let named = told["archive"].as_str().unwrap();
    assert!(named.starts_with("prod-bj1-support-") && home.path().join(named).is_file(), "{told}");
    assert!(told["missing"].as_array().unwrap().len() >= 3, "{told}");
}

#[test]
fn wrong_words_are_told_before_anything_is_asked() {
    let home = home();
    for (arguments, what) in [
        (&["--to", "nowhere/a.tar.zst"][..], "nowhere is no directory"),
        (&["--since", "soon"], "soon"),
        (&["--log-size", "1GiB"], "16MiB"),
        (&["--recipient", "age1nobody"], "no public key of age"),
        (&["--limit", "m9"], "no host \"m9\""),
    ] {
        let mut command = kubewright(home.path());
        command.args(["support", "-i", "cluster.yaml"]).args(arguments).assert().code(64).stderr(contains(what));
    }
    assert!(
        !fs::read_dir(home.path()).unwrap().any(|entry| entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("support"))
    );
}
