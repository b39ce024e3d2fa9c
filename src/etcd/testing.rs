//! Ways to real members, for tests.

use std::net::SocketAddr;

use super::{Identity, MemberClient, SnapshotStream};
use crate::host::testing::Scripted;

/// Who we are on a host of tests.
pub(crate) fn identity(host: &Scripted) -> Identity {
    let file = |name: &str| host.get(&format!("/etc/kubernetes/pki/etcd/{name}"));
    Identity { ca: file("ca.crt"), certificate: file("healthcheck-client.crt"), key: file("healthcheck-client.key") }
}

/// Where the member answers.
pub(crate) fn address(endpoint: &str) -> SocketAddr {
    endpoint.trim_start_matches("https://").parse().unwrap()
}

/// The member's snapshot.
pub(crate) async fn stream(endpoint: &str, host: &Scripted) -> SnapshotStream {
    let client = MemberClient::connect(address(endpoint), "127.0.0.1", &identity(host)).await.unwrap();
    client.snapshot().await.unwrap()
}
