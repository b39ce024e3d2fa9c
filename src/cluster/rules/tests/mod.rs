//! Every rule, broken once. [`valid`] breaks none.

mod calico;
mod network;

use std::time::Duration;

use super::*;
use crate::cluster::{
    Cluster, ClusterName, ControlPlane, DataDisk, DeviceRule, DiskLayout, DiskUse, DistributionMode, Endpoint,
    EndpointMode, Etcd, Host, HostName, ImageReference, ImageTrust, Jump, Kernel, KeyAlgorithm, Kubelet, LabelKey,
    LabelValue, Labels, Network, Pki, QualityOfService, Role, Services, SshTarget, Taint, TaintEffect, ThinPool,
};

fn host(name: &str, address: &str, roles: &[Role]) -> Host {
    Host {
        name: HostName::parse(name).unwrap(),
        address: address.parse().unwrap(),
        roles: roles.iter().copied().collect(),
        idc: None,
        rack: None,
        labels: Labels::new(),
        taints: Vec::new(),
        kernel: Kernel::default(),
        services: Services::default(),
        disks: Vec::new(),
        ssh: SshTarget {
            host: address.into(),
            port: 22,
            user: "root".into(),
            identity_files: Vec::new(),
            identities_only: false,
            become_root: crate::cluster::Become::Root,
            jumps: Vec::new(),
            host_keys: Vec::new(),
        },
    }
}

fn valid() -> Parts {
    let master = [Role::ControlPlane, Role::Etcd];
    Parts {
        name: ClusterName::parse("test").unwrap(),
        image: ImageReference("oci:k8s".into()),
        image_trust: ImageTrust::default(),
        hosts: vec![
            host("m1", "10.1.0.11", &master),
            host("m2", "10.1.0.12", &master),
            host("m3", "10.1.0.13", &master),
            host("n1", "10.1.0.21", &[Role::Worker]),
        ],
        endpoint: Endpoint { host: "api.test".into(), port: 6443, mode: EndpointMode::Local },
        network: Network::default(),
        etcd: Etcd {
            heartbeat: Duration::from_millis(100),
            election: Duration::from_secs(1),
            quota_bytes: 8 << 30,
            snapshots: crate::cluster::Snapshots::default(),
        },
        control_plane: ControlPlane {
            extra_args: Default::default(),
            cert_sans: Vec::new(),
            quality_of_service: QualityOfService::Burstable,
        },
        kubelet: Kubelet { max_pods: 110 },
        pki: Pki {
            algorithm: KeyAlgorithm::EcdsaP256,
            ca_lifetime: Duration::from_secs(86_400 * 3650),
            leaf_lifetime: Duration::from_secs(86_400 * 365),
        },
        upgrade: Default::default(),
        distribution: Default::default(),
        addons: Vec::new(),
    }
}

/// Field and message of every violation.
fn broken(change: impl FnOnce(&mut Parts)) -> Vec<(String, String)> {
    let mut parts = valid();
    change(&mut parts);
    let violations = Cluster::new(parts).map(|_| ()).unwrap_err();
    assert!(violations.iter().all(|violation| !violation.hint.is_empty()));
    let field = |place: &Place| match place.host {
        Some(host) => format!("{host}.{}", place.field),
        None => place.field.to_owned(),
    };
    violations.into_iter().map(|violation| (field(&violation.place), violation.message)).collect()
}

#[track_caller]
fn breaks(field: &str, why: &str, change: impl FnOnce(&mut Parts)) {
    let violations = broken(change);
    let found = violations.iter().any(|(place, message)| place == field && message.contains(why));
    assert!(found, "{field}: {why}: {violations:?}");
}

#[track_caller]
fn breaks_only(field: &str, why: &str, change: impl FnOnce(&mut Parts)) {
    let violations = broken(change);
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert!(violations[0].0 == field && violations[0].1.contains(why), "{field}: {why}: {violations:?}");
}

/// Nothing is wrong with it.
#[track_caller]
fn passes(change: impl FnOnce(&mut Parts)) {
    let mut parts = valid();
    change(&mut parts);
    assert_eq!(Cluster::new(parts).map(|_| ()), Ok(()));
}

fn vip(address: &str) -> EndpointMode {
    EndpointMode::Vip { vip: address.parse().unwrap(), interface: None, router_id: 1 }
}

#[test]
fn a_valid_cluster_breaks_no_rule() {
    assert!(Cluster::new(valid()).is_ok());
    let mut parts = valid();
    parts.endpoint.mode = vip("10.1.0.10");
    assert!(Cluster::new(parts).is_ok());
    let mut parts = valid();
    for (index, host) in parts.hosts.iter_mut().enumerate() {
        host.address = format!("fd00::{}", index + 1).parse().unwrap();
        host.ssh.host = host.address.to_string();
    }
    parts.network.pod_cidr = "fd01::/48".parse().unwrap();
    parts.network.node_prefix = 64;
    parts.network.service_cidr = "fd02::/108".parse().unwrap();
    assert_eq!(Cluster::new(parts).map(|_| ()), Ok(()));
}

#[test]
fn hosts_are_distinct() {
    breaks_only("3.name", "two hosts are called m1", |parts| parts.hosts[3].name = HostName::parse("m1").unwrap());
    breaks_only("2.address", "m1 and m3 have the same address", |parts| {
        parts.hosts[2].address = parts.hosts[0].address;
        parts.hosts[2].ssh.host = parts.hosts[0].ssh.host.clone();
    });
    breaks_only("1.ssh.host", "m1 and m2 are the same SSH login", |parts| {
        parts.hosts[0].ssh.host = "nat".into();
        parts.hosts[1].ssh.host = "nat".into();
    });
    // Behind different ports or bastions the same name is another machine.
    let mut parts = valid();
    for (index, host) in parts.hosts.iter_mut().enumerate() {
        host.ssh.host = "localhost".into();
        let hop = format!("jump{index}");
        host.ssh.jumps = vec![Jump { user: "ops".into(), host: hop, port: 22, host_keys: Vec::new() }];
    }
    parts.hosts[0].ssh.jumps = parts.hosts[1].ssh.jumps.clone();
    parts.hosts[0].ssh.port = 2222;
    assert_eq!(Cluster::new(parts).map(|_| ()), Ok(()));
}

#[test]
fn names_that_every_host_has_for_itself_are_nobodys() {
    for name in ["localhost", "x.localhost", "ip6-loopback", "localhost.localdomain"] {
        breaks_only("0.name", "is every host's name for itself", |parts| {
            parts.hosts[0].name = HostName::parse(name).unwrap();
        });
        breaks_only("endpoint.host", "is every host's name for itself", |parts| parts.endpoint.host = name.into());
    }
    breaks_only("0.name", "10.1.0.99 is an address, not a name", |parts| {
        parts.hosts[0].name = HostName::parse("10.1.0.99").unwrap();
    });
}

#[test]
fn disks_are_distinct_and_of_use() {
    let disk = |purpose: DiskUse, path: &str| DataDisk {
        purpose,
        device: DeviceRule::Path(path.into()),
        layout: DiskLayout::Plain,
        filesystem: purpose.default_filesystem(),
    };
    let mut parts = valid();
    parts.hosts[0].disks = vec![disk(DiskUse::Etcd, "/dev/vdb"), disk(DiskUse::Logs, "/dev/vdc")];
    assert_eq!(Cluster::new(parts).map(|_| ()), Ok(()));
    breaks_only("0.disks", "m1 has two disks for etcd", |parts| {
        parts.hosts[0].disks = vec![disk(DiskUse::Etcd, "/dev/vdb"), disk(DiskUse::Etcd, "/dev/vdc")];
    });
    breaks_only("0.disks", "m1 has /dev/vdb for etcd and for logs", |parts| {
        parts.hosts[0].disks = vec![disk(DiskUse::Etcd, "/dev/vdb"), disk(DiskUse::Logs, "/dev/vdb")];
    });
    breaks_only("0.disks", "m1 has a snapshotter on its disk for etcd", |parts| {
        let layout = DiskLayout::ThinPool(ThinPool { base_image_size: 10 << 30 });
        parts.hosts[0].disks = vec![DataDisk { layout, ..disk(DiskUse::Etcd, "/dev/vdb") }];
    });
    breaks_only("3.disks", "n1 has a disk for etcd, which does not run there: its roles are worker", |parts| {
        parts.hosts[3].disks = vec![disk(DiskUse::Etcd, "/dev/vdb")];
    });
}

#[test]
fn every_role_is_needed() {
    breaks("hosts", "no host has the role `control-plane`", |parts| parts.hosts.drain(..3).for_each(drop));
    breaks("hosts", "no host has the role `etcd`", |parts| parts.hosts.drain(..3).for_each(drop));
    breaks_only("hosts", "no host has the role `worker`", |parts| drop(parts.hosts.pop()));
    breaks("hosts", "no host has the role", |parts| parts.hosts.clear());
    breaks_only("hosts", "2 hosts have the role `etcd`, an even number", |parts| drop(parts.hosts.remove(0)));
    breaks_only("hosts", "9 hosts", |parts| {
        for index in 0..6 {
            parts.hosts.push(host(&format!("e{index}"), &format!("10.1.0.3{index}"), &[Role::Etcd]));
        }
    });
}

#[test]
fn labels_and_taints_are_where_they_work() {
    let taint =
        Taint { key: LabelKey::parse("a").unwrap(), value: LabelValue::default(), effect: TaintEffect::NoSchedule };
    breaks_only("4.taints", "e1 has taints, but is no node", |parts| {
        parts.hosts.extend([host("e1", "10.1.0.31", &[Role::Etcd]), host("e2", "10.1.0.32", &[Role::Etcd])]);
        parts.hosts[4].taints.push(taint);
    });
    let label = |parts: &mut Parts, key: &str, value: &str| {
        parts.hosts[0].labels.insert(LabelKey::parse(key).unwrap(), LabelValue::parse(value).unwrap());
    };
    for key in ["kubernetes.io/hostname", "topology.kubewright.dev/rack", "node-role.kubernetes.io/control-plane"] {
        breaks_only("0.labels", "not yours", |parts| label(parts, key, "x"));
    }
    for key in ["kubernetes.io/rack", "k8s.io/x", "kubewright.dev/route-reflector", "topology.kubewright.dev/row"] {
        breaks_only("0.labels", "not yours", |parts| label(parts, key, "x"));
    }
    for key in ["beta.kubernetes.io/os", "node-role.kubernetes.io/worker"] {
        breaks_only("0.labels", "not yours", |parts| label(parts, key, "x"));
    }
    for key in [
        "kubernetes.io/role",
        "topology.kubernetes.io/region",
        "node-restriction.kubernetes.io/tenant",
        "node-role.kubernetes.io/ingress",
        "feature.node.kubernetes.io/cpu",
        "example.com/rack",
    ] {
        let mut parts = valid();
        label(&mut parts, key, "x");
        assert!(Cluster::new(parts).is_ok(), "{key}");
    }
    let zone = |parts: &mut Parts| {
        parts.hosts[0].idc = Some("bj1".into());
        label(parts, "topology.kubernetes.io/zone", "bj2");
    };
    breaks_only("0.labels", "says bj2, `idc` says bj1", zone);
}

#[test]
fn the_clusters_own_pods_find_a_node() {
    let taint = |key: &str, effect| Taint { key: LabelKey::parse(key).unwrap(), value: LabelValue::default(), effect };
    let on_all =
        |taint: Taint| move |parts: &mut Parts| parts.hosts.iter_mut().for_each(|h| h.taints.push(taint.clone()));
    let why = "every node has a taint such as dedicated";
    for effect in [TaintEffect::NoExecute, TaintEffect::NoSchedule] {
        breaks_only("0.taints", why, on_all(taint("dedicated", effect)));
    }
    breaks_only(
        "0.taints",
        "every node",
        on_all(taint("node-role.kubernetes.io/control-plane", TaintEffect::NoExecute)),
    );
    for harmless in [
        taint("dedicated", TaintEffect::PreferNoSchedule),
        taint("CriticalAddonsOnly", TaintEffect::NoExecute),
        taint("node-role.kubernetes.io/control-plane", TaintEffect::NoSchedule),
    ] {
        let mut parts = valid();
        on_all(harmless.clone())(&mut parts);
        assert!(Cluster::new(parts).is_ok(), "{harmless:?}");
    }
    let mut parts = valid();
    on_all(taint("dedicated", TaintEffect::NoExecute))(&mut parts);
    parts.hosts[3].taints.clear();
    assert!(Cluster::new(parts).is_ok(), "one is left");
    breaks_only("3.taints", "node.kubernetes.io/unschedulable is not yours", |parts| {
        parts.hosts[3].taints.push(taint("node.kubernetes.io/unschedulable", TaintEffect::NoSchedule));
    });
}

#[test]
fn networks_do_not_overlap() {
    breaks_only("network.serviceCidr", "overlap", |parts| {
        parts.network.service_cidr = "10.244.128.0/17".parse().unwrap();
    });
    breaks("network.serviceCidr", "overlap", |parts| parts.network.service_cidr = "10.240.0.0/12".parse().unwrap());
    breaks("0.address", "lies in the pod network", |parts| parts.network.pod_cidr = "10.0.0.0/12".parse().unwrap());
    breaks("3.address", "lies in the service network", |parts| {
        parts.network.service_cidr = "10.1.0.0/16".parse().unwrap();
    });
    breaks_only("endpoint.vip", "lies in the service network", |parts| parts.endpoint.mode = vip("10.96.0.1"));
    breaks_only("endpoint.address", "lies in the pod network", |parts| {
        parts.endpoint.mode = EndpointMode::External { address: Some("10.244.0.1".parse().unwrap()) };
    });
}

#[test]
fn networks_have_room() {
    let services = |cidr: &'static str| move |parts: &mut Parts| parts.network.service_cidr = cidr.parse().unwrap();
    breaks_only("network.serviceCidr", "larger than Kubernetes allows", services("172.0.0.0/11"));
    breaks_only("network.serviceCidr", "too small", services("10.96.0.0/29"));
    let mut parts = valid();
    services("10.96.0.0/28")(&mut parts);
    assert!(Cluster::new(parts).is_ok(), "kubeadm takes it, too");
    for prefix in [8, 16, 31, 32, 200] {
        breaks_only("network.nodePrefix", "does not lie in", |parts| parts.network.node_prefix = prefix);
    }
    breaks_only("network.nodePrefix", "room for 2 nodes, and there are 4", |parts| parts.network.node_prefix = 17);
    breaks_only("network.nodePrefix", "a node has 125 addresses for up to 200 pods", |parts| {
        parts.network.node_prefix = 25;
        parts.kubelet.max_pods = 200;
    });
    breaks("network.nodePrefix", "too many", |parts| {
        parts.network.pod_cidr = "128.0.0.0/7".parse().unwrap();
        parts.network.node_prefix = 26;
    });
}

#[test]
fn a_cache_on_each_node_speaks_ipv4_and_its_name_is_taken() {
    use crate::cluster::{Addon, AddonSource, AddonText, CacheAt, addons};
    let addon = |name: &str| Addon {
        name: name.into(),
        source: AddonSource::Image,
        text: AddonText::Plain,
        namespace: "default".into(),
        after: Default::default(),
    };
    let cached = |parts: &mut Parts| parts.network.dns.cache_at = CacheAt::Nodes;
    breaks("addons", "is what `network.dns.nodeLocal` brings", |parts| {
        cached(parts);
        parts.addons = vec![addon(addons::NODE_LOCAL_DNS)];
    });
    breaks("network.dns.nodeLocal", "speaks IPv4 only", |parts| {
        cached(parts);
        parts.network.service_cidr = "fd00:96::/108".parse().unwrap();
    });
}

#[test]
fn one_address_family_is_used() {
    breaks_only("3.address", "IPv6, but m1 has an IPv4", |parts| {
        parts.hosts[3].address = "fd00::1".parse().unwrap();
        parts.hosts[3].ssh.host = "fd00::1".into();
    });
    breaks("network.podCidr", "IPv6", |parts| parts.network.pod_cidr = "fd01::/48".parse().unwrap());
    breaks("network.serviceCidr", "IPv6", |parts| parts.network.service_cidr = "fd01::/112".parse().unwrap());
    breaks_only("endpoint.vip", "IPv6", |parts| parts.endpoint.mode = vip("fd00::1"));
}

#[test]
fn the_endpoint_is_free() {
    breaks_only("endpoint.vip", "is the address of m2", |parts| parts.endpoint.mode = vip("10.1.0.12"));
    breaks_only("endpoint.host", "has the name of a host", |parts| parts.endpoint.host = "n1".into());
    breaks_only("endpoint.host", "lies in the cluster's own domain", |parts| {
        parts.endpoint.host = "api.cluster.local".into();
    });
    for port in [22, 2379, 10250, 30000, 32767] {
        breaks_only("endpoint.port", "the port", |parts| parts.endpoint.port = port);
        let mut parts = valid();
        parts.endpoint = Endpoint { port, mode: EndpointMode::External { address: None }, ..parts.endpoint };
        assert!(Cluster::new(parts).is_ok());
    }
}

#[test]
fn settings_agree() {
    breaks_only("etcd.election", "less than five heartbeats", |parts| {
        parts.etcd.heartbeat = Duration::from_millis(201)
    });
    breaks_only("etcd.election", "longer than etcd allows", |parts| parts.etcd.election = Duration::from_secs(51));
    breaks_only("etcd.heartbeat", "zero", |parts| parts.etcd.heartbeat = Duration::ZERO);
    breaks_only("etcd.quota", "no room", |parts| parts.etcd.quota_bytes = 1 << 20);
    breaks_only("pki.leafLifetime", "outlive", |parts| parts.pki.leaf_lifetime = parts.pki.ca_lifetime * 2);
    breaks_only("pki.leafLifetime", "out of bounds", |parts| parts.pki.leaf_lifetime = Duration::from_secs(1));
    breaks_only("pki.caLifetime", "out of bounds", |parts| parts.pki.ca_lifetime *= 100);
}

#[test]
fn blobs_have_a_way() {
    for (port, why) in [(0, "is no port"), (22, "taken on the hosts by sshd"), (30380, "node ports"), (6443, "API")] {
        breaks_only("distribution.port", why, |parts| parts.distribution.port = port);
    }
    breaks_only("distribution.port", "the API", |parts| {
        parts.endpoint.port = 8443;
        parts.distribution.port = 8443;
    });
    breaks_only("distribution.rateLimit", "too slow", |parts| parts.distribution.rate_limit = 1 << 19);
    let registry = |image: &'static str| {
        move |parts: &mut Parts| {
            parts.image = ImageReference(image.to_owned());
            parts.distribution.mode = DistributionMode::Registry;
        }
    };
    for image in ["oci:k8s", "oci-archive:k8s.tar", "docker-archive:k8s.tar"] {
        breaks_only("distribution.mode", "is in no registry", registry(image));
    }
    let mut parts = valid();
    registry("registry.example/kubewright/k8s:v1")(&mut parts);
    assert!(Cluster::new(parts).is_ok());
}

#[test]
fn arguments_do_not_identify_the_cluster() {
    let with = |component: &str, flag: &str| {
        let mut parts = valid();
        let flags = [(flag.to_owned(), "x".to_owned())].into();
        parts.control_plane.extra_args.insert(component.to_owned(), flags);
        Cluster::new(parts).map(|_| ()).err().map_or(0, |violations| violations.len())
    };
    for (component, flag) in [
        ("kube-apiserver", "etcd-servers"),
        ("kube-apiserver", "service-cluster-ip-range"),
        ("kube-controller-manager", "cluster-cidr"),
        ("kube-scheduler", "kubeconfig"),
    ] {
        assert_eq!(with(component, flag), 1, "{component} {flag}");
    }
    assert_eq!(with("kube-apiserver", "event-ttl"), 0);
}
