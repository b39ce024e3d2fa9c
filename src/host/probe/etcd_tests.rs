//! The answers of etcd by example, and a real member on loopback.

use super::*;

fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_healthy_member_is_read() {
    let status = read(
        r#"{"header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437","revision":"9","raft_term":"2"},
            "version":"3.4.23","dbSize":"20480","leader":"10276657743932975437","raftIndex":"4","raftTerm":"2",
            "raftAppliedIndex":"4","dbSizeInUse":"16384"}"#,
    );
    let members = read(
        r#"{"header":{},"members":[{"ID":"10276657743932975437","name":"m1","peerURLs":["https://10.0.0.1:2380"],"clientURLs":["x"]},
            {"ID":"2","peerURLs":["https://10.0.0.2:2380"]},{"ID":"3","name":"m3","isLearner":true}]}"#,
    );
    let member = member(status, members, Ok(Alarms::default()));
    assert_eq!(member.member, "8e9e05c52164694d");
    assert_eq!(member.leader.as_deref(), Some("8e9e05c52164694d"));
    assert_eq!((member.raft_term, member.raft_index, member.db_size), (2, 4, 20480));
    let members = [("https://10.0.0.2:2380", false), ("m1", true), ("m3", false)];
    assert_eq!(member.members, members.map(|(name, voter)| (name.to_owned(), voter)).into());
    assert!(member.errors.is_empty());
}

#[test]
fn what_a_sick_member_says_is_kept() {
    let status: Status = read(
        r#"{"header":{"member_id":"1"},"version":"3.5.16","dbSize":0,"raftTerm":"7","errors":["etcdserver: no leader"]}"#,
    );
    let alarms: Alarms = read(r#"{"alarms":[{"memberID":"31","alarm":"NOSPACE"}]}"#);
    let sick = member(status, read("{}"), Ok(alarms));
    assert_eq!((sick.leader, sick.raft_index), (None, 0));
    assert_eq!(sick.errors, ["etcdserver: no leader", "alarm NOSPACE on member 1f"]);
    let status: Status = read(r#"{"header":{"member_id":"1"},"version":"3.5.16"}"#);
    assert!(member(status, read("{}"), Err("timeout".into())).errors[0].contains("timeout"));
}

/// Debian's etcd on loopback, with certificates like a cluster's. Without one there is nothing to try.
#[tokio::test]
async fn a_real_member_answers() {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::super::super::testing::Scripted;

    let program = Path::new("/usr/bin/etcd");
    if !program.exists() {
        return;
    }
    let host = Scripted::new();
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    host.put(CA, &ca.self_signed(&ca_key).unwrap().pem());
    let issuer = Issuer::new(ca, ca_key);
    let directory = "/etc/kubernetes/pki/etcd";
    for name in ["server", "healthcheck-client"] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".into(), "localhost".into()]).unwrap();
        host.put(&format!("{directory}/{name}.crt"), &params.signed_by(&key, &issuer).unwrap().pem());
        host.put(&format!("{directory}/{name}.key"), &key.serialize_pem());
    }
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (client, peer) = (format!("https://127.0.0.1:{}", free()), format!("http://127.0.0.1:{}", free()));
    let file = |name: &str| host.at(&format!("{directory}/{name}")).display().to_string();
    let mut etcd = tokio::process::Command::new(program)
        .args(["--name", "m1", "--data-dir", &host.at("/var/lib/etcd").display().to_string()])
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("m1={peer}"), "--client-cert-auth", "--trusted-ca-file", &file("ca.crt")])
        .args(["--cert-file", &file("server.crt"), "--key-file", &file("server.key")])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let since = Instant::now();
    let member = loop {
        match probe(&host.machine, &client).await.unwrap() {
            Probed::Etcd(member) if member.leader.is_some() => break member,
            other => assert!(since.elapsed() < Duration::from_secs(120), "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(member.leader.as_ref(), Some(&member.member));
    assert_eq!(member.members, BTreeMap::from([("m1".to_owned(), true)]));
    assert!(member.errors.is_empty() && member.db_size > 0 && member.raft_index > 0 && member.raft_term > 0);
    assert!(member.version.starts_with("3."), "{}", member.version);
    etcd.kill().await.unwrap();
    let Probed::Unreachable { why } = probe(&host.machine, &client).await.unwrap() else { panic!() };
    assert!(why.contains("refused"), "{why}");
}
