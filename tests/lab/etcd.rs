//! Snapshots of etcd, and what they are for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::upgrade::{image, nodes_are_well};
use crate::world::{Ran, World, eventually};

const NAMESPACE: &str = "restored";
const OBJECTS: usize = 400;

fn save(world: &World, directory: &Path, arguments: &[&str]) -> Ran {
    let directory = directory.display().to_string();
    world.run_verb("etcd snapshot save", &[&["--to", &directory], arguments].concat())
}

fn restore(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    world.run_verb_with("etcd restore", &[&["--confirm", world.name()], arguments].concat(), environment)
}

/// Every object of the test, by name: its UID and its content.
pub(crate) fn objects(world: &World) -> BTreeMap<String, (String, String)> {
    let list: Value =
        serde_json::from_str(&world.kubectl(&["-n", NAMESPACE, "get", "configmaps", "-o", "json"])).unwrap();
    let of = |object: &Value| {
        let (name, uid) = (&object["metadata"]["name"], &object["metadata"]["uid"]);
        (name.as_str().unwrap().to_owned(), (uid.to_string(), object["data"].to_string()))
    };
    // The controller-manager's own, in every namespace.
    let own = |object: &&Value| object["metadata"]["name"] != "kube-root-ca.crt";
    list["items"].as_array().unwrap().iter().filter(own).map(of).collect()
}

pub(crate) fn configuration(number: usize, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"value": value},
        "metadata": {"name": format!("object-{number:05}"), "namespace": NAMESPACE}})
}

pub(crate) fn apply(world: &World, verb: &str, items: Vec<Value>) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let file = world.file("objects.json", &list);
    world.kubectl(&[verb, "-f", file.to_str().unwrap()]);
}

/// Pods of the workload: UIDs, and how often their containers were started again.
pub(crate) fn pods(world: &World) -> String {
    let columns = "-o=custom-columns=U:.metadata.uid,R:.status.containerStatuses[*].restartCount";
    world.kubectl(&["get", "pods", "-l", "app=web", "--sort-by=.metadata.uid", columns])
}

/// What was deleted, changed and added since the snapshot.
fn damage(world: &World) {
    apply(world, "delete", (0..OBJECTS / 2).map(|number| configuration(number, "")).collect());
    apply(world, "replace", (OBJECTS / 2..OBJECTS / 2 + 20).map(|number| configuration(number, "changed")).collect());
    apply(world, "create", (OBJECTS..OBJECTS + 20).map(|number| configuration(number, "new")).collect());
}

pub(crate) fn a_restore_brings_everything_back(world: &World) {
    let directory = tempfile::tempdir().unwrap();
    let snapshots = directory.path().join("snapshots");
    world.kubectl(&["create", "namespace", NAMESPACE]);
    apply(world, "create", (0..OBJECTS).map(|number| configuration(number, "first")).collect());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/workload.yaml");
    world.kubectl(&["apply", "-f", manifest]);
    world.kubectl(&["rollout", "status", "deployment/web", "--timeout=240s"]);
    let (wanted, running) = (objects(world), pods(world));
    assert_eq!(wanted.len(), OBJECTS);

    let saved = save(world, &snapshots, &[]).exits(0);
    println!("{}", saved.stdout.trim());
    assert!(saved.stdout.contains("verified"), "{}", saved.stdout);
    let file = newest(&snapshots);
    damage(world);
    let damaged = objects(world);
    assert_ne!(damaged, wanted);

    // What is damaged, or of another cluster, is refused before anything is touched.
    refusals(world, directory.path(), &file);

    let ran = restore(world, &[snapshots.to_str().unwrap()], &[]).exits(0);
    println!("{}restored in {:.1} s\n{}", ran.stdout, ran.took.as_secs_f64(), ran.stderr);
    is_restored(world, &wanted, &running);

    // A cluster that was restored is saved and restored like any other.
    save(world, &snapshots, &[]).exits(0);

    // Cut off in the middle, nothing else may touch the cluster; resumed, it ends there as well.
    damage(world);
    let from = [snapshots.to_str().unwrap()];
    for boundary in ["unpack:done", "stop:done", "swap:done", "etcd:done", "control-plane:start"] {
        // Once hosts stand still, the snapshot is not needed any more.
        let arguments = if matches!(boundary, "unpack:done" | "stop:done") { from } else { ["--resume"] };
        let ran = restore(world, &arguments, &[("KUBEWRIGHT_KILL_AT", boundary)]);
        assert_eq!(ran.code, 137, "{boundary}: {}", ran.stderr);
        println!("killed at {boundary} after {:.1} s", ran.took.as_secs_f64());
        if boundary != "unpack:done" {
            let refused = world.run_verb("install", &[]).exits(1);
            assert!(refused.stderr.contains("etcd restore --resume"), "{}", refused.stderr);
        }
    }
    let ran = restore(world, &["--resume"], &[]).exits(0);
    println!("resumed in {:.1} s", ran.took.as_secs_f64());
    is_restored(world, &wanted, &running);

    let ran = restore(world, &["--undo"], &[]).exits(0);
    println!("taken back in {:.1} s", ran.took.as_secs_f64());
    let undone = objects(world);
    assert_eq!(undone.len(), damaged.len());
    assert!(undone.values().any(|(_, data)| data.contains("changed")), "not what was there before the restore");
    let again = restore(world, &["--undo"], &[]).exits(1);
    assert!(again.stderr.contains("no host has anything left"), "{}", again.stderr);
    world.kubectl(&["delete", "namespace", NAMESPACE]);
    world.kubectl(&["delete", "--wait=false", "-f", manifest]);
}

fn newest(directory: &Path) -> PathBuf {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "db")).max().unwrap()
}

fn refusals(world: &World, directory: &Path, file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[5000] ^= 1;
    let flipped = directory.join("flipped.db");
    std::fs::write(&flipped, &bytes).unwrap();
    let refused = restore(world, &[flipped.to_str().unwrap()], &[]).exits(1);
    assert!(refused.stderr.contains("SHA-256") && refused.stderr.contains("nothing was changed"), "{}", refused.stderr);
    let foreign = directory.join("foreign.db");
    std::fs::copy(file, &foreign).unwrap();
    let manifest = std::fs::read_to_string(file.with_extension("json")).unwrap();
    let named = format!("\"cluster\": \"{}\"", world.name());
    assert!(manifest.contains(&named), "{manifest}");
    std::fs::write(foreign.with_extension("json"), manifest.replace(&named, "\"cluster\": \"another\"")).unwrap();
    let refused = restore(world, &[foreign.to_str().unwrap()], &[]).exits(1);
    assert!(refused.stderr.contains("it is of the cluster another"), "{}", refused.stderr);
    let wrong = world.run_verb("etcd restore", &[file.to_str().unwrap(), "--confirm", "another"]).exits(64);
    assert!(wrong.stderr.contains("nothing was changed"), "{}", wrong.stderr);
    let nothing = restore(world, &["--resume"], &[]).exits(1);
    assert!(nothing.stderr.contains("none was begun"), "{}", nothing.stderr);
}

fn is_restored(world: &World, wanted: &BTreeMap<String, (String, String)>, running: &str) {
    assert_eq!(objects(world), *wanted);
    eventually("the pods are seen as they were", Duration::from_secs(60), || pods(world) == running);
    nodes_are_well(world, &world.kubelet_version());
    // The inventory that restores names an older image than the cluster runs: that is no matter of a restore.
    let runs = world.inventory_with(
        "runs.yaml",
        &world.image().display().to_string(),
        &image("KUBEWRIGHT_IMAGE_NEXT")["oci:".len()..],
    );
    let plan = world.run_verb_on(&runs, "plan", &[]);
    assert_eq!(plan.code, 0, "{}{}", plan.stdout, plan.stderr);
}
