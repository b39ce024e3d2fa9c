//! From the profile and the inventory to the sysctls of one host.

use std::collections::BTreeMap;

use super::profile::{ROWS, Row, Size, Value, When};
use super::release::Release;
use crate::cluster::{Cluster, EndpointMode, KernelProfile, Role, Swap};
use crate::desired::context::HostContext;
use crate::desired::sysctl::{Direction, Sysctl};

/// What the host's keys should be. The inventory's word is the last one.
pub(super) fn sysctls(host: &HostContext<'_>) -> BTreeMap<String, Sysctl> {
    let kernel = &host.host.kernel;
    let size =
        Size { memory: steady(host.facts.memory), cpus: host.facts.cpus.max(1), pods: host.cluster().kubelet.max_pods };
    let tuned = kernel.profile == KernelProfile::Default;
    let rows = ROWS.iter().filter(|row| (tuned || row.required) && wanted(row.when, host));
    let rows = rows.filter(|row| exists(row, &host.facts.kernel));
    let mut sysctls: BTreeMap<String, Sysctl> = rows
        .map(|row| {
            let (value, required) = (row.value.on(&size), row.required);
            (row.key.to_owned(), Sysctl { value, direction: row.direction, required })
        })
        .collect();
    let exactly = |value: &str| Sysctl { value: value.to_owned(), direction: Direction::Exactly, required: true };
    if let EndpointMode::Vip { vip, .. } = host.cluster().endpoint.mode
        && host.is(Role::ControlPlane)
    {
        // HAProxy binds the virtual address on the masters that do not hold it, too.
        let key = if vip.is_ipv6() { "net.ipv6.ip_nonlocal_bind" } else { "net.ipv4.ip_nonlocal_bind" };
        sysctls.insert(key.to_owned(), exactly("1"));
    }
    sysctls.extend(kernel.sysctls.iter().map(|(key, value)| (key.clone(), exactly(value))));
    sysctls
}

/// What the kubelet demands with protectKernelDefaults: these values and no others.
const DEMANDED: [&str; 6] = [
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
];

/// Whether the inventory leaves the keys that the kubelet looks at as it wants them.
pub(in crate::desired) fn suits_kubelet(host: &HostContext<'_>) -> bool {
    let set = sysctls(host);
    let wanted = |key: &str| ROWS.iter().find(|row| row.key == key).map(|row| &row.value);
    DEMANDED.iter().all(|key| matches!(wanted(key), Some(Value::Fixed(value)) if set.get(*key).is_some_and(|sysctl| sysctl.value == *value)))
}

/// Whether the limits of connection tracking are set on every node, so that kube-proxy must leave them alone: it would
/// write its own at each start.
pub(in crate::desired) fn conntrack_is_ours(cluster: &Cluster) -> bool {
    let mut nodes = cluster.hosts.iter().filter(|host| host.roles.is_node());
    nodes.all(|host| host.kernel.profile == KernelProfile::Default)
}

/// Kernels differ by some pages in what they say of one machine, and that must change nothing.
fn steady(memory: u64) -> u64 {
    memory >> 28 << 28
}

fn wanted(when: When, host: &HostContext<'_>) -> bool {
    let network = &host.cluster().network;
    match when {
        When::Always => true,
        When::Node => host.is_node(),
        When::Ipv6 => host.is_node() && network.pod_cidr.addr().is_ipv6(),
        // A mode that changes leaves them until the next boot: services go through IPVS until the node's turn has come.
        When::Ipvs => host.is_node() && (network.proxy.mode.ipvs().is_some() || host.facts.had_ipvs),
        When::SwapOff => host.is_node() && host.host.kernel.swap == Swap::Off,
    }
}

/// A kernel that does not tell its version is taken for a new one.
fn exists(row: &Row, kernel: &str) -> bool {
    let (from, until) = row.kernels;
    Release::parse(kernel).is_none_or(|release| from <= release && release < until)
}

impl Value {
    /// The value on a host of this size.
    pub fn on(&self, size: &Size) -> String {
        match self {
            Self::Fixed(value) => (*value).to_owned(),
            Self::Of { compute, .. } => compute(size).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::desired::fixture::Fixture;

    fn of(fixture: &Fixture, name: &str) -> BTreeMap<String, Sysctl> {
        let context = fixture.context();
        sysctls(&HostContext::new(&context, fixture.host(name)).unwrap())
    }

    #[test]
    fn no_key_stands_twice_for_one_kernel() {
        for (index, row) in ROWS.iter().enumerate() {
            for other in &ROWS[index + 1..] {
                let apart = row.kernels.1 <= other.kernels.0 || other.kernels.1 <= row.kernels.0;
                assert!(row.key != other.key || apart, "{}", row.key);
            }
            assert!(row.why.len() > 10 && !row.why.ends_with('.'), "{}", row.key);
        }
    }

    /// Which keys apply where, and which do not exist there.
    #[test]
    fn keys_by_distribution() {
        let mut out = String::new();
        for (name, kernel) in [
            ("CentOS 7", "3.10.0-1160.el7.x86_64"),
            ("RHEL 9", "5.14.0-503.el9.x86_64"),
            ("Debian 12", "6.1.0-41-amd64"),
            ("Ubuntu 24.04", "6.8.0-51-generic"),
        ] {
            let mut fixture = Fixture::new(36);
            fixture.facts_of("n1").kernel = kernel.to_owned();
            let set = of(&fixture, "n1");
            writeln!(out, "== {name} ({kernel}): {} keys", set.len()).unwrap();
            for row in ROWS {
                if !exists(row, kernel) {
                    writeln!(out, "{}: skipped, kernels that have it: {}", row.key, row.kernels()).unwrap();
                } else if !set.contains_key(row.key) {
                    writeln!(out, "{}: skipped, it is for {}", row.key, row.when.as_str()).unwrap();
                }
            }
        }
        insta::assert_snapshot!(out);
    }

    #[test]
    fn formulas_follow_the_size_of_the_host() {
        let key = |cpus, memory: u64, key: &str| {
            let mut fixture = Fixture::new(36);
            let facts = fixture.facts_of("n1");
            (facts.cpus, facts.memory) = (cpus, memory);
            of(&fixture, "n1")[key].value.clone()
        };
        assert_eq!(key(1, 2 << 30, "net.netfilter.nf_conntrack_max"), "131072");
        assert_eq!(key(16, 64 << 30, "net.netfilter.nf_conntrack_max"), "524288");
        assert_eq!(key(96, 512 << 30, "net.netfilter.nf_conntrack_max"), "1048576");
        assert_eq!(key(16, 64 << 30, "kernel.pid_max"), "450560");
        assert_eq!(key(16, 64 << 30, "vm.min_free_kbytes"), "671088");
        assert_eq!(key(16, (64 << 30) - 4096, "vm.min_free_kbytes"), key(16, (64 << 30) - 8192, "vm.min_free_kbytes"));
        assert_eq!(key(1, 512 << 20, "kernel.threads-max"), "16384");
    }

    #[test]
    fn without_a_profile_only_what_kubernetes_needs_is_set() {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| parts.hosts.iter_mut().for_each(|host| host.kernel.profile = KernelProfile::None));
        let set = of(&fixture, "n1");
        assert!(set.values().all(|sysctl| sysctl.required) && set.contains_key("net.ipv4.ip_forward"), "{set:?}");
        assert!(!set.contains_key("net.core.somaxconn"));
    }

    #[test]
    fn the_inventory_wins_over_the_table() {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| {
            for host in &mut parts.hosts {
                host.kernel.sysctls = [("kernel.panic", "60"), ("net.core.somaxconn", "128")]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into();
            }
        });
        let set = of(&fixture, "n1");
        let exactly = |value: &str| Sysctl { value: value.into(), direction: Direction::Exactly, required: true };
        assert_eq!((&set["kernel.panic"], &set["net.core.somaxconn"]), (&exactly("60"), &exactly("128")));
        assert_eq!(set["kernel.panic_on_oops"].value, "1");
    }

    #[test]
    fn without_ipvs_nothing_of_it_is_set() {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| parts.network.proxy.mode = crate::cluster::ProxyMode::Iptables);
        let set = of(&fixture, "n1");
        assert!(!set.contains_key("net.ipv4.tcp_keepalive_time") && set.keys().all(|key| !key.contains(".vs.")));
    }

    #[test]
    fn what_services_go_through_stays_set_up_until_it_is_gone() {
        let mut fixture = Fixture::new(36);
        let before = of(&fixture, "n1");
        fixture.change(|parts| parts.network.proxy.mode = crate::cluster::ProxyMode::Iptables);
        fixture.facts_of("n1").had_ipvs = true;
        let keys = |set: &BTreeMap<String, Sysctl>| set.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&of(&fixture, "n1")), keys(&before));
    }
}
