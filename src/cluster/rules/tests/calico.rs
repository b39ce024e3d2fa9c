//! Rules about Calico, each broken once.

use super::*;
use crate::cluster::{AddressDetection, Bgp, Calico, Mesh, NetworkPlugin, Pool, Reflectors, Router, Transport, Typha};

/// What the rules say of the cluster with Calico, in words.
fn of_calico(change: impl FnOnce(&mut Calico, &mut Vec<Host>)) -> Vec<String> {
    let mut parts = valid();
    let mut calico = Calico::new(parts.network.pod_cidr);
    for (index, host) in parts.hosts.iter_mut().enumerate() {
        host.rack = Some(format!("r{}", index % 2 + 1));
    }
    change(&mut calico, &mut parts.hosts);
    parts.network.plugin = NetworkPlugin::Calico(Box::new(calico));
    check(&parts).into_iter().map(|violation| violation.message).collect()
}

fn with_bgp(calico: &mut Calico, bgp: Bgp) {
    calico.transport = Transport::Bgp { bgp, ipip: None };
}

#[test]
fn pools_are_within_the_pod_network_and_apart() {
    assert_eq!(of_calico(|_, _| {}), Vec::<String>::new());
    let pool = |name: &str, cidr: &str| Pool::new(name, cidr.parse().unwrap());
    let told = of_calico(|calico, _| {
        let small = Pool { block_size: 16, ..pool("small", "10.244.0.0/17") };
        calico.pools = vec![pool("a", "10.244.0.0/17"), small, pool("a", "10.245.0.0/16")];
    });
    assert_eq!(
        told,
        [
            "blocks of /16 do not fit the pool small (10.244.0.0/17)",
            "the pool a (10.245.0.0/16) is not within the pod network 10.244.0.0/16",
            "two pools are called a",
            "the pools a and small overlap",
        ]
    );
}

#[test]
fn nobody_is_left_without_a_peer() {
    let router = Router { address: "10.1.0.1".parse().unwrap(), port: None, as_number: 65_100, password: None };
    let racks = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), vec![router.clone()])).collect();
    let told = |bgp: Bgp| of_calico(|calico, _| with_bgp(calico, bgp));
    assert!(told(Bgp { racks: racks(&["r1", "r2"]), ..Bgp::default() }).is_empty());
    assert!(told(Bgp { reflectors: Reflectors::usual(), ..Bgp::default() }).is_empty());
    assert!(told(Bgp { racks: racks(&["r1"]), mesh: Mesh::On, ..Bgp::default() }).is_empty());
    let lonely = told(Bgp { racks: racks(&["r1"]), ..Bgp::default() });
    assert!(lonely[0].contains("nobody peers with m2, n1: their pods would reach no other node"), "{lonely:?}");
    assert_eq!(told(Bgp { racks: racks(&["r1", "r2", "r9"]), ..Bgp::default() }), ["no node is in the rack r9"]);
    let unknown = Reflectors::Hosts([HostName::parse("x1").unwrap()].into());
    assert_eq!(told(Bgp { reflectors: unknown, ..Bgp::default() }), ["x1 is no node of this cluster"]);
}

#[test]
fn pools_in_a_pool_are_found_wherever_they_stand() {
    let told = of_calico(|calico, _| {
        let cidrs = ["10.244.64.0/18", "10.244.128.0/17", "10.244.0.0/17", "10.244.32.0/20"];
        let pools = cidrs.iter().enumerate();
        calico.pools = pools.map(|(index, cidr)| Pool::new(&format!("p{index}"), cidr.parse().unwrap())).collect();
    });
    assert_eq!(told, ["the pools p2 and p3 overlap", "the pools p2 and p0 overlap"]);
}

#[test]
fn calico_gets_what_it_can_work_with() {
    let told = |change: fn(&mut Calico)| of_calico(|calico, _| change(calico));
    assert!(told(|calico| calico.typha = Typha::Replicas(4)).is_empty());
    let many = told(|calico| calico.typha = Typha::Replicas(5));
    assert_eq!(many, ["there are to be 5 Typhas on 4 nodes, and no two share one"]);
    let networks = told(|calico| calico.detection = AddressDetection::Networks(vec!["fd00::/8".parse().unwrap()]));
    assert_eq!(networks, ["nodes look for an IPv4 address, and fd00::/8 has none"]);
    assert!(told(|calico| calico.mtu = Some(576)).is_empty());
    for (port, why) in [
        (6443, "that of the API"),
        (10_380, "blobs"),
        (10_250, "the kubelet"),
        (9099, "calico-node, for its health"),
        (179, "bird"),
        (30_091, "node ports"),
        (22, "sshd"),
    ] {
        let told = of_calico(|calico, _| calico.felix.metrics_port = Some(port));
        assert!(told.len() == 1 && told[0].contains(why), "{port}: {told:?}");
    }
    for port in [9091, 9098, 9253] {
        assert!(of_calico(|calico, _| calico.felix.metrics_port = Some(port)).is_empty(), "{port}");
    }
    let typha = of_calico(|calico, _| {
        calico.typha = Typha::Replicas(1);
        calico.felix.metrics_port = Some(9098);
    });
    assert!(typha[0].contains("Typha, for its health"), "{typha:?}");
    let ssh = of_calico(|calico, hosts| {
        hosts[0].ssh.port = 9091;
        calico.felix.metrics_port = Some(9091);
    });
    assert!(ssh[0].contains("sshd"), "{ssh:?}");
}

#[test]
fn peers_are_others_and_each_only_once() {
    let router =
        |address: &str, port, as_number| Router { address: address.parse().unwrap(), port, as_number, password: None };
    let told = |routers: Vec<Router>| {
        let bgp = Bgp { racks: [("r1".to_owned(), routers)].into(), mesh: Mesh::On, ..Bgp::default() };
        of_calico(|calico, _| with_bgp(calico, bgp))
    };
    assert!(told(vec![router("10.1.0.1", None, 65_001), router("10.1.0.1", Some(1790), 65_001)]).is_empty());
    let twice = told(vec![router("10.1.0.1", None, 65_001), router("10.1.0.1", None, 65_002)]);
    assert_eq!(twice, ["the rack r1 has the peer 10.1.0.1 twice"]);
    assert!(told(vec![router("fd00::1", None, 65_001)])[0].contains("is IPv6"));
    assert!(told(vec![router("10.1.0.11", None, 65_001)])[0].contains("is m1, a node of this cluster"));
    assert!(told(vec![router("10.244.1.1", None, 65_001)])[0].contains("lies in the pod network 10.244.0.0/16"));
    assert!(told(vec![router("10.96.0.9", None, 65_001)])[0].contains("lies in the service network 10.96.0.0/16"));
    for number in [23_456, 65_535] {
        assert!(told(vec![router("10.1.0.1", None, number)])[0].contains("the AS number"), "{number}");
        let bgp = Bgp { as_number: number, ..Bgp::default() };
        assert_eq!(of_calico(|calico, _| with_bgp(calico, bgp)).len(), 1, "{number}");
    }
}

#[test]
fn routers_are_told_of_services_alone() {
    let told = |cidr: &str| {
        let mut bgp = Bgp::default();
        bgp.services.external = vec![cidr.parse().unwrap()];
        let external = of_calico(|calico, _| with_bgp(calico, bgp.clone()));
        bgp.services = crate::cluster::ServiceRoutes { load_balancers: bgp.services.external, ..Default::default() };
        assert_eq!(of_calico(|calico, _| with_bgp(calico, bgp)), external);
        external
    };
    assert!(told("203.0.113.0/24").is_empty());
    for (cidr, why) in [
        ("0.0.0.0/0", "every address"),
        ("10.244.128.0/24", "overlaps the pod network"),
        ("10.96.0.0/12", "overlaps the service network"),
        ("10.1.0.0/24", "the address of m1"),
        ("2001:db8::/64", "is IPv6"),
    ] {
        let told = told(cidr);
        assert!(told.len() == 1 && told[0].contains(why), "{cidr}: {told:?}");
    }
}
