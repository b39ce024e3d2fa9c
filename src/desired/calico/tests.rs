//! All objects of Calico, of seven of its versions, as they were reviewed; and what differs with the inventory.

use serde_json::{Value, json};

use crate::cluster::{AddressDetection, Bgp, EndpointMode, KubeVersion, Overlay, Pool, Transport, Version};
use crate::desired::fixture::{self, Fixture, documents, worker};
use crate::desired::{digest, objects};
use crate::versions::calico::fields::FIELDS;
use crate::versions::{apis, calico as table, supported};

const VERSIONS: [(u32, &str); 7] =
    [(20, "3.21.5"), (23, "3.24.6"), (25, "3.26.5"), (28, "3.28.5"), (32, "3.30.7"), (35, "3.32.2"), (37, "3.33.0")];

fn of(fixture: &Fixture) -> Vec<Value> {
    super::objects(&fixture.context()).unwrap()
}

fn find(objects: &[Value], kind: &str, name: &str) -> Value {
    let is = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(is).unwrap_or_else(|| panic!("no {kind} {name}")).clone()
}

/// The pods of calico-node.
fn node(fixture: &Fixture) -> Value {
    find(&of(fixture), "DaemonSet", "calico-node")["spec"]["template"].take()
}

/// A variable of a container.
fn variable(container: &Value, name: &str) -> Option<String> {
    let variables = container["env"].as_array().unwrap();
    let found = variables.iter().find(|variable| variable["name"] == name)?;
    Some(found["value"].as_str().unwrap_or("from somewhere").to_owned())
}

fn with_many_nodes(minor: u32, version: &str) -> Fixture {
    let mut fixture = Fixture::with_calico(minor, version);
    fixture.change(|parts| parts.hosts.extend((2..60).map(|index| worker(&format!("n{}", index + 1), index))));
    fixture.meet();
    fixture
}

#[test]
fn objects_of_each_version() {
    for (minor, version) in VERSIONS {
        let mut fixture = with_many_nodes(minor, version);
        fixture.change_calico(|calico| {
            calico.transport = Transport::Bgp { bgp: Bgp::default(), ipip: Some(Overlay::CrossSubnet) };
            calico.felix.metrics_port = Some(9091);
        });
        insta::assert_snapshot!(version, documents(&of(&fixture)));
    }
}

#[test]
fn without_calico_there_is_nothing_of_it() {
    assert!(of(&Fixture::new(36)).is_empty());
}

#[test]
fn every_object_is_of_an_api_that_is_served_and_says_who_made_it() {
    for minor in supported::FIRST..=supported::LAST {
        let kubernetes = KubeVersion::new(1, minor, 0);
        for calico in table::minors(kubernetes) {
            let fixture = with_many_nodes(minor, &format!("3.{calico}.0"));
            for object in objects(&fixture.context()).unwrap() {
                let (api, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
                assert!(apis::is_served(api, kind, kubernetes), "1.{minor}: {api} {kind}");
                assert!(api != "policy/v1" || minor >= 21);
                // Kinds are as Calico has written them.
                let ours = object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "kubewright";
                assert!(ours || kind == "CustomResourceDefinition", "{object}");
            }
        }
    }
}

#[test]
fn a_calico_that_does_not_fit_or_is_not_there_is_refused() {
    let message = |fixture: &Fixture| objects(&fixture.context()).unwrap_err().to_string();
    let mut fixture = Fixture::with_calico(20, "3.30.7");
    assert!(message(&fixture).contains("Calico v3.30.7 does not go with Kubernetes v1.20.0"), "{}", message(&fixture));
    fixture.image.components.retain(|component| component.name != "calico");
    assert!(
        message(&fixture).contains("no component calico, which spec.network.plugin needs"),
        "{}",
        message(&fixture)
    );
}

#[test]
fn all_that_is_wrong_is_told_together() {
    let mut fixture = Fixture::with_calico(32, "3.30.7");
    fixture.facts_of("n1").interfaces.clear();
    fixture.component("calico").kind = crate::image::ComponentKind::Images(Vec::new());
    fixture
        .change_calico(|calico| drop(calico.felix.extra.insert("gpu".into(), crate::cluster::FelixValue::Number(1))));
    let message = objects(&fixture.context()).unwrap_err().to_string();
    for part in ["called cni;", "called kube-controllers;", "called node;", "no field gpu", "n1: no interface has"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn typha_comes_with_the_nodes() {
    let few = of(&Fixture::with_calico(32, "3.30.7"));
    assert!(few.iter().all(|object| object["metadata"]["name"] != "calico-typha"));
    assert_eq!(find(&few, "ConfigMap", "calico-config")["data"]["typha_service_name"], "none");
    let many = of(&with_many_nodes(32, "3.30.7"));
    assert_eq!(find(&many, "Deployment", "calico-typha")["spec"]["replicas"], 3);
    find(&many, "Service", "calico-typha");
    find(&many, "PodDisruptionBudget", "calico-typha");
    assert_eq!(find(&many, "ConfigMap", "calico-config")["data"]["typha_service_name"], "calico-typha");
}

#[test]
fn what_a_drain_moves_does_not_come_back_to_a_cordoned_node() {
    let objects = of(&with_many_nodes(32, "3.30.7"));
    for name in ["calico-typha", "calico-kube-controllers"] {
        let template = find(&objects, "Deployment", name)["spec"]["template"].take();
        for toleration in template["spec"]["tolerations"].as_array().unwrap() {
            let key = toleration["key"].as_str().unwrap();
            assert_ne!(key, "node.kubernetes.io/unschedulable", "{name}");
        }
    }
}

#[test]
fn with_vxlan_there_is_no_bird() {
    let probes = |version: &str, minor| {
        let mut fixture = Fixture::with_calico(minor, version);
        fixture.change_calico(|calico| calico.transport = Transport::Vxlan(Overlay::CrossSubnet));
        let objects = of(&fixture);
        assert_eq!(find(&objects, "ConfigMap", "calico-config")["data"]["calico_backend"], "vxlan");
        let pool = find(&objects, "IPPool", "default");
        assert_eq!((&pool["spec"]["vxlanMode"], &pool["spec"]["ipipMode"]), (&json!("CrossSubnet"), &json!("Never")));
        let container = node(&fixture)["spec"]["containers"][0].take();
        assert_eq!(variable(&container, "CLUSTER_TYPE").as_deref(), Some("k8s"));
        ["livenessProbe", "readinessProbe"].map(|probe| container[probe]["exec"]["command"].clone())
    };
    assert_eq!(
        probes("3.30.7", 32),
        [json!(["/bin/calico-node", "-felix-live"]), json!(["/bin/calico-node", "-felix-ready"])]
    );
    assert_eq!(
        probes("3.33.0", 37),
        [
            json!(["calico", "component", "node", "health", "--felix-live"]),
            json!(["calico", "component", "node", "health", "--felix-ready"])
        ]
    );
}

#[test]
fn pods_find_the_api_without_kube_proxy_where_they_can_reach_it() {
    let hosts = |mode: EndpointMode| {
        let mut fixture = with_many_nodes(37, "3.33.0");
        fixture.change(|parts| parts.endpoint.mode = mode);
        let objects = of(&fixture);
        let host = |template: &Value, place: &str, index: usize| {
            variable(&template["spec"][place][index], "KUBERNETES_SERVICE_HOST").unwrap_or_default()
        };
        let node = node(&fixture);
        let [typha, controllers] = ["calico-typha", "calico-kube-controllers"]
            .map(|name| find(&objects, "Deployment", name)["spec"]["template"].take());
        [
            host(&node, "initContainers", 1),
            host(&node, "containers", 0),
            host(&typha, "containers", 0),
            host(&controllers, "containers", 0),
        ]
    };
    assert_eq!(hosts(EndpointMode::Local), ["127.0.0.1", "127.0.0.1", "127.0.0.1", ""]);
    assert_eq!(hosts(fixture::vip()), ["10.1.0.10"; 4]);
    let name = "api.bj1.example";
    assert_eq!(hosts(EndpointMode::External { address: None }), [name, name, name, ""]);
}

#[test]
fn a_node_finds_its_address_as_the_inventory_says() {
    for (detection, method) in [
        (AddressDetection::Inventory, "kubernetes-internal-ip"),
        (AddressDetection::Interfaces(vec!["bond0".into(), "eth.*".into()]), "interface=bond0,eth.*"),
        (
            AddressDetection::Networks(vec!["10.1.0.0/16".parse().unwrap(), "10.2.0.0/16".parse().unwrap()]),
            "cidr=10.1.0.0/16,10.2.0.0/16",
        ),
    ] {
        let mut fixture = Fixture::with_calico(32, "3.30.7");
        fixture.change_calico(|calico| calico.detection = detection);
        let container = node(&fixture)["spec"]["containers"][0].take();
        assert_eq!(variable(&container, "IP").as_deref(), Some("autodetect"));
        assert_eq!(variable(&container, "IP_AUTODETECTION_METHOD").as_deref(), Some(method));
    }
}

fn with_ipv6(minor: u32, version: &str) -> Fixture {
    let mut fixture = Fixture::with_calico(minor, version);
    fixture.change(|parts| {
        for (index, host) in parts.hosts.iter_mut().enumerate() {
            host.address = format!("fd00:1::{}", index + 1).parse().unwrap();
        }
        parts.network.pod_cidr = "fd00:244::/56".parse().unwrap();
        parts.network.node_prefix = 64;
        parts.network.service_cidr = "fd00:96::/112".parse().unwrap();
        let calico = crate::cluster::Calico::new(parts.network.pod_cidr);
        parts.network.plugin = crate::cluster::NetworkPlugin::Calico(Box::new(calico));
    });
    fixture.facts.clear();
    fixture.meet();
    fixture
}

#[test]
fn a_cluster_of_ipv6_has_nothing_of_ipv4() {
    let fixture = with_ipv6(32, "3.30.7");
    let container = node(&fixture)["spec"]["containers"][0].take();
    let of_container = |name: &str| variable(&container, name);
    assert_eq!(of_container("IP").as_deref(), Some("none"));
    assert_eq!(of_container("IP_AUTODETECTION_METHOD"), None);
    assert_eq!(of_container("IP6").as_deref(), Some("autodetect"));
    assert_eq!(of_container("IP6_AUTODETECTION_METHOD").as_deref(), Some("kubernetes-internal-ip"));
    assert_eq!(of_container("FELIX_IPV6SUPPORT").as_deref(), Some("true"));
    assert_eq!(of_container("CALICO_ROUTER_ID").as_deref(), Some("hash"));
    let objects = of(&fixture);
    let pool = find(&objects, "IPPool", "default")["spec"].take();
    assert_eq!((&pool["cidr"], &pool["blockSize"]), (&json!("fd00:244::/56"), &json!(122)));
    let network = network(&objects);
    assert_eq!(network["plugins"][0]["ipam"]["assign_ipv6"], "true");
    assert_eq!(network["plugins"][0]["ipam"]["assign_ipv4"], "false");
}

#[test]
fn vxlan_over_ipv6_wants_a_calico_that_has_it() {
    let with = |minor, version: &str| {
        let mut fixture = with_ipv6(minor, version);
        fixture.change_calico(|calico| calico.transport = Transport::Vxlan(Overlay::Always));
        super::objects(&fixture.context()).map(drop).map_err(|error| error.to_string())
    };
    assert!(with(21, "3.22.5").unwrap_err().contains("VXLAN of Calico v3.22.5 carries IPv4 only"));
    assert_eq!(with(21, "3.23.5"), Ok(()));
}

/// The configuration of the CNI plugin, with its placeholders filled in.
fn network(objects: &[Value]) -> Value {
    let config = find(objects, "ConfigMap", "calico-config");
    let text = config["data"]["cni_network_config"].as_str().unwrap().replace("__CNI_MTU__", "1480");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_configuration_of_the_network_can_be_read_in_every_version() {
    for (minor, version) in VERSIONS {
        let network = network(&of(&Fixture::with_calico(minor, version)));
        let plugins: Vec<_> =
            network["plugins"].as_array().unwrap().iter().map(|plugin| plugin["type"].clone()).collect();
        let parsed: Version = version.parse().unwrap();
        let bandwidth = table::has_bandwidth_plugin(parsed);
        let expected: &[&str] = if bandwidth { &["calico", "bandwidth", "portmap"] } else { &["calico", "portmap"] };
        assert_eq!(plugins, expected, "{version}");
        assert_eq!(network["cniVersion"], table::cni_version(parsed));
    }
}

#[test]
fn what_the_pods_read_at_their_start_rolls_them() {
    let mut fixture = Fixture::with_calico(32, "3.30.7");
    let digest = |fixture: &Fixture| node(fixture)["metadata"]["annotations"][digest::ANNOTATION].clone();
    let before = digest(&fixture);
    fixture.change_calico(|calico| calico.felix.metrics_port = Some(9091));
    assert_eq!(digest(&fixture), before, "Felix looks at its settings all the time");
    fixture.change_calico(|calico| calico.mtu = Some(1400));
    assert_ne!(digest(&fixture), before);
}

/// Fields of an IPPool, and the first minor of Calico 3 with each.
const POOL: &[(&str, u32)] = &[
    ("allowedUses", 21),
    ("assignmentMode", 30),
    ("blockSize", 21),
    ("cidr", 21),
    ("disableBGPExport", 22),
    ("disabled", 21),
    ("ipipMode", 21),
    ("namespaceSelector", 31),
    ("natOutgoing", 21),
    ("nodeSelector", 21),
    ("vxlanMode", 21),
];

#[test]
fn objects_have_only_fields_that_their_version_has() {
    for minor in supported::FIRST..=supported::LAST {
        for calico in table::minors(KubeVersion::new(1, minor, 0)) {
            let version = Version::new(3, calico, 0);
            let mut fixture = Fixture::with_calico(minor, &format!("3.{calico}.0"));
            fixture.change_calico(|calico| {
                let small = Pool {
                    block_size: 28,
                    nat_outgoing: false,
                    ..Pool::new("small", "10.244.128.0/20".parse().unwrap())
                };
                calico.pools = vec![Pool::new("large", "10.244.0.0/17".parse().unwrap()), small];
                calico.felix.metrics_port = Some(9091);
            });
            let objects = of(&fixture);
            for name in find(&objects, "FelixConfiguration", "default")["spec"].as_object().unwrap().keys() {
                let field = FIELDS.iter().find(|field| field.name == name);
                assert!(field.is_some_and(|field| field.is_known(version)), "3.{calico}: {name}");
            }
            for pool in ["large", "small"] {
                for name in find(&objects, "IPPool", pool)["spec"].as_object().unwrap().keys() {
                    let known = POOL.iter().any(|(field, since)| field == name && *since <= calico);
                    assert!(known, "3.{calico}: {name}");
                }
            }
        }
    }
}
