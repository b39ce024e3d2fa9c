//! `kubewright report`, as it is called: a cluster of which no host answers still has a page.

use std::fs;

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
  endpoint: {host: api.bj1.example, port: 6443, mode: local}
  hosts:
    - {name: 'm[1-3]', address: '198.51.100.[11-13]', roles: [control-plane, etcd], idc: bj1, rack: 'r[1-3]',
       ssh: {host: '127.0.0.[11-13]', port: 1}}
    - {name: n1, address: 198.51.100.21, roles: [worker], idc: sh2, rack: r4, ssh: {host: 127.0.0.21, port: 1}}
";

const LOG: &str = r#"{"cluster":"q","event":"run-started","hosts":4,"log":"x","time":"2026-11-29T04:00:00Z","verb":"install"}
{"event":"stage-started","hosts":["m1"],"stage":"etcd","time":"2026-11-29T04:00:01Z"}
{"changed":3,"event":"stage-finished","ok":false,"stage":"etcd","time":"2026-11-29T04:00:05Z","took":4.0}
{"error":"m1: <script>alert(1)</script>","event":"run-failed","time":"2026-11-29T04:00:06Z"}
{"event":"log-ended","time":"2026-11-29T04:00:06Z"}
"#;

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path().join("state/prod-bj1/runs");
    fs::create_dir_all(&runs).unwrap();
    for (file, content) in [
        (home.path().join("etcd"), "etcd"),
        (home.path().join("spec.yaml"), SPEC),
        (home.path().join("cluster.yaml"), INVENTORY),
        (runs.join("20261129T040000Z-install-1.log"), LOG),
        (runs.join("20261129T050000Z-upgrade-2.log"), "<b>rubbish</b>\n"),
    ] {
        fs::write(file, content).unwrap();
    }
    kubewright(home.path()).args(["image", "build", "spec.yaml", "-o", "oci:out"]).assert().success();
    home
}

#[test]
fn a_cluster_without_a_host_that_answers_has_a_page_and_that_is_a_success() {
    let home = home();
    let arguments = ["report", "-i", "cluster.yaml", "--to", "page.html"];
    for _ in 0..2 {
        let said = contains("prod-bj1 v1.20.2: not well").and(contains("written to page.html"));
        kubewright(home.path()).args(arguments).assert().code(0).stdout("").stderr(said);
    }
    let page = fs::read_to_string(home.path().join("page.html")).unwrap();
    for expected in [
        "4 of 4 hosts do not answer: m1, m2, m3, n1",
        "127.0.0.21:1",
        "sh2",
        "&lt;script&gt;alert(1)&lt;&#x2f;script&gt;",
        "20261129T050000Z-upgrade-2.log: its first line is no event",
        // This one, and the one before it.
        "2 runs that only looked",
    ] {
        assert!(page.contains(expected), "{expected} is not in\n{page}");
    }
    assert!(page.ends_with("</html>\n") && !page.contains("<script"));

    let whole = predicate::str::starts_with("<!DOCTYPE html>").and(predicate::str::ends_with("</html>\n"));
    kubewright(home.path()).args(&arguments[..3]).assert().code(0).stdout(whole);
}

#[test]
fn a_page_goes_where_one_can_be_and_costs_nothing_else() {
    let home = home();
    fs::write(home.path().join("diary.txt"), "dear diary\n").unwrap();
    for (arguments, what) in [
        (&["--to", "diary.txt"][..], "no page of kubewright"),
        (&["--to", "nowhere/page.html"], "nowhere is no directory"),
        (&["--to", "/dev/null"], "no regular file"),
        (&["-o", "json"], "--to FILE.html"),
    ] {
        let mut command = kubewright(home.path());
        command.args(["report", "-i", "cluster.yaml"]).args(arguments).assert().code(64).stderr(contains(what));
    }
    assert_eq!(fs::read_to_string(home.path().join("diary.txt")).unwrap(), "dear diary\n");
    let bad = kubewright(home.path()).args(["report", "-i", "-"]).write_stdin("kind: Nothing\n").assert();
    bad.code(65).stdout("");
}
