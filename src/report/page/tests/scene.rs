//! Clusters to look at: a small one and one of two hundred hosts, both well until something is done to them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::{End, History, Page, Run, Stage};
use crate::cluster::{Facts, Host, HostName, Parts, Role, SnapshotPlace};
use crate::desired::fixture::{self, Fixture};
use crate::host::protocol::{CertificateDates, EtcdMember};
use crate::kube::NodeView;
use crate::plan::path;
use crate::run::{HostStatus, Overview, PlaceStatus, SavedStatus, Status};

pub(super) struct Scene {
    pub(super) fixture: Fixture,
    pub(super) overview: Overview,
    pub(super) history: History,
}

pub(super) fn now() -> Timestamp {
    "2026-11-29T12:00:00Z".parse().unwrap()
}

impl Scene {
    /// Three masters with etcd, two workers.
    pub(super) fn small() -> Self {
        Self::of(|_| {})
    }

    /// Two data centres of five racks with twenty hosts each.
    pub(super) fn large() -> Self {
        Self::of(|parts| {
            parts.hosts.truncate(3);
            parts.hosts.extend((0..197).map(|index| fixture::worker(&format!("n{:03}", index + 1), index)));
            for (index, host) in parts.hosts.iter_mut().enumerate() {
                let rack = if index < 3 { index } else { index / 20 };
                host.idc = Some(if rack < 5 { "bj1" } else { "sh2" }.to_owned());
                host.rack = Some(format!("r{}", rack + 1));
            }
        })
    }

    fn of(change: impl FnOnce(&mut Parts)) -> Self {
        let mut fixture = Fixture::new(36);
        // Bridges need facts of all hosts before there are any.
        let mut parts = (*fixture.cluster).clone();
        change(&mut parts);
        parts.etcd.snapshots.places = vec![SnapshotPlace::Directory("/var/backups/etcd".into())];
        parts.etcd.snapshots.max_age = Some(std::time::Duration::from_secs(3 * 3600));
        fixture.cluster = crate::cluster::Cluster::new(parts).unwrap();
        fixture.meet();
        let image = fixture.image.clone();
        let versions = |host: &Host| -> BTreeMap<String, String> {
            let runs = ["kubelet", "containerd", "runc", "etcd"].into_iter().filter_map(|name| image.component(name));
            let mut versions: BTreeMap<String, String> = runs
                .filter(|component| component.roles.intersects(&host.roles))
                .map(|component| (component.name.clone(), component.version.clone()))
                .collect();
            if host.roles.contains(Role::ControlPlane) {
                for name in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
                    versions.insert(name.to_owned(), image.kubernetes.to_string());
                }
            }
            versions
        };
        let facts: BTreeMap<HostName, Facts> = fixture
            .cluster
            .hosts
            .iter()
            .map(|host| {
                let os = "Debian GNU/Linux 12 (bookworm)".to_owned();
                (host.name.clone(), Facts { versions: versions(host), os, ..fixture.facts[&host.name].clone() })
            })
            .collect();
        let hosts = &fixture.cluster.hosts;
        let overview = Overview {
            status: Status {
                cluster: fixture.cluster.name.to_string(),
                kubernetes: image.kubernetes.to_string(),
                hosts: hosts.iter().map(well).collect(),
                running: None,
                api_drift: Some(0),
                api_unknown: None,
                drift_unknown: None,
                other_versions: None,
            },
            image: "registry.example/kubewright/kubernetes:v1.36.0".to_owned(),
            digest: format!("sha256:{}", "5a9d".repeat(16)),
            members: fixture.cluster.with_role(Role::Etcd).map(|host| (host.name.clone(), member(host))).collect(),
            certificates: hosts.iter().map(|host| (host.name.clone(), certificates(host))).collect(),
            path: path::path(&fixture.cluster, &image, &facts),
            facts,
            nodes: hosts.iter().map(node).collect(),
            changes: Vec::new(),
            saved: Some(SavedStatus { places: vec![place("2026-11-29T11:20:00Z", 2400)], failures: Vec::new() }),
        };
        Self { fixture, overview, history: History { runs: vec![run("install")], ..History::default() } }
    }

    pub(super) fn page(&self) -> Page {
        Page::new(&self.fixture.cluster, &self.overview, &self.history, now())
    }

    pub(super) fn status(&mut self, host: &str) -> &mut HostStatus {
        self.overview.status.hosts.iter_mut().find(|status| status.name == host).unwrap()
    }

    /// Nobody can ask the host any more.
    pub(super) fn lose(&mut self, host: &str, why: &str) {
        let status = self.status(host);
        let (name, roles, node, version) =
            (status.name.clone(), status.roles.clone(), Some("NotReady".to_owned()), status.version.clone());
        *status = HostStatus { name, roles, node, version, unreachable: Some(why.to_owned()), ..HostStatus::default() };
        let host = HostName::parse(host).unwrap();
        self.overview.members.remove(&host);
        self.overview.certificates.remove(&host);
        self.overview.facts.remove(&host);
        self.overview.status.drift_unknown = Some("render the host's files: there are no facts".to_owned());
        self.overview.status.hosts.iter_mut().for_each(|status| status.drift = None);
    }
}

/// A run of a minute, with stages that overlap.
pub(super) fn run(verb: &str) -> Run {
    let stage = |name: &str, begins: f64, took: f64, changed: usize| Stage {
        name: name.to_owned(),
        begins,
        took: Some(took),
        changed,
        ok: true,
    };
    Run {
        verb: verb.to_owned(),
        began: "2026-11-29T04:38:43Z".parse().unwrap(),
        end: End::Done,
        took: 60.6,
        changed: 289,
        hosts: 5,
        stages: vec![
            stage("distribute", 2.5, 12.0, 0),
            stage("prepare", 14.5, 9.0, 180),
            stage("etcd", 23.5, 6.2, 24),
            stage("control-plane", 29.7, 18.0, 45),
            stage("workers", 29.8, 6.1, 20),
            stage("objects", 47.8, 4.0, 20),
            stage("network", 51.9, 8.6, 0),
        ],
        odd_lines: 0,
    }
}

fn well(host: &Host) -> HostStatus {
    let is = |role, text: &str| host.roles.contains(role).then(|| text.to_owned());
    let etcd = if host.name.as_str() == "m1" { "leader" } else { "follower" };
    HostStatus {
        name: host.name.to_string(),
        roles: host.roles.iter().collect(),
        unreachable: None,
        etcd: is(Role::Etcd, etcd),
        apiserver: is(Role::ControlPlane, "ready"),
        kubelet: Some("healthy".to_owned()),
        node: Some("Ready".to_owned()),
        version: Some("v1.36.0".to_owned()),
        certificate: certificates(host).into_iter().min_by(|a, b| a.not_after.cmp(&b.not_after)),
        drift: Some(0),
    }
}

fn member(host: &Host) -> EtcdMember {
    EtcdMember {
        member: format!("{}1f", host.name),
        leader: Some("m11f".to_owned()),
        raft_term: 3,
        raft_index: 48_211,
        version: "3.6.14".to_owned(),
        db_size: 300 << 20,
        db_in_use: 120 << 20,
        revision: 41_877,
        members: Vec::new(),
        errors: Vec::new(),
    }
}

fn certificates(host: &Host) -> Vec<CertificateDates> {
    let dates = |path: &str, common_name: &str, not_after: &str| CertificateDates {
        path: path.to_owned(),
        common_name: common_name.to_owned(),
        not_after: not_after.to_owned(),
    };
    let leaf = "2027-11-20T09:00:00Z";
    let mut all = vec![
        dates("/etc/kubernetes/pki/ca.crt", "kubernetes", "2036-11-20T09:00:00Z"),
        dates("/var/lib/kubelet/pki/kubelet.crt", &host.name.to_string(), leaf),
    ];
    if host.roles.contains(Role::ControlPlane) {
        all.push(dates("/etc/kubernetes/pki/apiserver.crt", "kube-apiserver", leaf));
        all.push(dates("/etc/kubernetes/admin.conf", "kubernetes-admin", leaf));
    }
    all
}

fn node(host: &Host) -> NodeView {
    NodeView {
        name: host.name.to_string(),
        ready: true,
        reasons: Vec::new(),
        kubelet: "v1.36.0".to_owned(),
        version: "v1.36.0".parse().ok(),
        labels: BTreeMap::new(),
        taints: Vec::new(),
        internal_ip: Some(host.address),
        unschedulable: false,
    }
}

pub(super) fn place(taken: &str, age: u64) -> PlaceStatus {
    PlaceStatus {
        place: "/var/backups/etcd".to_owned(),
        taken: Some(taken.parse().unwrap()),
        age: Some(age),
        member: Some("m2".to_owned()),
        revision: Some(41_500),
        bytes: Some(120 << 20),
        too_old: false,
    }
}
