use super::super::restores::last;
use super::super::testing::Scripted;
use super::*;
use crate::image::Blob;

const PROGRAM: &str = "/opt/kubewright/etcd/3.5.16/bin/etcdutl";

fn host() -> Scripted {
    let host = Scripted::new();
    host.put("/etc/systemd/system/etcd.service", "ExecStart=/opt/kubewright/etcd/3.5.16/bin/etcd\n");
    host.put(PROGRAM, "");
    host.put("/var/lib/etcd/member/snap/db", "old");
    for (file, _) in CONTROL_PLANE {
        host.put(&format!("{MANIFESTS}/{file}"), file);
    }
    host.put("/proc/uptime", "1 1\n");
    host
}

fn restore() -> Restore {
    Restore {
        id: "20261129T061500Z".into(),
        snapshot: Blob { sha256: "a".repeat(64), size: 3 },
        title: "a snapshot".into(),
        revision: 7,
        initial_cluster: "m1=https://10.0.0.1:2380".into(),
    }
}

fn member(bump_revision: u64) -> RestoreStep {
    RestoreStep::Unpack(RestoredMember { name: "m1".into(), peer_url: "https://10.0.0.1:2380".into(), bump_revision })
}

fn unpack(host: &Scripted, bump: u64, flags: &str) -> Result<(), Failure> {
    host.put(&format!("/var/lib/kubewright/blobs/sha256/{}", "a".repeat(64)), "new");
    let at = |path: &str| host.at(path).display().to_string();
    let command = format!(
        "{} snapshot restore {} --name=m1 --initial-cluster=m1=https://10.0.0.1:2380 --initial-cluster-token=20261129T061500Z \
         --initial-advertise-peer-urls=https://10.0.0.1:2380 --data-dir={}{flags}",
        at(PROGRAM),
        at(&format!("/var/lib/kubewright/blobs/sha256/{}", "a".repeat(64))),
        at("/var/lib/etcd/restoring"),
    );
    let data = host.at("/var/lib/etcd/restoring/member/snap");
    host.expect_effect(&command, "", move |_| {
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("db"), "new").unwrap();
    });
    step(&host.machine, &restore(), &member(bump))
}

fn stopping(host: &Scripted) {
    host.expect("systemctl disable etcd.service", "");
    host.expect("systemctl stop etcd.service", "");
}

fn data(host: &Scripted) -> Vec<String> {
    let mut names = host.machine.names("/var/lib/etcd").unwrap();
    names.sort();
    names
}

#[test]
fn the_restored_data_are_made_beside_and_take_the_place_and_go_back() {
    let host = host();
    host.put("/var/lib/etcd/before-20250101T000000Z/member/x", "of a restore long ago");
    unpack(&host, 0, "").unwrap();
    assert_eq!(data(&host), ["member", "restored-20261129T061500Z"]);
    assert_eq!(host.get("/var/lib/etcd/member/snap/db"), "old");
    assert_eq!(under_way(&host.machine).unwrap(), None);
    assert!(host.machine.names("/var/lib/kubewright/blobs/sha256").unwrap().is_empty());
    // Again: nothing to do.
    step(&host.machine, &restore(), &member(0)).unwrap();

    for _ in 0..2 {
        stopping(&host);
        step(&host.machine, &restore(), &RestoreStep::Swap).unwrap();
        assert_eq!(data(&host), ["before-20261129T061500Z", "member"]);
        assert_eq!(host.get("/var/lib/etcd/member/snap/db"), "new");
    }
    assert_eq!(under_way(&host.machine).unwrap(), Some(restore()));
    assert_eq!(last(&host.machine).unwrap(), None);
    step(&host.machine, &restore(), &RestoreStep::Finish).unwrap();
    assert_eq!((under_way(&host.machine).unwrap(), last(&host.machine).unwrap()), (None, Some(restore())));

    stopping(&host);
    for _ in 0..2 {
        step(&host.machine, &restore(), &RestoreStep::SwapBack).unwrap();
        assert_eq!(data(&host), ["member"]);
        assert_eq!(host.get("/var/lib/etcd/member/snap/db"), "old");
    }
    step(&host.machine, &restore(), &RestoreStep::Finish).unwrap();
    assert_eq!(last(&host.machine).unwrap(), None, "there is no way back any more");
    host.done();
}

#[test]
fn clients_see_that_time_went_back_where_the_release_can_tell_them() {
    let host = host();
    unpack(&host, 1000, " --bump-revision=1000 --mark-compacted").unwrap();
    host.done();
}

#[test]
fn a_swap_that_was_cut_off_anywhere_ends_with_the_restored_data() {
    // Between the two renames, and after both.
    for (there, gone) in [("restored", "member"), ("member", "restored")] {
        let host = host();
        host.put("/var/lib/etcd/before-20261129T061500Z/member/snap/db", "old");
        fs::remove_dir_all(host.at("/var/lib/etcd/member")).unwrap();
        let place = if there == "member" { "member".into() } else { "restored-20261129T061500Z/member".to_owned() };
        host.put(&format!("/var/lib/etcd/{place}/snap/db"), "new");
        stopping(&host);
        step(&host.machine, &restore(), &RestoreStep::Swap).unwrap();
        assert_eq!(host.get("/var/lib/etcd/member/snap/db"), "new", "{gone} was gone");
        assert_eq!(host.get("/var/lib/etcd/before-20261129T061500Z/member/snap/db"), "old");
        host.done();
    }
}

#[test]
fn a_member_that_lost_its_disk_is_restored_as_well() {
    let host = host();
    fs::remove_dir_all(host.at("/var/lib/etcd/member")).unwrap();
    unpack(&host, 0, "").unwrap();
    stopping(&host);
    step(&host.machine, &restore(), &RestoreStep::Swap).unwrap();
    assert_eq!(host.get("/var/lib/etcd/member/snap/db"), "new");
    // What was there before is nothing, and comes back as such.
    stopping(&host);
    step(&host.machine, &restore(), &RestoreStep::SwapBack).unwrap();
    assert_eq!(host.get("/var/lib/etcd/member/snap/db"), "new", "nothing is removed for nothing");
    host.done();
}

#[test]
fn nothing_is_stopped_where_there_is_nothing_to_put_in_place() {
    let host = host();
    let failure = step(&host.machine, &restore(), &RestoreStep::Swap).unwrap_err();
    assert!(failure.why.contains("restored-20261129T061500Z/member is not there"), "{failure}");
    assert_eq!(host.get("/var/lib/etcd/member/snap/db"), "old");
    host.done();
}

#[test]
fn the_control_planes_manifests_wait_aside_and_come_back() {
    let host = host();
    host.put(&format!("{MANIFESTS}/haproxy.yaml"), "stays");
    for _ in 0..2 {
        step(&host.machine, &restore(), &RestoreStep::StopControlPlane).unwrap();
        assert_eq!(host.machine.names(MANIFESTS).unwrap(), ["haproxy.yaml"]);
    }
    for _ in 0..2 {
        host.expect("systemctl start kubelet.service", "");
        step(&host.machine, &restore(), &RestoreStep::StartControlPlane).unwrap();
        assert_eq!(host.get(&format!("{MANIFESTS}/kube-apiserver.yaml")), "kube-apiserver.yaml");
        assert_eq!(host.machine.names(MANIFESTS).unwrap().len(), 4);
    }
}

#[test]
fn an_id_is_no_path() {
    for id in ["", "../x", "a/b"] {
        let restore = Restore { id: id.into(), ..restore() };
        assert!(step(&host().machine, &restore, &RestoreStep::Swap).is_err(), "{id:?}");
    }
}
