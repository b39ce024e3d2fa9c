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
    assert_eq!((member.raft_term, member.raft_index, member.db_size, member.revision), (2, 4, 20480, 9));
    let listed: Vec<_> = member.members.iter().map(|one| (one.id.as_str(), one.name.as_str(), one.learner)).collect();
    assert_eq!(listed, [("8e9e05c52164694d", "m1", false), ("2", "", false), ("3", "m3", true)]);
    assert_eq!(member.members[1].peer_urls, ["https://10.0.0.2:2380"]);
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
    // An alarm is told once, as the member's own status words it or not.
    let status: Status =
        read(r#"{"header":{"member_id":"1"},"version":"3.4.23","errors":["memberID:31 alarm:NOSPACE "]}"#);
    let alarms: Alarms = read(r#"{"alarms":[{"memberID":"31","alarm":"NOSPACE"}]}"#);
    assert_eq!(member(status, read("{}"), Ok(alarms)).errors, ["alarm NOSPACE on member 1f"]);
    let status: Status = read(r#"{"header":{"member_id":"1"},"version":"3.5.16"}"#);
    assert!(member(status, read("{}"), Err("timeout".into())).errors[0].contains("timeout"));
}

#[tokio::test(flavor = "multi_thread")]
async fn real_members_let_one_in_and_take_it_out_again() {
    use super::super::super::testing::Scripted;
    use super::super::super::testing_etcd::RealEtcd;

    let host = Scripted::new();
    let Some(etcd) = RealEtcd::start(&host, 3).await else { return };
    let (machine, endpoint) = (&etcd.machine, etcd.endpoints[0].as_str());
    let act = async |what: MemberAct| super::act(machine, endpoint, &what).await;
    let peer_url = "http://127.0.0.1:1".to_owned();
    // For some seconds after the start, they only watch whether all are there.
    let since = std::time::Instant::now();
    while let Err(failure) = act(MemberAct::Add { peer_url: peer_url.clone() }).await {
        assert!(since.elapsed() < Duration::from_secs(60), "{failure}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let learner = etcd.member(0).await.members.into_iter().find(|one| one.learner).unwrap();
    assert_eq!((learner.name.as_str(), &learner.peer_urls), ("", &vec![peer_url]));
    // One that never came has nothing of what the others have.
    let refused = act(MemberAct::Promote { id: learner.id.clone() }).await.unwrap_err().to_string();
    assert!(refused.contains("promote a member of etcd"), "{refused}");
    act(MemberAct::Remove { id: learner.id }).await.unwrap();
    act(MemberAct::Defragment).await.unwrap();
    act(MemberAct::Disarm).await.unwrap();
    assert_eq!(etcd.member(0).await.members.len(), 3);
    let bad = act(MemberAct::Remove { id: "no id".into() }).await.unwrap_err().to_string();
    assert!(bad.contains("hexadecimal"), "{bad}");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_members_that_are_full_are_emptied_and_write_again() {
    use super::super::super::etcdctl::etcdctl;
    use super::super::super::testing::Scripted;
    use super::super::super::testing_etcd::RealEtcd;

    let host = Scripted::new();
    let Some(etcd) = RealEtcd::start_with(&host, 3, &["--quota-backend-bytes=6000000"]).await else { return };
    let machine = &etcd.machine;
    let client = |arguments: &[&str]| {
        let command = etcdctl(machine, "try", &etcd.endpoints[0]).unwrap();
        machine.system.run(&command.args(arguments.iter().map(|one| (*one).to_owned())))
    };
    let value = "x".repeat(100_000);
    let put = || client(&["put", "/registry/big", &value]);
    let full = (0..200).find_map(|_| put().err());
    assert!(full.is_some_and(|error| error.to_string().contains("space")), "200 times 100 kB fit into 6 MB");
    // Each member raises its own, a moment after the other.
    let since = std::time::Instant::now();
    let view = loop {
        let view = etcd.member(1).await;
        if !view.errors.is_empty() || since.elapsed() > Duration::from_secs(30) {
            break view;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(view.errors.iter().all(|error| error.starts_with("alarm NOSPACE on member ")), "{:?}", view.errors);
    assert!(!view.errors.is_empty() && view.errors_but_space().next().is_none(), "{:?}", view.errors);

    let revision = etcd.member(0).await.revision.to_string();
    client(&["compact", &revision]).unwrap();
    for endpoint in &etcd.endpoints {
        act(machine, endpoint, &MemberAct::Defragment).await.unwrap();
    }
    let after = etcd.member(0).await;
    assert!(after.db_size < view.db_size / 2, "{} of {}", after.db_size, view.db_size);
    assert!(put().is_err(), "nothing is written before the alarms are taken back");
    act(machine, &etcd.endpoints[2], &MemberAct::Disarm).await.unwrap();
    put().unwrap();
    assert_eq!(etcd.member(1).await.errors, [""; 0]);
}

#[tokio::test]
async fn a_real_member_answers() {
    use super::super::super::testing::Scripted;
    use super::super::super::testing_etcd::RealEtcd;

    let host = Scripted::new();
    let Some(mut etcd) = RealEtcd::start(&host, 1).await else { return };
    let member = etcd.member(0).await;
    assert_eq!(member.leader.as_ref(), Some(&member.member));
    assert!(matches!(member.members.as_slice(), [one] if one.name == "m0" && !one.learner));
    assert!(member.errors.is_empty() && member.db_size > 0 && member.raft_index > 0 && member.raft_term > 0);
    assert!(member.version.starts_with("3.") && member.revision == 1, "{member:?}");
    etcd.kill(0).await;
    let Probed::Unreachable { why } = etcd.probe(0).await else { panic!() };
    assert!(why.contains("refused"), "{why}");
}
