//! What is said helps, and is only said where nothing else has been.

use super::{load, single, with_hosts};

/// Message and hint of every error.
fn told(text: &str) -> Vec<(String, String)> {
    let report = load(text).map(|_| ()).unwrap_err();
    report.findings().map(|finding| (finding.message.clone(), finding.hint.clone())).collect()
}

/// The hint of the only error.
#[track_caller]
fn hint(text: &str) -> String {
    let told = told(text);
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].1.clone()
}

#[test]
fn what_is_meant_is_not_there_already() {
    let host = |more: &str| with_hosts("", &format!("    - {{name: m1, address: 10.1.0.11, {more}}}\n"));
    let roles = "roles: [control-plane, etcd, worker]";
    assert!(hint(&host(&format!("{roles}, adress: 10.1.0.12"))).starts_with("known here: "));
    // Two that are like one key: it can be written once.
    let twice = told(&single("  network: {podcidr: 10.244.0.0/16, podCIDR: 10.244.0.0/16}\n"));
    assert_eq!(twice[0].1, "did you mean `podCidr`?");
    assert!(!twice[1].1.contains("podCidr`"), "{twice:?}");
    // One that takes something else would be the next error.
    assert_eq!(hint(&host("role: worker")), "did you mean `roles`? It takes a list");
    assert_eq!(hint(&host("role: [control-plane, etcd, worker]")), "did you mean `roles`?");
}

#[test]
fn a_missing_field_comes_with_an_example() {
    let hosts = "    - {name: m1, address: 10.1.0.11}\n";
    assert!(hint(&with_hosts("", hosts)).ends_with("; such as `roles: [control-plane, etcd]`"));
    let taint = "    - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd, worker], taints: [{key: a}]}\n";
    assert!(hint(&with_hosts("", taint)).ends_with("; such as `effect: NoSchedule`"));
    let text = single("").replace("metadata: {name: test}\n", "");
    assert!(hint(&text).ends_with("; such as `metadata: {name: prod-bj1}`"), "{}", hint(&text));
}

#[test]
fn what_only_follows_from_an_error_is_not_told() {
    let calico = |section: &str| format!("  network: {{plugin: calico, calico: {section}}}\n");
    let broken = "    - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd, worker]}\n    \
                  - {name: m2, address: 10.1.0.300, rack: r1, roles: [worker]}\n";
    for section in [
        "{typha: {replicas: 2}}",
        "{bgp: {mesh: on, racks: {r1: {peers: [{ip: 10.1.0.1, as: 65001}]}}}}",
        "{bgp: {mesh: on, routeReflectors: {hosts: [m2]}}}",
    ] {
        let told = told(&with_hosts(&calico(section), broken));
        assert!(told.len() == 1 && told[0].0.contains("10.1.0.300"), "{section}: {told:?}");
    }
    let tainted = "    - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd, worker], \
                   taints: [{key: a, effect: NoExecute}]}\n    - {name: m2, address: 10.1.0.300, roles: [worker]}\n";
    assert_eq!(told(&with_hosts("", tainted)).len(), 1);
}

#[test]
fn values_that_hosts_would_refuse_are_told_where_they_stand() {
    for (section, message, hint) in [
        ("network: {domain: Cluster.Local.}", "is not a DNS name", ": cluster.local"),
        ("network: {domain: 1.2.3.4}", "ends in a number", "write a name"),
        ("network: {dns: {stubDomains: {\"a b {\": [10.0.0.53]}}}", "is not a DNS name", "lower-case"),
        ("network: {dns: {upstreams: [\"10.0.0.2:0\"]}}", "the port of", "ADDRESS:PORT"),
        ("network: {dns: {autoscale: {min: 4294967296}}}", "4294967296 is out of range", "and 4294967295"),
        ("network: {dns: {autoscale: {max: 4294967296}}}", "4294967296 is out of range", "and 4294967295"),
        ("network: {dns: {autoscale: {coresPerReplica: 4294967296}}}", "is out of range", "and 4294967295"),
        ("network: {dns: {autoscale: {nodesPerReplica: 9999999999}}}", "is out of range", "and 4294967295"),
        ("network: {serviceCidr: 010.96.0.0/16}", "has leading zeros", "10.96.0.0/16"),
        ("network: {proxy: {timeouts: {tcp: 25d}}}", "more than the kernel counts", "2147483s"),
        ("network: {proxy: {excludeCidrs: [10.1.0.10]}}", "is not a network", ": 10.1.0.10/32"),
        ("network: {dns: {cache: 30}}", "30 is a number", "such as 30s"),
        ("network: {proxy: {timeouts: {tcp: 15}}}", "15 is a number", "such as 15m"),
        ("etcd: {quota: 8}", "8 is a number", "such as 8GiB"),
        ("etcd: {heartbeat: 100}", "100 is a number", "such as 100ms"),
        ("kernel: {swap: false}", "unknown value \"false\"", "allowed: `off`, `limited`"),
        ("upgrade: {maxUnavailable: 1.5}", "1.5 can be read", "such as 10%"),
        (
            "addons: [{name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, path: a}]",
            "is not a DNS name",
            "it is too long: DNS allows 63 characters between dots, and this has 64",
        ),
        (
            "network: {plugin: calico, calico: {bgp: {asNumber: 4200000000}}}",
            "`asNumber`: 4200000000 is out of range",
            "Calico takes none above 2147483647",
        ),
        (
            "network: {plugin: calico, calico: {bgp: {asNumber: 64086.59904}}}",
            "is not a whole number",
            "write it without the dot: 4200000000",
        ),
        (
            "network: {plugin: calico, calico: {addressDetection: {interfaces: [bond0, \"eth[\"]}}}",
            "\"eth[\" matches no interface",
            "regular expression",
        ),
        (
            "network: {plugin: calico, calico: {pools: [{name: a, cidr: 10.244.0.0/16, nodeSelector: idc = 'bj1'}]}}",
            "equality is `==`",
            "Calico's language",
        ),
    ] {
        let told = told(&single(&format!("  {section}\n")));
        assert!(told.len() == 1 && told[0].0.contains(message) && told[0].1.contains(hint), "{section}: {told:?}");
    }
}
