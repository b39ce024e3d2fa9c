//! Two data centres, racks with routers, reflectors.

use std::time::Instant;

use super::*;
use crate::cluster::{Calico, Mesh, NetworkPlugin, Reflectors, Router, Transport};
use crate::desired::fixture::{Fixture, calico as with_version, documents, worker};

fn router(address: &str, password: bool) -> Router {
    let password = password.then(|| "/inv/bgp.key".into());
    Router { address: address.parse().unwrap(), port: None, as_number: 65_100, password }
}

/// m1 and n1 are in rack r1 of bj, the others in r2 of sh.
fn fixture(change: impl FnOnce(&mut Bgp)) -> Fixture {
    let mut fixture = Fixture::with_calico(36, "3.32.2");
    let mut bgp = Bgp::default();
    change(&mut bgp);
    fixture.change(|parts| {
        for host in &mut parts.hosts {
            let first = ["m1", "n1"].contains(&host.name.as_str());
            host.idc = Some(if first { "bj" } else { "sh" }.into());
            host.rack = Some(if first { "r1" } else { "r2" }.into());
        }
        let calico = Calico { transport: Transport::Bgp { bgp, ipip: None }, ..Calico::new(parts.network.pod_cidr) };
        parts.network.plugin = NetworkPlugin::Calico(Box::new(calico));
    });
    fixture
}

fn of(fixture: &Fixture) -> Peering {
    peering(&fixture.context()).unwrap().unwrap()
}

fn specs(peering: &Peering) -> Vec<String> {
    let peers = peering.peers.iter().flat_map(|group| &group.peers);
    peers.map(|peer| format!("{}: {}", peer["metadata"]["name"].as_str().unwrap(), peer["spec"])).collect()
}

#[test]
fn without_a_word_it_is_a_mesh() {
    let peering = of(&fixture(|_| {}));
    assert!(peering.meshed && peering.peers.is_empty() && peering.cluster_ids.is_empty() && peering.first.is_empty());
    assert_eq!(
        peering.configuration["spec"],
        json!({"asNumber": 64512, "logSeverityScreen": "Info", "nodeToNodeMeshEnabled": true})
    );
}

#[test]
fn the_nodes_of_a_rack_peer_with_its_routers() {
    let mut fixture = fixture(|bgp| {
        bgp.racks = [
            (
                "r1".to_owned(),
                vec![router("10.1.1.251", true), Router { port: Some(1790), ..router("10.1.1.252", false) }],
            ),
            ("r2".to_owned(), vec![router("10.1.2.1", false)]),
        ]
        .into();
        bgp.services.cluster = true;
    });
    let error = peering(&fixture.context()).unwrap_err().to_string();
    assert!(error.contains("/inv/bgp.key cannot be read"), "{error}");
    fixture.files.insert("/inv/bgp.key".into(), "hunter2\n".into());
    let peering = of(&fixture);
    assert!(!peering.meshed);
    insta::assert_snapshot!(specs(&peering).join("\n"), @r#"
    rack-r1-10.1.1.251: {"asNumber":65100,"filters":["kubewright-routers"],"nodeSelector":"topology.kubewright.dev/rack == 'r1'","numAllowedLocalASNumbers":1,"password":{"secretKeyRef":{"key":"rack-r1-10.1.1.251","name":"kubewright-bgp"}},"peerIP":"10.1.1.251"}
    rack-r1-10.1.1.252-1790: {"asNumber":65100,"filters":["kubewright-routers"],"nodeSelector":"topology.kubewright.dev/rack == 'r1'","numAllowedLocalASNumbers":1,"peerIP":"10.1.1.252:1790"}
    rack-r2-10.1.2.1: {"asNumber":65100,"filters":["kubewright-routers"],"nodeSelector":"topology.kubewright.dev/rack == 'r2'","numAllowedLocalASNumbers":1,"peerIP":"10.1.2.1"}
    "#);
    let sessions = &peering.peers[0].sessions;
    assert_eq!(sessions.keys().map(HostName::as_str).collect::<Vec<_>>(), ["m1", "n1"]);
    assert_eq!(sessions.values().map(BTreeSet::len).collect::<Vec<_>>(), [2, 2]);
    let secret = peering.first.last().unwrap();
    assert_eq!(secret["data"]["rack-r1-10.1.1.251"], "aHVudGVyMg==");
    assert_eq!(peering.configuration["spec"]["serviceClusterIPs"], json!([{"cidr": "10.96.0.0/16"}]));
}

#[test]
fn routers_hear_of_a_nodes_own_routes_and_nodes_of_each_other() {
    let routers = || ["r1", "r2"].map(|rack| (rack.to_owned(), vec![router("10.1.1.251", false)])).into();
    let spec = |calico: &str, change: fn(&mut Bgp)| {
        let mut fixture = fixture(|bgp| {
            bgp.racks = routers();
            change(bgp);
        });
        *fixture.component("calico") = with_version(calico);
        let peering = of(&fixture);
        (peering.peers[0].peers[0]["spec"].clone(), peering.first.len())
    };
    let (alone, first) = spec("3.32.2", |_| {});
    assert_eq!((&alone["numAllowedLocalASNumbers"], &alone["filters"][0], first), (&json!(1), &json!(FILTER), 1));
    // The AS of the nodes themselves is no loop.
    assert_eq!(spec("3.32.2", |bgp| bgp.as_number = 65_100).0.get("numAllowedLocalASNumbers"), None);
    assert_eq!(spec("3.32.2", |bgp| bgp.mesh = Mesh::On).0["numAllowedLocalASNumbers"], 1);
    let (old, first) = spec("3.26.4", |bgp| bgp.reflectors = Reflectors::PerIdc(1));
    assert_eq!((old.get("numAllowedLocalASNumbers"), old.get("filters"), first), (None, None, 0));
}

#[test]
fn reflectors_serve_their_data_centre_and_know_each_other() {
    let peering = of(&fixture(|bgp| bgp.reflectors = Reflectors::PerIdc(1)));
    assert!(!peering.meshed);
    insta::assert_snapshot!(specs(&peering).join("\n"), @r#"
    reflectors: {"nodeSelector":"has(kubewright.dev/route-reflector)","peerSelector":"has(kubewright.dev/route-reflector)"}
    reflectors-bj: {"nodeSelector":"topology.kubewright.dev/idc == 'bj'","peerSelector":"kubewright.dev/route-reflector == 'bj'"}
    reflectors-sh: {"nodeSelector":"topology.kubewright.dev/idc == 'sh'","peerSelector":"kubewright.dev/route-reflector == 'sh'"}
    "#);
    // m1 for bj, m2 for sh.
    let ids: Vec<_> = peering.cluster_ids.iter().map(|(host, id)| format!("{host} {id}")).collect();
    assert_eq!(ids.len(), 2);
    let labels: Vec<_> = peering.labels.iter().map(|(host, idc)| format!("{host} {idc}")).collect();
    assert_eq!(labels, ["m1 bj", "m2 sh"]);
    assert!(ids[0].starts_with("m1 244.") && ids[1].starts_with("m2 244.") && ids[0][3..] != ids[1][3..], "{ids:?}");
    let sessions: Vec<_> = peering.peers[0]
        .sessions
        .iter()
        .map(|(host, with)| format!("{host}: {}", with.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")))
        .collect();
    insta::assert_snapshot!(sessions.join("\n"), @r"
    m1: 10.1.0.12 10.1.1.1
    m2: 10.1.0.11 10.1.0.13 10.1.1.2
    m3: 10.1.0.12
    n1: 10.1.0.11
    n2: 10.1.0.12
    ");
}

/// Routers with a password, reflectors and routes of Services, as they were reviewed.
#[test]
fn objects_of_bgp() {
    let mut fixture = fixture(|bgp| {
        bgp.racks =
            [("r1".to_owned(), vec![router("10.1.1.251", true)]), ("r2".to_owned(), vec![router("10.1.2.1", false)])]
                .into();
        bgp.reflectors = Reflectors::PerIdc(1);
        bgp.services.cluster = true;
        bgp.services.external = vec!["192.0.2.0/24".parse().unwrap()];
    });
    fixture.files.insert("/inv/bgp.key".into(), "hunter2\n".into());
    let peering = of(&fixture);
    let peers = peering.peers.iter().flat_map(|group| &group.peers);
    let all = peering.first.iter().chain([&peering.configuration]).chain(peers);
    insta::assert_snapshot!("objects", documents(all));
}

#[test]
fn two_hundred_hosts_in_ten_racks_take_no_time() {
    let mut fixture = Fixture::with_calico(36, "3.32.2");
    fixture.change(|parts| {
        parts.hosts.extend((0..195).map(|index| worker(&format!("x{index:03}"), index + 20)));
        for (index, host) in parts.hosts.iter_mut().enumerate() {
            host.rack = Some(format!("r{}", index % 10));
            host.idc = Some(format!("idc{}", index % 2));
        }
        let racks = (0..10).map(|rack| (format!("r{rack}"), vec![router(&format!("10.9.{rack}.1"), false)]));
        let bgp = Bgp { racks: racks.collect(), mesh: Mesh::Off, reflectors: Reflectors::usual(), ..Bgp::default() };
        let calico = Calico { transport: Transport::Bgp { bgp, ipip: None }, ..Calico::new(parts.network.pod_cidr) };
        parts.network.plugin = NetworkPlugin::Calico(Box::new(calico));
    });
    let began = Instant::now();
    let peering = of(&fixture);
    println!("{:?}", began.elapsed());
    assert_eq!(peering.peers.len(), 11);
    for group in &peering.peers[..10] {
        assert_eq!((group.peers.len(), group.sessions.len()), (1, 20), "{}", group.title);
    }
    assert_eq!(peering.cluster_ids.len(), 4);
    // All of it, and what goes to every host.
    fixture.meet();
    let began = Instant::now();
    let all = crate::desired::objects(&fixture.context()).unwrap();
    let hosts: Vec<String> = fixture.cluster.hosts.iter().map(|host| host.name.to_string()).collect();
    let states: Vec<_> = hosts.iter().map(|host| fixture.state(host)).collect();
    println!("{} objects, {} hosts: {:?}", all.len(), states.len(), began.elapsed());
    // Each node of a data centre with its two reflectors.
    let of_x000 = &peering.peers[10].sessions[&HostName::parse("x000").unwrap()];
    assert_eq!(of_x000.len(), 2);
}
