//! Named checks before anything is changed. Each looks at facts and returns every finding; none stops a later one.

use std::collections::BTreeMap;

use crate::cluster::{Cluster, Facts, Host, HostName, Role};
use crate::image::ClusterImage;

/// A reason not to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// Host at fault; none when it is the cluster.
    pub host: Option<HostName>,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// A check: every host with its facts in, findings out.
type Check = fn(&Subject<'_>) -> Vec<Finding>;

/// What the checks look at.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its image.
    pub image: &'a ClusterImage,
    /// Facts of every host.
    pub facts: &'a BTreeMap<HostName, Facts>,
    /// Bytes that each host still has to receive and unpack.
    pub incoming: &'a BTreeMap<HostName, u64>,
}

const CHECKS: &[(&str, Check)] = &[
    ("init", init),
    ("architecture", architecture),
    ("address", address),
    ("clones", clones),
    ("clock", clock),
    ("cgroup", cgroup),
    ("memory", memory),
    ("disk", disk),
    ("ports", ports),
];

/// Runs every check.
pub fn check(subject: &Subject<'_>) -> Vec<Finding> {
    CHECKS.iter().flat_map(|(_, check)| check(subject)).collect()
}

impl Subject<'_> {
    fn hosts(&self) -> impl Iterator<Item = (&Host, &Facts)> {
        self.cluster.hosts.iter().filter_map(|host| Some((host, self.facts.get(&host.name)?)))
    }

    fn each(&self, check: &'static str, judge: impl Fn(&Host, &Facts) -> Option<(String, String)>) -> Vec<Finding> {
        let finding = |(host, facts)| {
            let (message, hint) = judge(host, facts)?;
            Some(Finding { check, host: Some(host.name.clone()), message, hint })
        };
        self.hosts().filter_map(finding).collect()
    }
}

fn init(subject: &Subject<'_>) -> Vec<Finding> {
    subject.each("init", |_, facts| {
        (facts.systemd == 0).then(|| {
            ("systemd is not process 1".into(), "kubewright needs systemd; install a distribution that has it".into())
        })
    })
}

fn architecture(subject: &Subject<'_>) -> Vec<Finding> {
    subject.each("architecture", |_, facts| {
        (facts.arch != "x86_64").then(|| {
            let message = format!("the host is {}, the cluster image is for x86_64", facts.arch);
            (message, "take the host out of the inventory".into())
        })
    })
}

fn address(subject: &Subject<'_>) -> Vec<Finding> {
    subject.each("address", |host, facts| {
        let wanted = host.address.to_string();
        let mut all = facts.interfaces.values().flat_map(|interface| &interface.addresses);
        let present = all.any(|address| address.split('/').next() == Some(wanted.as_str()));
        (!present).then(|| {
            let has: Vec<_> = facts.interfaces.values().flat_map(|interface| interface.addresses.clone()).collect();
            let message = format!("the host has no address {wanted}; it has {}", has.join(", "));
            (message, "correct `address` in the inventory, or configure the address on the host".into())
        })
    })
}

fn clones(subject: &Subject<'_>) -> Vec<Finding> {
    let mut by_id: BTreeMap<&str, Vec<&HostName>> = BTreeMap::new();
    for (host, facts) in subject.hosts() {
        by_id.entry(&facts.machine_id).or_default().push(&host.name);
    }
    let clones = by_id.into_iter().filter(|(id, hosts)| !id.is_empty() && hosts.len() > 1);
    clones
        .map(|(id, hosts)| Finding {
            check: "clones",
            host: None,
            message: format!("{} have the same machine id {id}", list(&hosts)),
            hint: "remove /etc/machine-id on each clone, run systemd-machine-id-setup there and reboot".into(),
        })
        .collect()
}

/// etcd warns about a second; certificates are backdated by five minutes. Reading facts takes a while itself.
const MOST_SKEW_SECONDS: i64 = 30;

fn clock(subject: &Subject<'_>) -> Vec<Finding> {
    let mut clocks: Vec<i64> = subject.hosts().map(|(_, facts)| facts.clock.0).collect();
    clocks.sort_unstable();
    let Some(median) = clocks.get(clocks.len() / 2).copied() else { return Vec::new() };
    subject.each("clock", |_, facts| {
        let skew = facts.clock.0 - median;
        (skew.abs() > MOST_SKEW_SECONDS).then(|| {
            let message =
                format!("the clock is {} s {} the others", skew.abs(), if skew > 0 { "before" } else { "behind" });
            (message, "set up time synchronisation (chrony) on the host".into())
        })
    })
}

fn cgroup(subject: &Subject<'_>) -> Vec<Finding> {
    let minor = subject.image.kubernetes.minor;
    subject.each("cgroup", |host, facts| {
        (host.roles.is_node() && facts.cgroup_version == 1 && minor >= 35).then(|| {
            let message = format!("the host has cgroup v1; the kubelet of 1.{minor} refuses it");
            (message, "boot with systemd.unified_cgroup_hierarchy=1, or use an image up to 1.34".into())
        })
    })
}

fn memory(subject: &Subject<'_>) -> Vec<Finding> {
    subject.each("memory", |host, facts| {
        let need: u64 = if host.roles.contains(Role::ControlPlane) { 1700 << 20 } else { 700 << 20 };
        (facts.memory < need).then(|| {
            let message =
                format!("the host has {} MiB of memory; its roles need {} MiB", facts.memory >> 20, need >> 20);
            (message, "add memory, or give the host fewer roles".into())
        })
    })
}

/// A compressed blob stays, and its unpacked files take about four times as much (twice for images: content store
/// and snapshot); half a gigabyte is left for logs and data.
const UNPACKED: u64 = 6;
const RESERVE: u64 = 512 << 20;

fn disk(subject: &Subject<'_>) -> Vec<Finding> {
    subject.each("disk", |host, facts| {
        let incoming = subject.incoming.get(&host.name).copied().unwrap_or(0);
        let mount = facts.mounts.iter().filter(|mount| "/var/lib".starts_with(mount.path.as_str()));
        let mount = mount.max_by_key(|mount| mount.path.len())?;
        let need = if incoming == 0 { 64 << 20 } else { incoming * UNPACKED + RESERVE };
        (mount.free < need).then(|| {
            let message = format!("{} has {} MiB free; {} MiB are needed", mount.path, mount.free >> 20, need >> 20);
            (message, format!("free space on {} or enlarge it", mount.path))
        })
    })
}

/// Ports by role, with the processes that may hold them: ours, from an earlier run.
const PORTS: &[(Option<Role>, u16, &str)] = &[
    (Some(Role::ControlPlane), 6443, "kube-apiserver"),
    (Some(Role::ControlPlane), 10257, "kube-controller-manager"),
    (Some(Role::ControlPlane), 10259, "kube-scheduler"),
    (Some(Role::Etcd), 2379, "etcd"),
    (Some(Role::Etcd), 2380, "etcd"),
    (None, 10250, "kubelet"),
];

fn ports(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (role, port, ours) in PORTS {
        findings.extend(subject.each("ports", |host, facts| {
            let concerned = role.map_or(host.roles.is_node(), |role| host.roles.contains(role));
            let holder = facts.listening.get(port).filter(|_| concerned)?;
            // /proc/PID/comm is cut at 15 characters. HAProxy may hold 6443 on its own addresses.
            let expected = ours.starts_with(holder.as_str()) || holder.is_empty() || holder == "haproxy";
            (!expected).then(|| {
                let message = format!("port {port} is taken by {holder}; {ours} needs it");
                (message, format!("stop {holder} on the host, or take the host out of the inventory"))
            })
        }));
    }
    findings
}

fn list(hosts: &[&HostName]) -> String {
    hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>().join(", ")
}
