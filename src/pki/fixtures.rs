//! A cluster for the tests of this module.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::Timestamp;

use crate::cluster::{
    Become, Cluster, ClusterName, ControlPlane, Endpoint, EndpointMode, Etcd, Host, HostName, ImageReference,
    ImageTrust, Kernel, KeyAlgorithm, KubeVersion, Kubelet, Labels, Network, Parts, Pki, QualityOfService, Role,
    Services, SshTarget,
};

use super::{Existing, Keys, PkiError, Renewal, resolve};

pub(super) const V1_20: KubeVersion = KubeVersion::new(1, 20, 2);
pub(super) const V1_36: KubeVersion = KubeVersion::new(1, 36, 4);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// A fixed moment.
pub(super) fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

pub(super) fn host(name: &str, index: u32, roles: &[Role]) -> Host {
    let address = IpAddr::V4(Ipv4Addr::from(0x0a01_0000 + index));
    Host {
        name: HostName::parse(name).unwrap(),
        address,
        roles: roles.iter().copied().collect(),
        idc: None,
        rack: None,
        labels: Labels::new(),
        taints: Vec::new(),
        kernel: Kernel::default(),
        services: Services::default(),
        disks: Vec::new(),
        ssh: SshTarget {
            host: address.to_string(),
            port: 22,
            user: "root".into(),
            identity_files: Vec::new(),
            identities_only: false,
            become_root: Become::Root,
            jumps: Vec::new(),
            host_keys: Vec::new(),
        },
    }
}

/// m1 and m2: masters with etcd; e1: etcd only; n1: worker.
pub(super) fn parts() -> Parts {
    let both = [Role::ControlPlane, Role::Etcd];
    Parts {
        name: ClusterName::parse("prod").unwrap(),
        image: ImageReference("oci:image".into()),
        image_trust: ImageTrust::default(),
        hosts: vec![
            host("m1", 11, &both),
            host("m2", 12, &both),
            host("e1", 13, &[Role::Etcd]),
            host("n1", 21, &[Role::Worker]),
        ],
        endpoint: Endpoint {
            host: "api.example.test".into(),
            port: 8443,
            mode: EndpointMode::Vip { vip: "10.1.0.10".parse().unwrap(), interface: None, router_id: 51 },
        },
        network: Network::default(),
        etcd: Etcd {
            heartbeat: Duration::from_millis(100),
            election: Duration::from_secs(1),
            quota_bytes: 8 << 30,
            snapshots: crate::cluster::Snapshots::default(),
        },
        control_plane: ControlPlane {
            extra_args: BTreeMap::new(),
            cert_sans: Vec::new(),
            quality_of_service: QualityOfService::Burstable,
        },
        kubelet: Kubelet { max_pods: 110 },
        pki: Pki { algorithm: KeyAlgorithm::EcdsaP256, ca_lifetime: 3650 * DAY, leaf_lifetime: 365 * DAY },
        upgrade: Default::default(),
        distribution: Default::default(),
        addons: Vec::new(),
    }
}

pub(super) fn cluster() -> Cluster {
    Cluster::new(parts()).unwrap()
}

/// What the hosts and the cache hold after `keys` were distributed and used.
pub(super) fn distributed(keys: &Keys) -> Existing {
    let files =
        |files: &Vec<super::KeyFile>| files.iter().map(|file| (file.path.clone(), file.content.clone())).collect();
    Existing {
        hosts: keys.hosts.iter().map(|(host, list)| (host.clone(), files(list))).collect(),
        cache: keys.cache.iter().map(|(name, file)| (name.clone(), file.content.clone())).collect(),
        cluster_exists: true,
    }
}

/// A first installation.
pub(super) fn first(cluster: &Cluster) -> Keys {
    resolve(cluster, V1_36, &Existing::default(), now(), Renewal::Due).unwrap()
}

pub(super) fn again(cluster: &Cluster, existing: &Existing) -> Result<Keys, Vec<PkiError>> {
    resolve(cluster, V1_36, existing, now(), Renewal::Due)
}

/// A file of `keys`.
pub(super) fn content<'a>(keys: &'a Keys, host: &str, path: &str) -> &'a str {
    let files = &keys.hosts[&HostName::parse(host).unwrap()];
    &files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{host} has no {path}")).content
}

/// A file of `existing`, to be tampered with.
pub(super) fn files<'a>(existing: &'a mut Existing, host: &str) -> &'a mut BTreeMap<String, String> {
    existing.hosts.get_mut(&HostName::parse(host).unwrap()).unwrap()
}

/// `host:path` of every file that differs between the two.
pub(super) fn changed(existing: &Existing, keys: &Keys) -> Vec<String> {
    let mut changed = Vec::new();
    for (host, list) in &keys.hosts {
        for file in list {
            if existing.hosts.get(host).and_then(|files| files.get(&file.path)) != Some(&file.content) {
                changed.push(format!("{host}:{}", file.path));
            }
        }
    }
    changed
}
