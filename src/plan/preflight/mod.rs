//! Named checks before anything is changed. Each looks at facts, measurements and desired states, and returns all that
//! it finds; none stops a later one. Nothing here asks a host.

mod identity;
mod names;
mod network;
mod proxy;
mod services;
mod settings;
mod storage;
mod system;
#[cfg(test)]
mod tests;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::cluster::{Cluster, Facts, Host, HostName};
use crate::desired::state::HostState;
use crate::image::ClusterImage;

pub use network::{Target, targets};
pub use wishes::files as settings;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A run refuses to begin.
    Error,
    /// A run says so and goes on.
    Warning,
    /// Worth knowing; only told where somebody asks.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Something that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Host at fault; none when it is the cluster.
    pub host: Option<HostName>,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// A named check.
#[derive(Debug)]
pub struct Check {
    /// Name, for `--ignore-preflight` and reports.
    pub name: &'static str,
    /// How much its findings matter, unless it says otherwise itself.
    pub severity: Severity,
    /// What it looks at, in one line.
    pub about: &'static str,
    judge: fn(&Subject<'_>) -> Vec<Found>,
}

/// What a check returns; name and severity come from the table.
struct Found {
    host: Option<HostName>,
    message: String,
    hint: String,
    /// Where the check itself knows better than the table.
    severity: Option<Severity>,
}

/// Something that was found on a host, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// What has to be tried rather than read. A host that is missing here was not tried.
#[derive(Debug, Default)]
pub struct Measured {
    /// Milliseconds by which a host's clock is before ours, corrected by the way there and back.
    pub clocks: BTreeMap<HostName, i64>,
    /// The 99th percentile of writes to etcd's disk with a sync each.
    pub syncs: BTreeMap<HostName, Duration>,
    /// Kernel modules that a host's kernel does not have.
    pub missing_modules: BTreeMap<HostName, Vec<String>>,
    /// Why data disks of a host cannot be used.
    pub unusable_disks: BTreeMap<HostName, Vec<Problem>>,
    /// Files of settings that the inventory asks for and a host's kernel does not have.
    pub missing_settings: BTreeMap<HostName, Vec<String>>,
    /// What could not be reached from a host, and what came back.
    pub unreachable: BTreeMap<HostName, Vec<(Target, String)>>,
}

/// What the checks look at.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its image.
    pub image: &'a ClusterImage,
    /// Facts of every host.
    pub facts: &'a BTreeMap<HostName, Facts>,
    /// What every host should be.
    pub states: &'a BTreeMap<HostName, HostState>,
    /// Bytes that each host still has to receive and unpack.
    pub incoming: &'a BTreeMap<HostName, u64>,
    /// What was tried.
    pub measured: &'a Measured,
}

use Severity::{Error, Note, Warning};

const fn row(
    name: &'static str,
    severity: Severity,
    about: &'static str,
    judge: fn(&Subject<'_>) -> Vec<Found>,
) -> Check {
    Check { name, severity, about, judge }
}

/// Every check, in the order in which findings are shown.
#[rustfmt::skip]
pub const CHECKS: &[Check] = &[
    row("init",         Error,   "systemd is process 1",                                             system::init),
    row("architecture", Error,   "the host's processor is the one that the image is for",            system::architecture),
    row("kernel",       Warning, "the kernel is new enough for this version of Kubernetes",          system::kernel),
    row("cgroup",       Error,   "the kubelet accepts the host's cgroup version",                    system::cgroup),
    row("modules",      Error,   "the kernel has every module that the host's roles need",           system::modules),
    row("proxy",        Error,   "kube-proxy has the mode, and the kernel what it needs",            proxy::proxy),
    row("cpus",         Warning, "there are enough CPUs for the host's roles",                       system::cpus),
    row("memory",       Error,   "there is enough memory for the host's roles",                      system::memory),
    row("address",      Error,   "the host has the address that the inventory gives it",             identity::address),
    row("clones",       Error,   "machine ids, product UUIDs and hardware addresses are unique",     identity::clones),
    row("hostnames",    Warning, "hosts call themselves by different names",                         names::hostnames),
    row("clock",        Error,   "all clocks are within 500 ms of each other",                       identity::clock),
    row("time",         Warning, "something keeps the time",                                         services::time),
    row("entropy",      Warning, "the kernel has entropy for keys (before 5.18)",                    services::entropy),
    row("ports",        Error,   "nothing else listens where the host's roles listen",               network::ports),
    row("mtu",          Warning, "the interfaces of the cluster's addresses have the same MTU",      network::mtu),
    row("routes",       Error,   "pod and service networks do not overlap with the host's routes",   network::routes),
    row("network-plugin", Error, "no other network of pods is on the host",                          network::plugin),
    row("living-network", Error, "a living cluster keeps its Services' network and its domain",      network::living),
    row("reachable",    Error,   "hosts reach each other on the ports that will be used",            network::reachable),
    row("cluster-dns",  Warning, "the cluster image has the DNS that the inventory wants",           names::cluster_dns),
    row("dns",          Warning, "pods inherit name servers that they can ask",                      names::dns),
    row("dns-cache",    Error,   "the address of the nodes' own cache for the DNS is free",             names::dns_cache),
    row("disks",        Error,   "every data disk is blank or ours, and can be mounted",              storage::disks),
    row("disk",         Error,   "there is room for what the host receives",                         storage::disk),
    row("inodes",       Error,   "there are inodes for what the host receives",                      storage::inodes),
    row("mounts",       Error,   "programs and containers may run from where they are put",          storage::mounts),
    row("etcd-disk",    Error,   "etcd's disk syncs fast enough: warned about above 10 ms",          storage::etcd_disk),
    row("sysctls",      Error,   "no later file undoes a kernel setting at the next boot",           settings::sysctls),
    row("required", Warning, "the inventory leaves the kernel settings that Kubernetes needs alone", settings::required),
    row("settings",     Error,   "the kernel has what the inventory sets, and memory for it",         wishes::settings),
    row("swap",         Warning, "nodes use no swap, unless the inventory allows it",                settings::swap),
    row("services",     Warning, "no service gets into the way of the cluster",                      services::services),
    row("selinux",      Warning, "SELinux does not keep programs and pods from their files",         services::selinux),
    row("apparmor",     Note,    "AppArmor does what pods expect",                                   services::apparmor),
    row("leftovers",    Error,   "nothing of another cluster is on the host",                        settings::leftovers),
];

/// Runs every check. The findings of those in `ignored` are warnings.
pub fn check(subject: &Subject<'_>, ignored: &BTreeSet<&'static str>) -> Vec<Finding> {
    let findings = |check: &'static Check| {
        (check.judge)(subject).into_iter().map(|found| {
            let severity = found.severity.unwrap_or(check.severity);
            let severity = if ignored.contains(check.name) { severity.max(Warning) } else { severity };
            Finding { check: check.name, severity, host: found.host, message: found.message, hint: found.hint }
        })
    };
    CHECKS.iter().flat_map(findings).collect()
}

impl<'a> Subject<'a> {
    fn hosts(&self) -> impl Iterator<Item = (&'a Host, &'a Facts)> {
        let facts = self.facts;
        self.cluster.hosts.iter().filter_map(move |host| Some((host, facts.get(&host.name)?)))
    }

    /// One finding at most for each host.
    fn each(&self, judge: impl Fn(&Host, &Facts) -> Option<(String, String)>) -> Vec<Found> {
        let found = |(host, facts): (&Host, &Facts)| {
            let (message, hint) = judge(host, facts)?;
            Some(Found { host: Some(host.name.clone()), message, hint, severity: None })
        };
        self.hosts().filter_map(found).collect()
    }
}

/// The file system that holds `path`.
fn mount_of<'a>(facts: &'a Facts, path: &str) -> Option<&'a crate::cluster::Mount> {
    let holds = |mount: &&crate::cluster::Mount| std::path::Path::new(path).starts_with(&mount.path);
    facts.mounts.iter().filter(holds).max_by_key(|mount| mount.path.len())
}
