//! The answers of etcdctl by example, and two real members on loopback.

use super::super::testing::Scripted;
use super::super::testing_etcd::RealEtcd;
use super::*;

const ENDPOINT: &str = "http://127.0.0.1:2379";

#[test]
fn answers_are_read_as_every_version_prints_them() {
    let status = r#"[{"Endpoint":"https://10.0.0.1:2379","Status":{"header":{"cluster_id":1,"member_id":2,"revision":42,"raft_term":2},"version":"3.4.23","dbSize":20480,"leader":2,"raftIndex":5}}]
"#;
    let Endpoint { answer }: Endpoint<StatusAnswer> = only(status).unwrap();
    assert_eq!((answer.db_size, answer.header.revision), (20480, 42));
    for (hash, expected) in [
        (
            r#"[{"Endpoint":"x","HashKV":{"header":{"revision":2},"hash":1084519789,"compact_revision":-1}}]"#,
            (1084519789, -1),
        ),
        (r#"[{"Endpoint":"x","HashKV":{"header":{},"hash":7,"compact_revision":90,"hash_revision":100}}]"#, (7, 90)),
        (r#"[{"Endpoint":"x","HashKV":{"header":{},"hash":7}}]"#, (7, 0)),
    ] {
        let Endpoint { answer }: Endpoint<HashAnswer> = only(hash).unwrap();
        assert_eq!((answer.hash, answer.compact_revision), expected);
    }
    for bad in ["", "[]", "{}", "[{}]", "[{\"HashKV\":{}},{\"HashKV\":{}}]", "etcdctl: oops"] {
        assert!(only::<Endpoint<HashAnswer>>(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_failed_run_is_told_without_its_log_lines() {
    let host = Scripted::new();
    host.put("/etc/systemd/system/etcd.service", "ExecStart=/opt/kubewright/etcd/3.4.23/bin/etcd\n");
    let program = host.at("/opt/kubewright/etcd/3.4.23/bin/etcdctl").display().to_string();
    let argv = format!(
        "{program} --endpoints={ENDPOINT} --dial-timeout=15s endpoint hashkv --rev=99 --write-out=json \
         --command-timeout=20s"
    );
    let log = "{\"level\":\"warn\",\"ts\":\"2026\",\"msg\":\"retrying of unary invoker failed\"}\n";
    host.expect_failure(&argv, &format!("{log}Failed to get the hash\nError: required revision is a future revision"));
    let Probed::Unreachable { why } = hash(&host.machine, ENDPOINT, 99).unwrap() else { panic!() };
    assert!(why.ends_with("Failed to get the hash\nError: required revision is a future revision"), "{why}");
    assert!(!why.contains("level") && why.contains("exit status"), "{why}");
    host.done();
}

#[test]
fn what_is_no_member_is_refused_before_anything_runs() {
    let host = Scripted::new();
    assert!(hash(&host.machine, ENDPOINT, 1).unwrap_err().hint.unwrap().contains("role etcd"));
    for target in ["", "m1", "--force", "8e9e05c52164694d "] {
        assert!(move_leader(&host.machine, ENDPOINT, target).unwrap_err().why.contains("hexadecimal"), "{target}");
    }
}

#[tokio::test]
async fn real_members_hash_alike_and_the_leader_moves() {
    let host = Scripted::new();
    let Some(mut etcd) = RealEtcd::start(&host, 2).await else { return };
    let machine = etcd.machine.clone();
    for key in ["/registry/a", "/registry/b"] {
        let put = etcdctl(&machine, "put", &etcd.endpoints[0]).unwrap().args(["put", key, "value"]);
        machine.system.run(&put).unwrap();
    }
    let (first, second) = (etcd.member(0).await, etcd.member(1).await);
    let revision = first.revision.min(second.revision);
    assert!(first.revision == 3 && revision >= 2, "{first:?} {second:?}");
    let hashed = |index: usize, revision: u64| hash(&machine, &etcd.endpoints[index], revision).unwrap();
    let one = hashed(0, revision);
    assert!(matches!(one, Probed::EtcdHash { revision: of, .. } if of == revision), "{one:?}");
    assert_eq!(hashed(1, revision), one);
    assert_ne!(hashed(0, 1), one, "another revision has another hash");
    let Probed::Unreachable { why } = hashed(0, 99) else { panic!() };
    assert!(why.contains("future revision"), "{why}");

    let leader = usize::from(first.leader.as_ref() != Some(&first.member));
    let other = if leader == 0 { &second } else { &first };
    move_leader(&machine, &etcd.endpoints[leader], &other.member).unwrap();
    assert_eq!(etcd.member(leader).await.leader.as_ref(), Some(&other.member));
    let failure = move_leader(&machine, &etcd.endpoints[1 - leader], "abc").unwrap_err();
    assert!(failure.why.contains("bad leader transferee") && !failure.why.contains("level"), "{failure}");

    let endpoint = etcd.endpoints[0].clone();
    etcd.kill(0).await;
    let Probed::Unreachable { why } = hash(&machine, &endpoint, revision).unwrap() else { panic!() };
    assert!(!why.is_empty());
    assert!(status(&machine, "status", &endpoint).is_err());
}
