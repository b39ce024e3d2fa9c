//! The verbs that need no host, as a user runs them.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

fn kubewright(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("kubewright"));
    command.args(arguments).env_clear().env("HOME", "/home/me");
    command
}

fn example(name: &str) -> String {
    format!("{}/inventories/{name}.yaml", env!("CARGO_MANIFEST_DIR"))
}

const BAD: &str =
    "apiVersion: kubewright.dev/v1alpha1\nkind: Cluster\nmetadata: {name: a}\nspec: {imag: oci:x, hosts: []}\n";

#[test]
fn a_valid_inventory_is_summed_up() {
    let expected = contains("three-masters")
        .and(contains("3 (m1, m2, m3)"))
        .and(contains("40 (n001, n002, …, n040)"))
        .and(contains("api.three-masters.kubewright.internal:6443 (local)"))
        .and(contains("pods 10.244.0.0/16, services 10.96.0.0/16"));
    let note = predicate::str::starts_with("note: ").and(contains(".ssh/id_ed25519 is not on this machine"));
    kubewright(&["validate", "-i", &example("three-masters")]).assert().success().stdout(expected).stderr(note);
    kubewright(&["validate", "-o", "json", "-i", &example("vip")]).assert().success().stdout("").stderr("");
}

#[test]
fn an_invalid_inventory_is_reported_on_with_its_exit_code() {
    let expected = contains("unknown field `imag`")
        .and(contains("did you mean `image`?"))
        .and(contains(" --> <stdin>:4:8"))
        .and(predicate::str::ends_with("errors in <stdin>\n"))
        .and(contains("\u{1b}").not());
    kubewright(&["validate", "-i", "-"]).write_stdin(BAD).assert().code(65).stdout("").stderr(expected);
}

#[test]
fn every_error_is_one_json_object() {
    let output = kubewright(&["validate", "-o", "json", "-i", "-"]).write_stdin(BAD).assert().code(65).stderr("");
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let findings: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(findings.len() > 1);
    assert_eq!(findings[0]["field"], "spec.imag");
    assert_eq!((&findings[0]["line"], &findings[0]["column"]), (&4.into(), &8.into()));
    for finding in findings {
        for key in ["file", "message", "hint"] {
            assert!(finding[key].as_str().is_some_and(|text| !text.is_empty()), "{finding}");
        }
    }
}

#[test]
fn files_that_an_inventory_names_are_looked_at() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let inventory = directory.path().join("cluster.yaml");
    let text = "apiVersion: kubewright.dev/v1alpha1
kind: Cluster
metadata: {name: a}
spec:
  image: oci:x
  ssh: {user: ops, becomePassword: {file: sudo.password}}
  hosts:
    - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd, worker]}
";
    std::fs::write(&inventory, text).unwrap();
    let validate = || kubewright(&["validate", "-i", inventory.to_str().unwrap()]).assert();
    let password = directory.path().join("sudo.password");
    validate().success().stderr(contains("cluster.yaml:6:43: ").and(contains("is not on this machine")));
    std::fs::write(&password, "hunter2\n").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644)).unwrap();
    validate().success().stderr(contains("open to other users (mode 644)").and(contains("hunter2").not()));
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    validate().success().stderr("");
    std::fs::write(&password, "hunter2\nhunter3\n").unwrap();
    let expected = contains("has more than one line").and(contains("cluster.yaml:6:43")).and(contains("hunter").not());
    validate().code(65).stderr(expected);
    std::fs::remove_file(&password).unwrap();
    std::fs::create_dir(&password).unwrap();
    validate().code(65).stderr(contains("is a directory, and not a file"));
}

#[test]
fn a_missing_inventory_is_named() {
    let expected = contains("/nowhere/a.yaml").and(contains("No such file"));
    kubewright(&["validate", "-i", "/nowhere/a.yaml"]).assert().code(65).stderr(expected);
    kubewright(&["validate"]).assert().code(64).stderr(contains("--inventory"));
}

#[test]
fn the_starter_is_valid() {
    let output = kubewright(&["init", "--name", "prod-bj1"]).assert().success().stderr("");
    let starter = output.get_output().stdout.clone();
    kubewright(&["validate", "-i", "-"]).write_stdin(starter).assert().success().stdout(contains("prod-bj1"));
    kubewright(&["init", "--name", "No Name"]).assert().code(64).stderr(contains("prod-bj1"));
}

#[test]
fn the_schema_is_json() {
    let output = kubewright(&["schema"]).assert().success();
    let schema: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(schema["title"], "kubewright inventory");
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "standard output is what this is about")]
fn lost_output_is_a_failure_and_a_closed_pipe_is_none() {
    let run = |arguments: &[&str], stdout: std::process::Stdio| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("kubewright"));
        command.args(arguments).stdin(std::process::Stdio::null()).stdout(stdout).output().unwrap()
    };
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    for verb in [&["schema"][..], &["--help"], &["init"], &["completion", "bash"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let lost = run(verb, full.into());
        let said = String::from_utf8_lossy(&lost.stderr);
        assert_eq!(lost.status.code(), Some(1), "{verb:?}: {said}");
        assert!(said.contains("cannot write to standard output"), "{verb:?}: {said}");
        assert_eq!(run(verb, closed().into()).status.code(), Some(0), "{verb:?}");
    }
    // The verb's own exit code stays.
    assert_eq!(run(&["validate", "-o", "json", "-i", "/dev/null"], closed().into()).status.code(), Some(65));
}

/// Editors take it from the repository.
#[test]
fn the_published_schema_is_current() {
    let file = format!("{}/schema/inventory.json", env!("CARGO_MANIFEST_DIR"));
    let output = kubewright(&["schema"]).output().unwrap();
    let now = String::from_utf8(output.stdout).unwrap();
    if std::env::var_os("KUBEWRIGHT_UPDATE_DOCS").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap();
    assert!(published == now, "{file} is not what `kubewright schema` prints; KUBEWRIGHT_UPDATE_DOCS=1 writes it");
}

#[test]
fn another_tools_inventory_becomes_one_that_is_valid() {
    for source in ["kubespray:src/migrate/testdata/kubespray/prod-bj1", "k0sctl:src/migrate/testdata/k0sctl/prod.yaml"]
    {
        let made = kubewright(&["init", "--name", "mine", "--from", source]).assert().success();
        let output = made.get_output();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("not carried over") && told.contains("CHANGE ME"), "{told}");
        let text = output.stdout.clone();
        kubewright(&["validate", "-i", "-"]).write_stdin(text).assert().success().stdout(contains("mine"));
    }
    let bad = "kubespray:src/migrate/testdata/bad/no-control-plane.ini";
    kubewright(&["init", "--from", bad]).assert().code(65).stdout("").stderr(contains("control-plane"));
    kubewright(&["init", "--from", "rke:x"]).assert().code(64).stdout("").stderr(contains("kubespray:DIR"));
}
