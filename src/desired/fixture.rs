//! A fixed cluster for the tests of this module: three masters with etcd, two workers, keys that are plain words.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::state::HostState;
use super::{Context, Error, host_state, pod_cidrs};
use crate::cluster::{
    Become, Calico, Cluster, ClusterName, ControlPlane, Endpoint, EndpointMode, Etcd, Facts, Host, HostName,
    ImageReference, ImageTrust, Interface, Ipvs, IpvsScheduler, Kernel, KeyAlgorithm, KubeVersion, Kubelet, LabelKey,
    LabelValue, Network, NetworkPlugin, Parts, Pki, Proxy, ProxyMode, QualityOfService, Role, Services, SshTarget,
};
use crate::image::{Architecture, Blob, ClusterImage, Component, ComponentKind, ManifestFile};
use crate::pki::{KeyFile, KeyOwner, Keys};
use crate::versions::calico::images;

/// Everything that a [`Context`] borrows.
pub(crate) struct Fixture {
    pub(crate) cluster: Cluster,
    pub(crate) image: ClusterImage,
    pub(crate) keys: Keys,
    pub(crate) facts: BTreeMap<HostName, Facts>,
    pub(crate) pod_cidrs: BTreeMap<HostName, IpNet>,
    pub(crate) files: BTreeMap<PathBuf, String>,
    pub(crate) manifests: BTreeMap<String, Vec<ManifestFile>>,
}

impl Fixture {
    /// Masters m1 to m3 with etcd, workers n1 and n2.
    pub(crate) fn new(minor: u32) -> Self {
        Self::of(parts(), minor)
    }

    /// The same with etcd on hosts of its own, e1 to e3.
    pub(crate) fn with_etcd_host(minor: u32) -> Self {
        let mut parts = parts();
        for host in &mut parts.hosts {
            host.roles = host.roles.iter().filter(|role| *role != Role::Etcd).collect();
        }
        parts.hosts.extend((1..=3).map(|number| host(&format!("e{number}"), [10, 1, 2, number], &[Role::Etcd])));
        Self::of(parts, minor)
    }

    /// The same with Calico.
    pub(crate) fn with_calico(minor: u32, version: &str) -> Self {
        let mut parts = parts();
        parts.network.plugin = NetworkPlugin::Calico(Box::new(Calico::new(parts.network.pod_cidr)));
        let mut fixture = Self::of(parts, minor);
        fixture.image.components.push(calico(version));
        let text = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
                    metadata: {name: ippools.crd.projectcalico.org}\n";
        let file = ManifestFile { path: "crds.yaml".into(), text: text.to_owned() };
        fixture.manifests.insert(super::CALICO_KINDS.to_owned(), vec![file]);
        fixture
    }

    fn of(parts: Parts, minor: u32) -> Self {
        let cluster = Cluster::new(parts).unwrap();
        let facts: BTreeMap<_, _> = cluster.hosts.iter().map(|host| (host.name.clone(), facts(host))).collect();
        let pod_cidrs = pod_cidrs(&cluster, &facts).unwrap();
        let keys = keys(&cluster);
        Self {
            image: image(minor),
            keys,
            facts,
            pod_cidrs,
            cluster,
            files: BTreeMap::new(),
            manifests: BTreeMap::new(),
        }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        let Self { cluster, image, keys, facts, pod_cidrs, files, manifests } = self;
        Context { cluster, image, keys, facts, pod_cidrs, files, manifests }
    }

    /// A further component of container images.
    pub(crate) fn add_images(&mut self, name: &str, version: &str, references: &[&str]) {
        self.image.components.push(images_of(name, version, references));
    }

    /// Another inventory, with all that follows from it.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Parts)) {
        let mut parts = (*self.cluster).clone();
        change(&mut parts);
        self.cluster = Cluster::new(parts).unwrap();
        self.pod_cidrs = pod_cidrs(&self.cluster, &self.facts).unwrap();
    }

    /// Another Calico.
    pub(crate) fn change_calico(&mut self, change: impl FnOnce(&mut Calico)) {
        self.change(|parts| {
            let NetworkPlugin::Calico(calico) = &mut parts.network.plugin else { panic!("there is no Calico") };
            change(calico);
        });
    }

    /// Facts and keys of hosts that came with a change.
    pub(crate) fn meet(&mut self) {
        for host in &self.cluster.hosts {
            self.facts.entry(host.name.clone()).or_insert_with(|| facts(host));
        }
        self.keys = keys(&self.cluster);
    }

    pub(crate) fn host(&self, name: &str) -> &Host {
        self.cluster.host(name).unwrap()
    }

    pub(crate) fn facts_of(&mut self, name: &str) -> &mut Facts {
        self.facts.get_mut(&HostName::parse(name).unwrap()).unwrap()
    }

    pub(crate) fn component(&mut self, name: &str) -> &mut Component {
        self.image.components.iter_mut().find(|component| component.name == name).unwrap()
    }

    pub(crate) fn key(&mut self, host: &str, path: &str) -> &mut KeyFile {
        let keys = self.keys.hosts.get_mut(&HostName::parse(host).unwrap()).unwrap();
        keys.iter_mut().find(|key| key.path == path).unwrap()
    }

    pub(crate) fn state(&self, host: &str) -> HostState {
        self.try_state(host).unwrap()
    }

    pub(crate) fn try_state(&self, host: &str) -> Result<HostState, Error> {
        host_state(&self.context(), self.host(host))
    }
}

/// A virtual address.
pub(crate) fn vip() -> EndpointMode {
    EndpointMode::Vip { vip: "10.1.0.10".parse().unwrap(), interface: None, router_id: 51 }
}

/// What the inventory says.
pub(crate) fn parts() -> Parts {
    let mut hosts: Vec<Host> = (1..=3)
        .map(|number| host(&format!("m{number}"), [10, 1, 0, 10 + number], &[Role::ControlPlane, Role::Etcd]))
        .collect();
    hosts.extend((0..2).map(|index| worker(&format!("n{}", index + 1), index)));
    Parts {
        name: ClusterName::parse("prod-bj1").unwrap(),
        image: ImageReference("oci:image".to_owned()),
        image_trust: ImageTrust::default(),
        hosts,
        endpoint: Endpoint { host: "api.bj1.example".to_owned(), port: 6443, mode: EndpointMode::Local },
        network: Network {
            proxy: Proxy {
                mode: ProxyMode::Ipvs(Ipvs { scheduler: IpvsScheduler::Lc, ..Ipvs::default() }),
                ..Proxy::default()
            },
            ..Network::default()
        },
        etcd: Etcd {
            heartbeat: Duration::from_millis(250),
            election: Duration::from_millis(5000),
            quota_bytes: 8 << 30,
            snapshots: crate::cluster::Snapshots::default(),
        },
        control_plane: ControlPlane {
            extra_args: BTreeMap::new(),
            cert_sans: Vec::new(),
            quality_of_service: QualityOfService::Burstable,
        },
        kubelet: Kubelet { max_pods: 110 },
        pki: Pki {
            algorithm: KeyAlgorithm::EcdsaP256,
            ca_lifetime: Duration::from_secs(10 * 365 * 86_400),
            leaf_lifetime: Duration::from_secs(365 * 86_400),
        },
        upgrade: Default::default(),
        distribution: Default::default(),
        addons: Vec::new(),
    }
}

/// A worker; `index` counts from 0.
pub(crate) fn worker(name: &str, index: usize) -> Host {
    let (row, column) = (u8::try_from(index / 250).unwrap(), u8::try_from(index % 250).unwrap());
    host(name, [10, 1, 1 + row, 1 + column], &[Role::Worker])
}

fn host(name: &str, address: [u8; 4], roles: &[Role]) -> Host {
    let address = IpAddr::V4(Ipv4Addr::from(address));
    Host {
        name: HostName::parse(name).unwrap(),
        address,
        roles: roles.iter().copied().collect(),
        idc: Some("bj1".to_owned()),
        rack: Some("r1".to_owned()),
        labels: [(LabelKey::parse("topology.kubernetes.io/region").unwrap(), LabelValue::parse("bj").unwrap())].into(),
        taints: Vec::new(),
        kernel: Kernel::default(),
        services: Services::default(),
        disks: Vec::new(),
        ssh: SshTarget {
            host: address.to_string(),
            port: 22,
            user: "root".to_owned(),
            identity_files: Vec::new(),
            identities_only: false,
            become_root: Become::Root,
            jumps: Vec::new(),
            host_keys: Vec::new(),
        },
    }
}

fn facts(host: &Host) -> Facts {
    let eth0 = Interface { addresses: vec![format!("{}/16", host.address)], mtu: 1500, ..Interface::default() };
    let lo = Interface { addresses: vec!["127.0.0.1/8".to_owned()], mtu: 65536, ..Interface::default() };
    Facts {
        os_id: "debian".to_owned(),
        kernel: "6.1.0-41-amd64".to_owned(),
        cpus: 8,
        memory: (32 << 30) - (40 << 20),
        cgroup_version: 2,
        interfaces: [("eth0".to_owned(), eth0), ("lo".to_owned(), lo)].into(),
        resolv_conf: "/run/systemd/resolve/resolv.conf".to_owned(),
        nameservers: vec!["10.1.0.2".to_owned()],
        ..Facts::default()
    }
}

fn image(minor: u32) -> ClusterImage {
    let kubernetes = KubeVersion::new(1, minor, 0);
    let version = kubernetes.to_string();
    let (etcd, containerd) = match minor {
        ..=21 => ("3.4.23", "1.6.20~ds1"),
        22 => ("3.5.16", "1.7.34"),
        23..=33 => ("3.5.16", "1.7.34"),
        34..=36 => ("3.6.14", "2.0.7"),
        37.. => ("3.7.1", "2.3.4"),
    };
    let nodes = &[Role::ControlPlane, Role::Worker][..];
    let files = [
        ("cni-plugins", "1.9.1", nodes),
        ("containerd", containerd, nodes),
        ("etcd", etcd, &[Role::Etcd]),
        ("host-tools", "12.1", nodes),
        ("kubectl", &version, &[Role::ControlPlane]),
        ("kubelet", &version, nodes),
        ("runc", "1.4.3", nodes),
    ];
    let images = [
        ("haproxy", "docker.io/library/haproxy:3.2", nodes),
        ("keepalived", "registry.example:5000/kubewright/keepalived:2.2.7", &[Role::ControlPlane]),
        ("kube-apiserver", "registry.k8s.io/kube-apiserver", &[Role::ControlPlane]),
        ("kube-controller-manager", "registry.k8s.io/kube-controller-manager", &[Role::ControlPlane]),
        ("kube-proxy", "registry.k8s.io/kube-proxy", nodes),
        ("kube-scheduler", "registry.k8s.io/kube-scheduler", &[Role::ControlPlane]),
        ("pause", "registry.k8s.io/pause:3.10", nodes),
    ];
    let component = |name: &str, version: &str, roles: &[Role], kind| Component {
        name: name.to_owned(),
        version: version.to_owned(),
        roles: roles.iter().copied().collect(),
        kind,
        blob: Blob { sha256: format!("{:0>64}", name.len()), size: 1 },
    };
    let mut components: Vec<_> =
        files.into_iter().map(|(name, version, roles)| component(name, version, roles, ComponentKind::Files)).collect();
    components.extend(images.into_iter().map(|(name, reference, roles)| {
        let tagged = match reference.rsplit('/').next() {
            Some(last) if last.contains(':') => reference.to_owned(),
            _ => format!("{reference}:{version}"),
        };
        component(name, &version, roles, ComponentKind::Images(vec![tagged]))
    }));
    ClusterImage {
        name: "fixture".to_owned(),
        kubernetes,
        upgrades_from: None,
        minimum_kubewright: None,
        architecture: Architecture::Amd64,
        components,
    }
}

/// A component of container images.
fn images_of(name: &str, version: &str, references: &[&str]) -> Component {
    let tagged = references.iter().map(|reference| format!("{reference}:{version}"));
    Component {
        name: name.to_owned(),
        version: version.to_owned(),
        roles: [Role::ControlPlane, Role::Worker].into_iter().collect(),
        kind: ComponentKind::Images(tagged.collect()),
        blob: Blob { sha256: format!("{:0>64}", "d45"), size: 1 },
    }
}

/// Objects as they are reviewed: YAML, one document after the other.
pub(crate) fn documents<'v>(objects: impl IntoIterator<Item = &'v serde_json::Value>) -> String {
    let documents: Vec<_> = objects.into_iter().map(|object| serde_yaml::to_string(object).unwrap()).collect();
    documents.join("---\n")
}

pub(crate) fn calico(version: &str) -> Component {
    let names = images(version.parse().unwrap());
    let registry = if version < "3.31" { "docker.io" } else { "quay.io" };
    let mut names: Vec<_> =
        [names.node, names.cni, names.controllers, names.typha].into_iter().chain(names.plugins).collect();
    names.sort_unstable();
    names.dedup();
    let references: Vec<String> = names.into_iter().map(|name| format!("{registry}/calico/{name}")).collect();
    images_of("calico", &format!("v{version}"), &references.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The key files of a host, by the roles that need them.
const KEYS: &[(&[Role], &str)] = &[
    (&[Role::Etcd], "/etc/etcd/pki/ca.crt"),
    (&[Role::Etcd], "/etc/etcd/pki/peer.crt"),
    (&[Role::Etcd], "/etc/etcd/pki/peer.key"),
    (&[Role::Etcd], "/etc/etcd/pki/server.crt"),
    (&[Role::Etcd], "/etc/etcd/pki/server.key"),
    (&[Role::ControlPlane], "/etc/kubernetes/admin.conf"),
    (&[Role::ControlPlane], "/etc/kubernetes/controller-manager.conf"),
    (&[Role::ControlPlane, Role::Worker], "/etc/kubernetes/kubelet.conf"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/apiserver-etcd-client.crt"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/apiserver-etcd-client.key"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/apiserver-kubelet-client.crt"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/apiserver-kubelet-client.key"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/apiserver.crt"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/apiserver.key"),
    (&[Role::ControlPlane, Role::Worker], "/etc/kubernetes/pki/ca.crt"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/ca.key"),
    (&[Role::ControlPlane, Role::Etcd], "/etc/kubernetes/pki/etcd/ca.crt"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/front-proxy-ca.crt"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/front-proxy-client.crt"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/front-proxy-client.key"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/sa.key"),
    (&[Role::ControlPlane], "/etc/kubernetes/pki/sa.pub"),
    (&[Role::ControlPlane], "/etc/kubernetes/scheduler.conf"),
    (&[Role::ControlPlane, Role::Worker], "/var/lib/kubelet/pki/kubelet.crt"),
    (&[Role::ControlPlane, Role::Worker], "/var/lib/kubelet/pki/kubelet.key"),
];

fn keys(cluster: &Cluster) -> Keys {
    let of = |host: &Host| {
        let wanted = KEYS.iter().filter(|(roles, _)| roles.iter().any(|role| host.roles.contains(*role)));
        wanted.map(|(_, path)| key(path)).collect()
    };
    Keys {
        hosts: cluster.hosts.iter().map(|host| (host.name.clone(), of(host))).collect(),
        ca: "certificate of the cluster's CA".to_owned(),
        etcd_ca: "certificate of etcd's CA".to_owned(),
        ..Keys::default()
    }
}

fn key(path: &str) -> KeyFile {
    let secret = !path.ends_with(".crt") && !path.ends_with(".pub");
    KeyFile {
        path: path.to_owned(),
        content: format!("{} of {path}\n", if secret { "secret" } else { "certificate" }),
        secret,
        owner: if path.starts_with("/etc/etcd/") { KeyOwner::Etcd } else { KeyOwner::Root },
    }
}
