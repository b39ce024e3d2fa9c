//! `kubewright image lock`, and builds that go by a lock: against a publisher on loopback.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use assert_cmd::Command;
use predicates::prelude::*;

const SPEC: &str = "
apiVersion: kubewright.dev/v1alpha1
kind: ImageSpec
name: sample
kubernetes: v1.20.2
program: false
components:
  - name: etcd
    version: 3.5.16
    roles: [etcd]
    files: [{url: 'https://publisher.example/v{version}/etcd-{arch}', to: bin/etcd, mode: '0755'}]
";

/// Files of a publisher by path.
type Files = Arc<Mutex<BTreeMap<&'static str, String>>>;

/// Serves `files`, and returns what stands for the publisher: `publisher.example=http://…`.
fn serve(files: &Files) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mirror = format!("publisher.example=http://{}", listener.local_addr().unwrap());
    let files = Arc::clone(files);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let path = head[0].split(' ').nth(1).unwrap();
            let (status, body) = match files.lock().unwrap().get(path) {
                Some(body) => ("200 OK", body.clone()),
                None => ("404 Not Found", String::new()),
            };
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        }
    });
    mirror
}

fn publish(files: &Files, content: &str, sha256: &str) {
    let mut files = files.lock().unwrap();
    files.insert("/v3.5.16/etcd-amd64", content.to_owned());
    files.insert("/v3.5.16/etcd-amd64.sha256", format!("{sha256}  etcd-amd64\n"));
}

fn kubewright(cache: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command: Command = assert_cmd::cargo_bin_cmd!("kubewright");
    command.env("KUBEWRIGHT_CACHE", cache).current_dir(cache).args(arguments).assert()
}

/// `printf one | sha256sum`, and of `two`.
const ONE: &str = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
const TWO: &str = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";

#[test]
fn a_spec_is_locked_and_built_by_its_lock() {
    let (directory, files) = (tempfile::tempdir().unwrap(), Files::default());
    let mirror = serve(&files);
    let cache = directory.path();
    fs::write(cache.join("spec.yaml"), SPEC).unwrap();
    publish(&files, "one", ONE);
    let build = ["image", "build", "spec.yaml", "-o", "oci:out", "--mirror", &mirror];
    let lock = ["image", "lock", "spec.yaml", "--mirror", &mirror];
    let unpinned = predicate::str::contains("1 input(s) of sample are pinned neither by it nor by its lock")
        .and(predicate::str::contains("https://publisher.example/v3.5.16/etcd-amd64"));
    kubewright(cache, &build).code(1).stderr(unpinned);
    assert!(!cache.join("out").exists());

    kubewright(cache, &lock).success().stdout("spec.lock.yaml: 1 files and 0 images locked\n");
    let locked = fs::read_to_string(cache.join("spec.lock.yaml")).unwrap();
    assert!(locked.contains(&format!("\"https://publisher.example/v3.5.16/etcd-amd64\": {ONE}\n")), "{locked}");
    kubewright(cache, &lock).success().stdout("spec.lock.yaml: 1 inputs, unchanged\n");
    kubewright(cache, &build).success();

    // The publisher has another file under the same name: a new cache shows that it is not taken, whatever the lock says.
    publish(&files, "two", TWO);
    let moved = format!("https://publisher.example/v3.5.16/etcd-amd64 moved: locked as {ONE}, now {TWO}");
    kubewright(cache, &lock).code(1).stderr(predicate::str::contains(&moved).and(predicate::str::contains("--update")));
    assert_eq!(fs::read_to_string(cache.join("spec.lock.yaml")).unwrap(), locked);
    let elsewhere = tempfile::tempdir().unwrap();
    let mut other: Command = assert_cmd::cargo_bin_cmd!("kubewright");
    other.env("KUBEWRIGHT_CACHE", elsewhere.path()).current_dir(cache).args(build);
    let wrong = predicate::str::contains(format!("has digest {TWO}, but the spec or its lock says {ONE}"));
    other.assert().code(1).stderr(wrong);

    let update = [&lock[..], &["--update"]].concat();
    kubewright(cache, &update).success().stdout(predicate::str::contains(&moved));
    kubewright(cache, &build).success();
}

#[test]
fn a_lock_that_is_not_the_spec_s_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path();
    fs::write(cache.join("spec.yaml"), SPEC).unwrap();
    let lock = |url: &str| {
        format!("apiVersion: kubewright.dev/v1alpha1\nkind: ImageLock\nname: sample\nfiles:\n  {url}: {ONE}\n")
    };
    fs::write(cache.join("spec.lock.yaml"), lock("https://publisher.example/v3.5.15/etcd-amd64")).unwrap();
    let build = ["image", "build", "spec.yaml", "-o", "oci:out"];
    let differs = predicate::str::contains("it does not pin https://publisher.example/v3.5.16/etcd-amd64")
        .and(predicate::str::contains("it pins https://publisher.example/v3.5.15/etcd-amd64, which the spec does not"));
    kubewright(cache, &build).code(1).stderr(differs);
    fs::write(cache.join("spec.lock.yaml"), "kind: Other\n").unwrap();
    kubewright(cache, &build).code(1).stderr(predicate::str::contains("spec.lock.yaml is not the lock of a spec"));
    let gone = [&build[..], &["--lock", "gone.yaml"]].concat();
    kubewright(cache, &gone).code(1).stderr(predicate::str::contains("there is no lock at gone.yaml"));
    let arm64 = [&build[..], &["--lock", "gone.yaml", "--architecture", "mips"]].concat();
    kubewright(cache, &arm64).code(64);
    assert!(!cache.join("out").exists());
}

#[test]
fn what_cannot_be_locked_leaves_no_lock() {
    let (directory, files) = (tempfile::tempdir().unwrap(), Files::default());
    let mirror = serve(&files);
    let cache = directory.path();
    fs::write(cache.join("spec.yaml"), SPEC).unwrap();
    let lock = ["image", "lock", "spec.yaml", "--mirror", &mirror];
    let why = predicate::str::contains("etcd-amd64: no checksum: ").and(predicate::str::contains("SHA256SUMS"));
    kubewright(cache, &lock).code(1).stderr(why);
    assert!(!cache.join("spec.lock.yaml").exists());
    fs::write(cache.join("spec.yaml"), SPEC.replace("to: bin/etcd", &format!("sha256: {ONE}, to: bin/etcd"))).unwrap();
    kubewright(cache, &lock).success().stdout(predicate::str::contains("it needs no lock"));
    assert!(!cache.join("spec.lock.yaml").exists());
}
