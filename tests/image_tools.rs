//! Cluster images, judged by skopeo and umoci (`scripts/packages.sh` installs them).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that runs other programs"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const SPEC: &str = "
apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: sample
kubernetes: v1.20.2
architectures: [ARCHITECTURES]
components:
  - {name: etcd, version: 3.5.16, roles: [etcd], files: [{file: etcd, to: bin/etcd, mode: '0755'}]}
  - name: pause
    version: '3.2'
    roles: [control-plane, worker]
    images: [{reference: 'registry.example/pause:3.2', layers: [program], entrypoint: [/pause]}]
    layers: {program: [{file: pause, to: pause}]}
";

/// The head of a program for this machine that needs no libraries.
fn program(machine: u16) -> Vec<u8> {
    let mut head = vec![0; 64];
    head[..6].copy_from_slice(b"\x7fELF\x02\x01");
    head[18..20].copy_from_slice(&machine.to_le_bytes());
    head
}

/// Builds an image in `directory/image`, and returns its digest.
fn build(directory: &Path, architectures: &str) -> String {
    for (name, content) in [
        ("etcd", b"etcd".to_vec()),
        ("pause", b"pause".to_vec()),
        ("amd64", program(62)),
        ("arm64", program(183)),
        ("spec.yaml", SPEC.replace("ARCHITECTURES", architectures).into_bytes()),
    ] {
        fs::write(directory.join(name), content).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubewright"));
    command.current_dir(directory).env("KUBEWRIGHT_CACHE", directory);
    command.args(["image", "build", "spec.yaml", "-o", "oci:image:v1"]);
    command.args(["--program", "amd64=amd64", "--program", "arm64=arm64"]);
    let output = text(command.output().unwrap());
    output.lines().find(|line| line.starts_with("sha256:")).unwrap().to_owned()
}

fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a tool in `directory`.
fn run(directory: &Path, tool: &str, arguments: &[&str]) -> String {
    text(Command::new(tool).current_dir(directory).args(arguments).output().unwrap())
}

fn json(directory: &Path, tool: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&run(directory, tool, arguments)).unwrap()
}

fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

#[test]
fn skopeo_reads_and_copies_an_image() {
    if !has("skopeo") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let digest = build(directory.path(), "amd64");
    let seen = json(directory.path(), "skopeo", &["inspect", "oci:image:v1"]);
    assert_eq!(seen["Digest"], digest);
    assert_eq!((&seen["Architecture"], &seen["Os"]), (&"amd64".into(), &"linux".into()));
    assert_eq!(seen["Layers"].as_array().unwrap().len(), 3);
    let config = json(directory.path(), "skopeo", &["inspect", "--config", "oci:image:v1"]);
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/usr/local/bin/kubewright"]));

    // What comes out of another layout is the same image, to us as well.
    run(directory.path(), "skopeo", &["--insecure-policy", "copy", "oci:image:v1", "oci:copy:v2"]);
    let copied = json(directory.path(), "skopeo", &["inspect", "oci:copy:v2"]);
    assert_eq!(copied["Digest"], digest);
    let kubewright = env!("CARGO_BIN_EXE_kubewright");
    let inspected = json(directory.path(), kubewright, &["image", "inspect", "oci:copy:v2", "--verify", "-o", "json"]);
    assert_eq!(inspected["digest"], digest);
}

#[test]
fn skopeo_knows_every_architecture_of_an_index() {
    if !has("skopeo") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let digest = build(directory.path(), "amd64, arm64");
    let index = json(directory.path(), "skopeo", &["inspect", "--raw", "oci:image:v1"]);
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    for architecture in ["amd64", "arm64"] {
        let override_arch = format!("--override-arch={architecture}");
        let seen = json(directory.path(), "skopeo", &[&override_arch, "inspect", "oci:image:v1"]);
        assert_eq!(seen["Architecture"], architecture);
    }
    run(directory.path(), "skopeo", &["--insecure-policy", "copy", "--all", "oci:image:v1", "oci:copy:v2"]);
    let raw = run(directory.path(), "skopeo", &["inspect", "--raw", "oci:copy:v2"]);
    let copied: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(copied, index);
    let layout: Value = serde_json::from_slice(&fs::read(directory.path().join("copy/index.json")).unwrap()).unwrap();
    assert_eq!(layout["manifests"][0]["digest"], digest);

    // Each variant opens by itself.
    for architecture in ["amd64", "arm64"] {
        let inspect = ["image", "inspect", "oci:copy:v2", "--verify", "-o", "json", "--architecture", architecture];
        let seen = json(directory.path(), env!("CARGO_BIN_EXE_kubewright"), &inspect);
        assert_eq!(seen["image"]["architecture"], architecture);
    }
}

#[test]
fn umoci_unpacks_an_image() {
    if !has("umoci") || !has("skopeo") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    build(directory.path(), "amd64");
    assert_eq!(run(directory.path(), "umoci", &["ls", "--layout", "image"]).trim(), "v1");
    // The umoci of Debian 12 is from before OCI images could have zstd layers: it gets the same ones as gzip.
    let copy = ["--insecure-policy", "copy", "--dest-compress-format", "gzip", "oci:image:v1", "oci:gzip:v1"];
    run(directory.path(), "skopeo", &copy);
    run(directory.path(), "umoci", &["unpack", "--rootless", "--image", "gzip:v1", "bundle"]);
    let root = directory.path().join("bundle/rootfs");
    for (path, content) in
        [("usr/local/bin/kubewright", program(62)), ("opt/kubewright/etcd/3.5.16/bin/etcd", b"etcd".to_vec())]
    {
        assert_eq!(fs::read(root.join(path)).unwrap(), content, "{path}");
    }
    assert!(fs::read_to_string(root.join("etc/ssl/certs/ca-certificates.crt")).unwrap().contains("BEGIN CERTIFICATE"));
    assert!(root.join("opt/kubewright/images/pause.tar").exists() && root.join("tmp").is_dir());
    let bundle: Value =
        serde_json::from_slice(&fs::read(directory.path().join("bundle/config.json")).unwrap()).unwrap();
    assert_eq!(bundle["process"]["args"], serde_json::json!(["/usr/local/bin/kubewright"]));
    assert!(bundle["process"]["env"].as_array().unwrap().contains(&"HOME=/root".into()));
}
