//! An archive for a helper, made while a host is unplugged and an API server is down: what is planted is not in it.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use crate::world::{World, eventually};

/// One line for each, as programs write them; the second word of the test is what must not be there.
const PLANTED: &[(&str, &str)] = &[
    ("connecting with password: planted-hunter2", "planted-hunter2"),
    ("Authorization: Bearer planted.0123456789.token", "planted.0123456789.token"),
    ("join --token abcdef.0123456789plant1 now", "abcdef.0123456789plant1"),
    ("dial https://me:planted-in-url@db.example/x: refused", "planted-in-url"),
    ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYPLANTED1234", "PLANTED1234"),
    ("identity AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQQPZRY9X8GF2TVDW0S3", "AGE-SECRET-KEY-1QQPZRY"),
    ("-----BEGIN EC PRIVATE KEY-----", "BEGIN EC PRIVATE"),
    ("MHcCAQEEIPLANTEDplantedPLANTEDplanted", "PLANTEDplantedPLANTED"),
    ("-----END EC PRIVATE KEY-----", "END EC PRIVATE"),
];
const UNIT: &str = "/etc/systemd/system/kubewright-planted.service";
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

pub(crate) fn a_helper_gets_logs_and_no_secrets(world: &World) {
    let lines: String = PLANTED.iter().map(|(line, _)| format!("{line}\\n")).collect();
    let plant = format!(
        "printf -- '{lines}' >/root/planted && \
         printf '[Service]\\nType=oneshot\\nExecStart=/bin/cat /root/planted\\n' >{UNIT} && systemctl daemon-reload && \
         systemctl start kubewright-planted.service && \
         while read -r line; do echo \"$line\" >/dev/kmsg; done </root/planted && \
         pod=$(ls -d /var/log/pods/kube-system_kube-scheduler-m1_* | head -n 1) && mkdir \"$pod\"/planted && \
         sed 's/^/2026-11-30T01:36:48Z stderr F /' /root/planted >\"$pod\"/planted/0.log && \
         mv {MANIFEST} /root/kube-apiserver.yaml"
    );
    world.on("m1", &plant).exits(0);
    eventually("m1's API server is down", Duration::from_secs(120), || {
        let status = world.run_verb("status", &["-o", "json"]).json();
        status["hosts"].as_array().unwrap().iter().any(|host| host["name"] == "m1" && host["apiserver"] == "down")
    });
    world.lab(&["cut", "n2"], &[]).exits(0);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("support.tar.zst");
    let ran = world.run_verb("support", &["--to", path.to_str().unwrap()]);
    world.lab(&["heal", "n2"], &[]).exits(0);
    let key = world.on("m1", "cat /etc/kubernetes/pki/sa.key").exits(0).stdout;
    let undo = format!(
        "mv /root/kube-apiserver.yaml {MANIFEST}; rm -rf {UNIT} /root/planted \
         /var/log/pods/kube-system_kube-scheduler-m1_*/planted; systemctl daemon-reload"
    );
    world.on("m1", &undo).exits(0);
    println!("an archive in {:.1} s, {} bytes", ran.took.as_secs_f64(), path.metadata().map_or(0, |meta| meta.len()));
    let ran = ran.exits(0);
    assert!(ran.stdout.contains("missing: hosts/n2/"), "{}", ran.stdout);

    let files = unpacked(&std::fs::read(&path).unwrap());
    for (name, text) in &files {
        for (_, secret) in PLANTED {
            assert!(!text.contains(secret), "{secret} survives in {name}");
        }
        for line in key.lines().filter(|line| line.len() > 8) {
            assert!(!text.contains(line), "a line of sa.key survives in {name}");
        }
    }
    let file = |name: &str| files.get(name).unwrap_or_else(|| panic!("{name} is not in {:?}", files.keys()));
    for name in ["logs/units/kubewright-planted.service.log", "kernel.log"] {
        let text = file(&format!("hosts/m1/{name}"));
        assert!(text.contains("dial https://me:[redacted]@db.example/x: refused"), "{name}: {text}");
    }
    let is_planted =
        |name: &String| name.starts_with("hosts/m1/logs/pods/kube-scheduler-m1_") && name.ends_with("/planted/0.log");
    assert!(files.keys().any(is_planted), "{:?}", files.keys());
    for host in ["m1", "m2", "m3", "n1"] {
        assert!(!file(&format!("hosts/{host}/logs/units/kubelet.service.log")).is_empty(), "{host}");
        assert!(file(&format!("hosts/{host}/certificates.txt")).contains(" until 20"), "{host}");
    }
    assert!(file("api/nodes.json").contains("\"n2\"") && file("api/events.json").contains("reason"));
    assert!(
        file("cluster/etcd.json").contains("raft_term") && file("cluster/inventory.yaml").contains("kind: Cluster")
    );
    assert!(file("missing.txt").contains("hosts/n2/"));

    eventually("the cluster is well again", Duration::from_secs(240), || world.run_verb("status", &[]).code == 0);
}

/// The files of an archive, by their name below its directory.
fn unpacked(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(bytes).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let (name, mut text) = (entry.path().unwrap().display().to_string(), String::new());
        entry.read_to_string(&mut text).unwrap();
        (name.split_once('/').unwrap().1.to_owned(), text)
    });
    entries.collect()
}
