//! From a host with a secret of every kind to an archive that has none of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use tokio::sync::Semaphore;

use super::archive::Archive;
use super::*;
use crate::host::protocol::{Failure, Reply, ToAgent};
use crate::host::testing::Scripted;
use crate::remote::RemoteError;
use crate::snapshot::unseal;

const SECRETS: &[(&str, &str)] = &[
    ("pem", "MHcCAQEEIGplantedplantedplantedplantedplantedplantedplantedplant"),
    ("jwt", "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlc2lnbmF0dXJl"),
    ("bootstrap", "abcdef.0123456789abcdef"),
    ("age", "AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQQPZRY9X8GF2TVDW0S3"),
    ("aws", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY12"),
    ("password", "hunter2-is-planted"),
    ("url", "planted%2Fin%2Furl"),
    ("keepalived", "opensesame"),
    ("hub", "the state directory knows this"),
    ("kubeconfig", "LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCk1IY0NBUUVFSUd"),
];

fn secret(name: &str) -> &'static str {
    SECRETS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// A host whose logs say what they should not.
fn host() -> Scripted {
    let host = Scripted::new();
    let pem = format!("-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n", secret("pem"));
    let lines = [
        "Starting kube-apiserver".to_owned(),
        pem.clone(),
        format!("Authorization: Bearer {}", secret("jwt")),
        format!("joining with {}", secret("bootstrap")),
        format!("{{\"identity\":\"{}\"}}", secret("age")),
        format!("AWS_SECRET_ACCESS_KEY={}", secret("aws")),
        format!("password: {}", secret("password")),
        format!("dial https://me:{}@db.example/x: refused", secret("url")),
        format!("vrrp says {}", secret("keepalived")),
        format!("it happens that {}", secret("hub")),
        format!("client-key-data: {}", secret("kubeconfig")),
        "Ended kube-apiserver".to_owned(),
    ];
    let logged: String = lines
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| format!("2026-11-30T01:36:48Z stderr F {line}\n"))
        .collect();
    host.put("/var/log/pods/kube-system_kube-apiserver-m1_u/kube-apiserver/0.log", &logged);
    host.put("/proc/mounts", &lines.join("\n"));
    host.put("/proc/meminfo", "MemTotal: 1 kB\n");
    host.put("/etc/kubernetes/pki/sa.key", &pem);
    host.put("/etc/keepalived/keepalived.conf", &format!("a {{\n  auth_pass {}\n}}\n", secret("keepalived")));
    let journal = lines.join("\n");
    for (argv, printed) in [
        ("systemctl show", ""),
        ("systemctl list-units", "kubelet.service loaded failed failed kubelet\n"),
        ("crictl", ""),
        ("dmesg", "[    1.0] oom-kill\n"),
        ("timedatectl", ""),
        ("df -T", ""),
        ("df -i", ""),
        ("ip address", ""),
        ("ip route", ""),
        ("ss", ""),
        ("journalctl -u etcd.service", journal.as_str()),
        ("journalctl -u containerd.service", ""),
        ("journalctl -u kubelet.service", journal.as_str()),
        ("journalctl -u haproxy.service", ""),
        ("journalctl -u keepalived.service", ""),
    ] {
        host.expect_beginning(argv, printed);
    }
    host
}

fn wanted<'a>(path: &'a std::path::Path, recipients: &'a [String]) -> Wanted<'a> {
    Wanted {
        place: Place { path, directory: "prod-support".into(), recipients },
        seconds: 86_400,
        bytes: 1 << 20,
        hosts: BTreeSet::new(),
        inventory: Ok(String::new()),
    }
}

async fn made(host: &Scripted, wanted: &Wanted<'_>) -> Archived {
    let secrets = vec![secret("hub").to_owned()];
    let archive = Archive::begin(&wanted.place, &secrets).unwrap();
    archive.add("cluster/inventory.yaml", format!("password: {}\n", secret("password"))).await;
    archive.add("../outside", "x".into()).await;
    archive.add_json("api/pods.json", &serde_json::json!({ "message": secret("jwt"), "name": "a" })).await;
    archive.lacks("hosts/n2/", format!("connect: no route; {}", secret("bootstrap")));
    let ask = async |request: ToAgent| {
        host.collect(request).map_err(|failure| RemoteError::Agent { host: "m1".into(), failure })
    };
    hosts::from(&HostName::parse("m1").unwrap(), ask, wanted, &secrets, &Semaphore::new(1), &archive).await;
    archive.finish().await.unwrap()
}

/// The files of an archive, by name.
fn unpacked(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(bytes).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        assert_eq!(entry.header().mode().unwrap(), 0o600);
        let (name, mut text) = (entry.path().unwrap().display().to_string(), String::new());
        entry.read_to_string(&mut text).unwrap();
        (name.strip_prefix("prod-support/").unwrap().to_owned(), text)
    });
    entries.collect()
}

fn has_no_secrets(files: &BTreeMap<String, String>) {
    for (name, text) in files {
        for (kind, secret) in SECRETS {
            assert!(!text.contains(secret), "{kind} survives in {name}:\n{text}");
        }
    }
}

#[tokio::test]
async fn what_is_planted_on_a_host_is_in_no_file_of_the_archive() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("support.tar.zst");
    let host = host();
    let archived = made(&host, &wanted(&path, &[])).await;
    let bytes = std::fs::read(&path).unwrap();
    let files = unpacked(&bytes);
    has_no_secrets(&files);
    for name in ["logs/units/kubelet.service.log", "logs/pods/kube-apiserver-m1_u/kube-apiserver/0.log", "mounts.txt"] {
        let text = &files[&format!("hosts/m1/{name}")];
        assert!(text.contains("Starting kube-apiserver") && text.contains("Ended kube-apiserver"), "{name}: {text}");
        assert!(text.contains("dial https://me:[redacted]@db.example/x: refused"), "{name}: {text}");
    }
    assert_eq!(files["api/pods.json"], "{\n  \"message\": \"[redacted]\",\n  \"name\": \"a\"\n}\n");
    // What the directory has not got, and a host that does not answer.
    assert!(files["missing.txt"].contains("hosts/n2/: connect: no route; [redacted]"), "{}", files["missing.txt"]);
    assert!(files["missing.txt"].contains("hosts/m1/load.txt: reading /proc/loadavg"), "{}", files["missing.txt"]);
    assert!(files["index.txt"].contains(" hosts/m1/kernel.log\n") && files["index.txt"].contains("Missing:\n"));
    assert!(!files.keys().any(|name| name.contains("outside")));
    assert_eq!(archived.bytes, bytes.len() as u64);
    assert_eq!((archived.files, archived.missing.len()), (files.len(), files["missing.txt"].lines().count()));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[tokio::test]
async fn an_encrypted_archive_is_read_with_the_other_half_only() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("support.tar.zst.age"), directory.path().join("key"));
    let (public, own) = crate::snapshot::testing::age_pair();
    std::fs::write(&key, own).unwrap();
    made(&host(), &wanted(&path, &[public])).await;
    let sealed = std::fs::read(&path).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1"));
    let mut bytes = Vec::new();
    unseal(&key, &sealed[..], &mut bytes).unwrap();
    has_no_secrets(&unpacked(&bytes));
}

#[tokio::test]
async fn a_host_that_is_lost_in_the_middle_costs_what_it_had_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.tar.zst");
    let wanted = wanted(&path, &[]);
    let archive = Archive::begin(&wanted.place, &[]).unwrap();
    let asked = RefCell::new(0);
    let ask = async |request: ToAgent| {
        *asked.borrow_mut() += 1;
        match (request, *asked.borrow()) {
            (ToAgent::Sources { .. }, _) => {
                Ok(Reply::Sources { names: ["a", "b", "c", "d"].map(String::from).to_vec() })
            }
            (_, 2) => Ok(Reply::Collected { text: "x\n".into() }),
            (_, 3) => {
                Err(RemoteError::Agent { host: "m1".into(), failure: Failure::new("collecting", "no such program") })
            }
            _ => Err(RemoteError::Lost(Box::default())),
        }
    };
    hosts::from(&HostName::parse("m1").unwrap(), ask, &wanted, &[], &Semaphore::new(1), &archive).await;
    let missing = archive.finish().await.unwrap().missing;
    let missing: Vec<String> = missing.iter().map(|one| format!("{}: {}", one.what, one.why)).collect();
    assert_eq!(missing.len(), 3, "{missing:?}");
    assert_eq!(missing[0], "hosts/m1/b: collecting: no such program");
    assert!(missing[1].starts_with("hosts/m1/c: "), "{missing:?}");
    assert_eq!(missing[2], "hosts/m1/d: the session with the host has ended");
}

#[tokio::test]
async fn an_archive_never_takes_the_place_of_another_and_an_unfinished_one_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.tar.zst");
    let wanted = wanted(&path, &[]);
    drop(Archive::begin(&wanted.place, &[]).unwrap());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let archive = Archive::begin(&wanted.place, &[]).unwrap();
    std::fs::write(&path, "dear diary").unwrap();
    assert!(archive.finish().await.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "dear diary");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
