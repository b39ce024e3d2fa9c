use std::net::SocketAddr;

use super::super::connect::Identity;
use super::*;
use crate::host::testing::Scripted;
use crate::host::testing_etcd::RealEtcd;
use crate::snapshot::verify;

fn identity(host: &Scripted) -> Identity {
    let file = |name: &str| host.get(&format!("/etc/kubernetes/pki/etcd/{name}"));
    Identity { ca: file("ca.crt"), certificate: file("healthcheck-client.crt"), key: file("healthcheck-client.key") }
}

fn address(etcd: &RealEtcd) -> SocketAddr {
    etcd.endpoints[0].trim_start_matches("https://").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_members_snapshot_comes_whole() {
    let host = Scripted::new();
    let Some(etcd) = RealEtcd::start(&host, 1).await else { return };
    let client = MemberClient::connect(address(&etcd), "127.0.0.1", &identity(&host)).await.unwrap();
    let mut stream = client.snapshot().await.unwrap();
    let mut snapshot = Vec::new();
    while let Some(piece) = stream.next().await.unwrap() {
        snapshot.extend_from_slice(&piece);
    }
    let whole = verify(snapshot.as_slice(), snapshot.len() as u64).unwrap();
    assert_eq!(whole.contents.members, ["m0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_certificate_of_the_ca_or_asks_another_host_is_told_why() {
    let host = Scripted::new();
    let Some(etcd) = RealEtcd::start(&host, 1).await else { return };
    let connect =
        async |name: &str, identity: &Identity| match MemberClient::connect(address(&etcd), name, identity).await {
            Ok(client) => client.snapshot().await.map(drop).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
    let error = connect("m9.example", &identity(&host)).await;
    assert!(error.contains("certificate"), "{error}");
    let foreign = Scripted::new();
    let Some(_other) = RealEtcd::start(&foreign, 1).await else { return };
    let error = connect("127.0.0.1", &identity(&foreign)).await;
    assert!(error.contains("certificate"), "{error}");
    let broken = Identity { key: "x".into(), ..identity(&host) };
    let error = connect("127.0.0.1", &broken).await;
    assert!(error.contains("the client's key cannot be used"), "{error}");
}
