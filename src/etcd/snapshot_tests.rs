use super::super::connect::Identity;
use super::super::testing::{address, identity, stream};
use super::*;
use crate::host::testing::Scripted;
use crate::host::testing_etcd::RealEtcd;
use crate::snapshot::verify;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_members_snapshot_comes_whole() {
    let host = Scripted::new();
    let Some(etcd) = RealEtcd::start(&host, 1).await else { return };
    let mut stream = stream(&etcd.endpoints[0], &host).await;
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
    let connect = async |name: &str, identity: &Identity| match MemberClient::connect(
        address(&etcd.endpoints[0]),
        name,
        identity,
    )
    .await
    {
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
