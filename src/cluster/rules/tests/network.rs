//! Rules about addresses, DNS and kube-proxy, each broken once.

use super::*;
use crate::cluster::{CacheAt, Ipvs, NetworkPlugin, ProxyMode, TransportProtocol, Untracked};

fn untracked(network: &str, port: u16) -> impl FnOnce(&mut Parts) {
    let network = network.parse().unwrap();
    move |parts| parts.network.untracked = vec![Untracked { network, port, protocol: TransportProtocol::Tcp }]
}

#[test]
fn what_is_translated_is_tracked() {
    let field = "network.untracked";
    passes(untracked("203.0.113.0/24", 443));
    breaks_only(field, "another address family", untracked("2001:db8::/64", 443));
    breaks(field, "has addresses of pods", untracked("10.244.0.0/24", 443));
    breaks(field, "has addresses of Services", untracked("10.96.0.10/32", 53));
    breaks_only(field, "may be a Service's NodePort", untracked("203.0.113.0/24", 30_080));
}

#[test]
fn what_the_hosts_need_is_tracked() {
    let field = "network.untracked";
    breaks_only(field, "is every address", untracked("0.0.0.0/0", 443));
    breaks_only(field, "loopback", untracked("127.0.0.0/8", 6443));
    for (cidr, port, why) in [
        ("10.1.0.0/24", 6443, "is the API servers' (10.1.0.11 and 2 more)"),
        ("10.1.0.12/32", 2379, "is etcd's (10.1.0.12)"),
        ("10.1.0.0/24", 10_250, "is the kubelets' (10.1.0.11 and 3 more)"),
        ("10.1.0.0/24", 22, "is that of SSH to the hosts"),
    ] {
        breaks_only(field, why, untracked(cidr, port));
    }
    // A load balancer's own port on the hosts, and a host that has nothing to do with the port.
    passes(untracked("10.1.0.0/24", 443));
    passes(untracked("10.1.0.21/32", 6443));
    breaks_only(field, "is the endpoint of the API (10.1.9.9)", |parts| {
        parts.endpoint = Endpoint { port: 443, mode: vip("10.1.9.9"), ..parts.endpoint.clone() };
        untracked("10.1.9.0/24", 443)(parts);
    });
    breaks_only(field, "name servers", |parts| {
        parts.network.dns.upstreams = vec!["10.0.0.2:53".parse().unwrap()];
        let network = "10.0.0.0/24".parse().unwrap();
        parts.network.untracked = vec![Untracked { network, port: 53, protocol: TransportProtocol::Udp }];
    });
}

#[test]
fn addresses_are_the_clusters_to_give() {
    for cidr in ["169.254.0.0/16", "127.0.0.0/12", "224.0.0.0/12", "240.0.0.0/12", "0.16.0.0/16", "160.0.0.0/4"] {
        breaks_only("network.podCidr", "has addresses", |parts| {
            parts.network.pod_cidr = cidr.parse().unwrap();
            parts.network.plugin = NetworkPlugin::None;
        });
    }
    breaks_only("network.serviceCidr", "169.254.20.10", |parts| {
        parts.network.service_cidr = "169.254.16.0/20".parse().unwrap();
    });
    breaks("3.address", "of links", |parts| parts.hosts[3].address = "169.254.1.1".parse().unwrap());
    breaks_only("endpoint.vip", "of links", |parts| parts.endpoint.mode = vip("169.254.20.10"));
    breaks("3.address", "of links", |parts| parts.hosts[3].address = "fe80::1".parse().unwrap());
}

#[test]
fn services_are_counted_as_kubernetes_counts() {
    for (cidr, api, dns) in [
        ("10.96.0.0/16", "10.96.0.1", "10.96.0.10"),
        ("10.96.0.0/28", "10.96.0.1", "10.96.0.10"),
        ("fd02::/108", "fd02::1", "fd02::a"),
    ] {
        let network = Network { service_cidr: cidr.parse().unwrap(), ..Network::default() };
        assert_eq!(network.api_service_address(), Some(api.parse().unwrap()), "{cidr}");
        assert_eq!(network.dns_service_address(), Some(dns.parse().unwrap()), "{cidr}");
    }
}

#[test]
fn the_domain_is_the_clusters_own() {
    let domain = |domain: &str| {
        let domain = domain.to_owned();
        |parts: &mut Parts| parts.network.domain = domain
    };
    for odd in ["in-addr.arpa", "10.in-addr.arpa", "arpa", "localhost", "x.localhost", "local", "com", "a.invalid"] {
        breaks_only("network.domain", "cannot be the cluster's", domain(odd));
    }
    let long = format!("{}.{}", "a".repeat(60), "b".repeat(60));
    passes(domain(&long));
    breaks_only("network.domain", "122 characters", domain(&format!("{long}c")));
    for good in ["cluster.local", "k8s", "bj1.example.com", "kube.internal"] {
        passes(domain(good));
    }
}

#[test]
fn name_servers_are_others_that_pods_can_ask() {
    let field = "network.dns.upstreams";
    let ask = |servers: &[&str]| {
        let servers = servers.iter().map(|server| server.parse().unwrap()).collect();
        move |parts: &mut Parts| parts.network.dns.upstreams = servers
    };
    passes(ask(&["10.0.0.2:53", "10.0.0.2:5353", "169.254.169.253:53"]));
    breaks_only(field, "it is IPv6", ask(&["[fd00::53]:53"]));
    breaks_only(field, "the pod itself", ask(&["127.0.0.1:5353"]));
    breaks_only(field, "ask in a circle", ask(&["10.96.0.10:53"]));
    breaks_only(field, "stands twice", ask(&["10.0.0.2:53", "10.0.0.2:53"]));
    let many: Vec<String> = (1..=16).map(|number| format!("10.0.0.{number}:53")).collect();
    breaks_only(field, "there are 16 servers", ask(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    breaks_only(field, "ask in a circle", |parts| {
        parts.network.dns.cache_at = CacheAt::Nodes;
        ask(&["169.254.20.10:53"])(parts);
    });
}

#[test]
fn domains_with_servers_of_their_own_are_not_the_clusters() {
    let stub = |domain: &str, servers: &[&str]| {
        let servers = servers.iter().map(|server| server.parse().unwrap()).collect();
        let entry = (domain.to_owned(), servers);
        move |parts: &mut Parts| parts.network.dns.stub_domains = [entry].into()
    };
    let field = "network.dns.stubDomains";
    // A server may be a Service of the cluster, as Consul's is.
    for good in ["corp.example", "consul", "10.in-addr.arpa", "notcluster.local"] {
        passes(stub(good, &["10.96.7.7:8600"]));
    }
    for own in ["cluster.local", "svc.cluster.local", "local"] {
        breaks_only(field, "the cluster's own", stub(own, &["10.0.0.53:53"]));
    }
    for zone in ["in-addr.arpa", "arpa", "ip6.arpa"] {
        breaks_only(field, "those of addresses", stub(zone, &["10.0.0.53:53"]));
    }
    breaks_only(field, "nobody is named", stub("corp.example", &[]));
    breaks_only(field, "ask in a circle", stub("corp.example", &["10.96.0.10:53"]));
}

#[test]
fn kube_proxy_keeps_to_its_own_networks() {
    let exclude = |cidr: &str| {
        let exclude = vec![cidr.parse().unwrap()];
        move |parts: &mut Parts| parts.network.proxy.mode = ProxyMode::Ipvs(Ipvs { exclude, ..Ipvs::default() })
    };
    passes(exclude("10.1.9.0/24"));
    for bad in ["10.96.3.0/24", "0.0.0.0/0"] {
        breaks_only("network.proxy.excludeCidrs", "kube-proxy would leave those behind", exclude(bad));
    }
    breaks_only("network.proxy.excludeCidrs", "is IPv6", exclude("fd00::/8"));
    let answer = |cidr: &str| {
        let networks = vec![cidr.parse().unwrap()];
        move |parts: &mut Parts| parts.network.proxy.node_port_addresses = networks
    };
    for good in ["10.1.0.0/16", "127.0.0.0/8", "0.0.0.0/0"] {
        passes(answer(good));
    }
    breaks_only("network.proxy.nodePortAddresses", "is IPv6", answer("fd00::/8"));
    breaks_only("network.proxy.nodePortAddresses", "addresses of pods", answer("10.244.1.0/24"));
}
