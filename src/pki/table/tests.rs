//! The table as it comes out for each kind of host.

use std::fmt::Write as _;

use super::*;
use crate::pki::fixtures::*;

fn describe(host: &str, version: KubeVersion) -> String {
    let cluster = cluster();
    let host = cluster.host(host).unwrap();
    let mut text = String::new();
    for shared in shared_files(host) {
        let _ = writeln!(text, "{} ({:?})", shared.path, shared.owner);
    }
    for leaf in leaves(&cluster, host, version).unwrap() {
        let Leaf { path, form, authority, common_name, organisation, usage, names, owner } = leaf;
        let _ =
            writeln!(text, "{path} {form:?} ({owner:?})\n  {authority}: CN={common_name} O={organisation:?} {usage:?}");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        if !names.is_empty() {
            let _ = writeln!(text, "  {}", names.join(" "));
        }
    }
    text
}

#[test]
fn master_with_etcd_of_1_20() {
    insta::assert_snapshot!(describe("m1", V1_20));
}

#[test]
fn master_with_etcd_of_1_36() {
    insta::assert_snapshot!(describe("m1", V1_36));
}

#[test]
fn etcd_host() {
    insta::assert_snapshot!("etcd_host_of_1_20", describe("e1", V1_20));
    insta::assert_snapshot!("etcd_host_of_1_36", describe("e1", V1_36));
}

#[test]
fn worker() {
    assert_eq!(describe("n1", V1_20), describe("n1", V1_36));
    insta::assert_snapshot!(describe("n1", V1_36));
}

#[test]
fn everything_that_is_written_is_read_first() {
    let cluster = cluster();
    let keys = first(&cluster);
    for host in &cluster.hosts {
        let mut written: Vec<String> = keys.hosts[&host.name].iter().map(|file| file.path.clone()).collect();
        let mut read = paths(&cluster, host);
        written.sort();
        read.sort();
        assert_eq!(written, read, "{}", host.name);
    }
}

#[test]
fn each_kind_of_endpoint_puts_its_address_into_the_certificate() {
    use crate::cluster::{Endpoint, EndpointMode};
    let names = |endpoint: Endpoint| {
        let mut parts = parts();
        parts.endpoint = endpoint;
        let cluster = Cluster::new(parts).unwrap();
        san::apiserver(&cluster, cluster.host("m1").unwrap()).unwrap()
    };
    let endpoint = |host: &str, mode| Endpoint { host: host.into(), port: 6443, mode };
    let address = |text: &str| San::Ip(text.parse().unwrap());
    let external = |address| EndpointMode::External { address };
    assert!(names(endpoint("a.test", external(Some([192, 0, 2, 1].into())))).contains(&address("192.0.2.1")));
    assert!(names(endpoint("192.0.2.7", external(None))).contains(&address("192.0.2.7")));
    let local = names(endpoint("A.test", EndpointMode::Local));
    assert!(local.contains(&San::Dns("a.test".into())) && local.contains(&address("127.0.0.1")));
}
