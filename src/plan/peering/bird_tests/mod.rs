//! BGP for real: the objects as Calico reads them, run by BIRD on nodes that are network namespaces, in two racks with a
//! router each. Calico brings a BIRD 1.6 of its own; this is BIRD 2, and nothing is encapsulated.

mod calico;
mod fabric;

use std::time::Duration;

use calico::Calico;
use fabric::{Fabric, Node};

use super::*;
use crate::cluster::{Bgp, Mesh, NetworkPlugin, Reflectors, Router, Transport};
use crate::desired::fixture::Fixture;

const POOL: &str = "10.244.0.0/16";
/// What may pass between the first node that changes and the last one: each reads the objects when it comes to it.
const APART: Duration = Duration::from_millis(300);

/// m1 and n1 in rack r1 of bj, m2, m3 and n2 in rack r2 of sh.
fn fixture(bgp: Bgp) -> Fixture {
    let mut fixture = Fixture::with_calico(36, "3.32.2");
    fixture.change(|parts| {
        for (index, host) in parts.hosts.iter_mut().enumerate() {
            let first = ["m1", "n1"].contains(&host.name.as_str());
            let rack = if first { 1 } else { 2 };
            host.idc = Some(if first { "bj" } else { "sh" }.into());
            host.rack = Some(format!("r{rack}"));
            host.address = IpAddr::from([10, 1, rack, 10 + u8::try_from(index).unwrap()]);
        }
        let pool = POOL.parse().unwrap();
        parts.network.pod_cidr = pool;
        let calico = crate::cluster::Calico {
            transport: Transport::Bgp { bgp, ipip: None },
            ..crate::cluster::Calico::new(pool)
        };
        parts.network.plugin = NetworkPlugin::Calico(Box::new(calico));
    });
    fixture
}

/// With the router of each rack.
fn bgp(mesh: Mesh, reflectors: Reflectors) -> Bgp {
    let router = |rack: u8| Router {
        address: IpAddr::from([10, 1, rack, 254]),
        port: None,
        as_number: 65_000 + u32::from(rack),
        password: None,
    };
    let racks = [1, 2].map(|rack| (format!("r{rack}"), vec![router(rack)]));
    Bgp { mesh, reflectors, racks: racks.into(), ..Bgp::default() }
}

struct Lab {
    calico: Calico,
    fabric: Fabric,
}

impl Lab {
    fn start(fixture: &Fixture) -> Self {
        let node = |(index, host): (usize, &Host)| Node {
            name: host.name.to_string(),
            address: host.address,
            rack: host.rack.clone().unwrap(),
            block: format!("10.244.{index}.0/26"),
            pod: IpAddr::from([10, 244, u8::try_from(index).unwrap(), 1]),
        };
        let nodes: Vec<Node> = fixture.cluster.hosts.iter().enumerate().map(node).collect();
        let calico = Calico::new(&nodes, POOL, 64_512);
        let mut lab = Self { fabric: Fabric::start(nodes, 64_512), calico };
        lab.configure();
        lab
    }

    /// Brings `bgp` about, step by step.
    fn bring_about(&mut self, bgp: Bgp) {
        let fixture = fixture(bgp);
        let context = fixture.context();
        // As in an install, where labels come earlier.
        for marks in crate::desired::nodes(&context) {
            self.calico.mark(marks.name.to_string(), marks.labels);
        }
        let wanted = crate::desired::peering(&context).unwrap().unwrap();
        let nodes: Vec<&Host> = fixture.cluster.hosts.iter().collect();
        for step in peering(&self.calico.live(), &wanted, &nodes) {
            match step {
                PeeringStep::Apply(objects) => objects.into_iter().for_each(|object| self.calico.apply(object)),
                PeeringStep::Label(node, idc) => self.calico.set_label(&node, idc),
                PeeringStep::ClusterId(node, id) => self.calico.set_cluster_id(node, id),
                PeeringStep::Remove(names) => names.iter().for_each(|name| self.calico.remove_peer(name)),
                PeeringStep::Await(sessions) => {
                    self.fabric.established(&sessions);
                    continue;
                }
            }
            self.configure();
        }
    }

    fn configure(&mut self) {
        for node in self.fabric.nodes() {
            if self.fabric.configure(&node, &self.calico.configuration(&node)) {
                std::thread::sleep(APART);
            }
        }
    }
}

#[test]
fn no_packet_is_lost_on_the_way_from_a_mesh_to_reflectors_and_back() {
    if !fabric::is_possible() {
        return;
    }
    let meshed = || bgp(Mesh::On, Reflectors::None);
    let mut lab = Lab::start(&fixture(meshed()));
    lab.bring_about(meshed());
    // Pods of one rack and of the other; and of nodes that become reflectors, whose sessions begin anew.
    let traffic = [lab.fabric.talk("n1", "n2"), lab.fabric.talk("n1", "m2"), lab.fabric.talk("n2", "m1")];
    lab.bring_about(bgp(Mesh::Auto, Reflectors::PerIdc(1)));
    assert_eq!(lab.calico.reflectors(), ["m1", "m2"]);
    assert!(!lab.calico.live().meshed);
    let route = lab.fabric.route("n2", "n1");
    assert!(route.contains("via 10.1.2.254") && route.contains("proto bird"), "{route}");
    lab.bring_about(meshed());
    assert!(lab.calico.live().meshed && lab.calico.reflectors().is_empty());
    for traffic in traffic {
        let spoken = traffic.end();
        assert!(spoken.sent > 100 && spoken.lost.is_empty(), "{spoken:?}");
    }
    // Routers alone: the AS of the nodes is at both ends of every route.
    lab.bring_about(bgp(Mesh::Auto, Reflectors::None));
    let spoken = lab.fabric.talk("n1", "n2").end();
    assert!(spoken.lost.is_empty(), "{spoken:?}");
}

/// Where routers tell of no pods, the sessions are the only way; those of a rack need no router for what they tell.
#[test]
fn without_routers_pods_beside_reflectors_lose_nothing_either() {
    if !fabric::is_possible() {
        return;
    }
    let without = |reflectors| Bgp { racks: BTreeMap::new(), ..bgp(Mesh::Auto, reflectors) };
    let mut lab = Lab::start(&fixture(without(Reflectors::None)));
    lab.bring_about(without(Reflectors::None));
    let traffic = lab.fabric.talk("m3", "n2");
    lab.bring_about(without(Reflectors::PerIdc(1)));
    assert!(!lab.calico.live().meshed && lab.calico.reflectors() == ["m1", "m2"]);
    lab.bring_about(without(Reflectors::None));
    assert!(lab.calico.live().meshed && lab.calico.reflectors().is_empty());
    let spoken = traffic.end();
    assert!(spoken.sent > 100 && spoken.lost.is_empty(), "{spoken:?}");
}
