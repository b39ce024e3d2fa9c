//! Blocks that are more than text: inventories are validated, and what needs no hosts is run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use assert_cmd::Command;
use serde_json::{Value, json};

use super::commands::kubewright;
use super::markdown::{self, Fence, Page};

/// Blocks of YAML in the README that are no part of an inventory, by what they begin with.
const OTHER_YAML: &[&str] = &[
    // Of the spec of a cluster image.
    "  - name: metrics",
    // An entry of a list, told in the sentence before it.
    "    - {for: containerd",
];

/// What fragments are put into. Its masters stay where a fragment brings none of its own.
fn minimal() -> Value {
    let masters =
        json!({"name": "m[1-3]", "address": "10.1.0.[11-13]", "roles": ["control-plane", "etcd"], "rack": "r1"});
    let worker = json!({"name": "w1", "address": "10.9.0.1", "roles": ["worker"], "rack": "r1"});
    json!({
        "apiVersion": "kubewright.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": "prod"},
        "spec": {"image": "oci:images/kubernetes", "hosts": [worker, masters]},
    })
}

#[test]
fn every_inventory_is_valid() {
    let mut wrong = Vec::new();
    let mut validated = 0;
    for page in markdown::book().into_iter().chain([markdown::page("README.md")]) {
        for fence in page.fences().iter().filter(|fence| fence.language() == "yaml") {
            match inventory(&page, fence) {
                Ok(Some(text)) => {
                    validated += 1;
                    wrong.extend(refused(&text).map(|said| format!("{}: {said}", page.at(fence.line))));
                }
                Ok(None) => {}
                Err(why) => wrong.push(format!("{}: {why}", page.at(fence.line))),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(validated > 40, "only {validated} blocks were validated");
}

/// The whole inventory that a block is, or is a part of.
fn inventory(page: &Page, fence: &Fence) -> Result<Option<String>, String> {
    let text = &fence.text;
    if text.contains("kind: Cluster") {
        return Ok(Some(text.clone()));
    }
    if fence.is("other") {
        return Ok(None);
    }
    let is_readme = page.path == Path::new("README.md");
    let first = text.lines().find(|line| !line.trim_start().starts_with('#')).unwrap_or_default();
    let fragment = match first {
        "spec:" => text.clone(),
        _ if is_readme && OTHER_YAML.iter().any(|other| first.starts_with(other)) => return Ok(None),
        // Indented as it is below `spec:`.
        _ if first.starts_with("  ") => format!("spec:\n{text}"),
        _ => {
            return Err(
                "neither an inventory nor a part of one; mark the block with yaml,other if it is neither".into()
            );
        }
    };
    // As the inventory is read: `off` is a word.
    let options = serde_yaml::options! { strict_booleans: true };
    let fragment: Value = serde_yaml::from_str_with_options(&fragment, options).map_err(|error| error.to_string())?;
    let mut whole = minimal();
    let hosts = fragment["spec"]["hosts"].as_array().cloned().unwrap_or_default();
    let is_master = |host: &Value| host["roles"].to_string().contains("control-plane");
    let mut all = whole["spec"]["hosts"].as_array().cloned().unwrap_or_default();
    if hosts.iter().any(is_master) {
        all.pop();
    }
    all.extend(hosts);
    for (key, value) in fragment["spec"].as_object().into_iter().flatten() {
        whole["spec"][key] = value.clone();
    }
    whole["spec"]["hosts"] = Value::Array(all);
    Ok(Some(whole.to_string()))
}

/// What `validate` says against it. The files that inventories name are there.
fn refused(inventory: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let at = |path: &str| directory.path().join(path);
    let copied = markdown::below("inventories/addons");
    fs::create_dir_all(at("addons/dashboards")).unwrap();
    for page in copied {
        fs::write(at("addons").join(page.path.file_name().unwrap()), page.text).unwrap();
    }
    fs::write(at("addons/dashboards/a.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n").unwrap();
    fs::write(at("image.pub"), PUBLIC_KEY).unwrap();
    let output = kubewright(directory.path()).args(["validate", "-i", "-"]).write_stdin(inventory).output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8nlIyz5lEqrCyUsFpqFKtc4TqOKPhXqP27dMDdXjC2mB4ZgrCO1Rk8pNJJGHXbZ2xQ0bGJ5pQyJ0LgJYzS0fJw==\n\
    -----END PUBLIC KEY-----\n";

#[test]
fn blocks_that_need_no_hosts_do_what_the_pages_say() {
    let mut run = 0;
    for page in markdown::book() {
        let directory = tempfile::tempdir().unwrap();
        let programs = directory.path().join("bin");
        fs::create_dir(&programs).unwrap();
        symlink(assert_cmd::cargo::cargo_bin!("kubewright"), programs.join("kubewright")).unwrap();
        let fences = page.fences();
        for (index, fence) in fences.iter().enumerate() {
            if let Some(name) = fence.value("file") {
                fs::write(directory.path().join(name), &fence.text).unwrap();
            }
            if !fence.is("run") {
                continue;
            }
            run += 1;
            let said = shell(&fence.text, directory.path(), &programs).unwrap_or_else(|said| {
                panic!("{}: the block failed:\n{said}", page.at(fence.line));
            });
            let Some(next) = fences.get(index + 1).filter(|next| next.is("output")) else { continue };
            assert!(is_like(&next.text, &said), "{}: it says now:\n{said}", page.at(next.line));
        }
    }
    assert!(run >= 10, "only {run} blocks were run");
}

/// What a script says on both outputs, or that it failed.
fn shell(script: &str, directory: &Path, programs: &Path) -> Result<String, String> {
    let mut command = Command::new("sh");
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
    command.args(["-eu", "-c", &format!("exec 2>&1\n{script}")]);
    command.env_clear().env("HOME", directory).env("PATH", path).env("COLUMNS", "100").current_dir(directory);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(said) } else { Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr))) }
}

/// Whether `said` is what the page shows. A line of `…` stands for any lines.
fn is_like(shown: &str, said: &str) -> bool {
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let said: Vec<&str> = said.lines().map(str::trim_end).collect();
    fits(&shown, &said)
}

fn fits(shown: &[&str], said: &[&str]) -> bool {
    match shown.split_first() {
        None => said.is_empty(),
        Some((&"…", rest)) => (0..=said.len()).any(|skipped| fits(rest, &said[skipped..])),
        Some((line, rest)) => said.split_first().is_some_and(|(first, behind)| line == first && fits(rest, behind)),
    }
}

#[test]
fn a_script_says_why_its_blocks_are_not_run() {
    for page in markdown::book() {
        for fence in page.fences().iter().filter(|fence| fence.language() == "sh") {
            let marks = ["run", "norun"].iter().filter(|mark| fence.is(mark)).count();
            assert_eq!(marks, 1, "{}: mark the block with sh,run or sh,norun", page.at(fence.line));
        }
    }
}

#[test]
fn dots_stand_for_lines() {
    assert!(is_like("a\n…\nd\n", "a\nb\nc\nd") && is_like("…", "") && is_like("a", "a \n"));
    assert!(!is_like("a\n…\nd\n", "a\nb") && !is_like("a", "a\nb"));
}
