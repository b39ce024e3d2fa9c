//! The default kernel profile: one row per key, with the reason. What a row means for a host is decided in
//! [`super::sysctls`].

use super::release::Release;
use crate::desired::sysctl::Direction::{self, AtLeast, AtMost, Exactly};

/// What formulas look at.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Bytes.
    pub memory: u64,
    /// Online CPUs.
    pub cpus: u32,
    /// Pods that may run there.
    pub pods: u32,
}

/// One key.
#[derive(Debug)]
pub struct Row {
    /// Key, as sysctl writes it.
    pub key: &'static str,
    /// What it should be.
    pub value: Value,
    /// Which values are as good.
    pub direction: Direction,
    /// Kernels that have the key: from, and until before.
    pub kernels: (Release, Release),
    /// Hosts that want it.
    pub when: When,
    /// Whether Kubernetes does not work without it: then it is set even without a profile, and a kernel that lacks it is
    /// an error.
    pub required: bool,
    /// Why, in one sentence.
    pub why: &'static str,
}

/// What a key should be.
#[derive(Debug)]
pub enum Value {
    /// The same on every host.
    Fixed(&'static str),
    /// By the host's size.
    Of {
        /// In words.
        formula: &'static str,
        /// The same for the machine.
        compute: fn(&Size) -> u64,
    },
}

/// Hosts that need a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Every host of a cluster, etcd hosts among them.
    Always,
    /// Kubernetes nodes.
    Node,
    /// Nodes whose pods or services have IPv6 addresses.
    Ipv6,
    /// Nodes with kube-proxy in IPVS mode.
    Ipvs,
    /// Nodes that use no swap.
    SwapOff,
}

impl Row {
    /// Kernels that have the key, in words.
    pub fn kernels(&self) -> String {
        match self.kernels {
            (OLDEST, NEVER) => "all".to_owned(),
            (from, NEVER) => format!("from {from}"),
            (OLDEST, until) => format!("before {until}"),
            (from, until) => format!("from {from}, before {until}"),
        }
    }
}

impl When {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "all",
            Self::Node => "nodes",
            Self::Ipv6 => "nodes with IPv6",
            Self::Ipvs => "nodes with IPVS",
            Self::SwapOff => "nodes without swap",
        }
    }
}

const OLDEST: Release = Release(0, 0);
const NEVER: Release = Release(u32::MAX, 0);
const ANY: (Release, Release) = (OLDEST, NEVER);

const fn since(major: u32, minor: u32) -> (Release, Release) {
    (Release(major, minor), NEVER)
}

const fn before(major: u32, minor: u32) -> (Release, Release) {
    (OLDEST, Release(major, minor))
}

const fn fixed(
    key: &'static str,
    direction: Direction,
    value: &'static str,
    kernels: (Release, Release),
    when: When,
    why: &'static str,
) -> Row {
    Row { key, value: Value::Fixed(value), direction, kernels, when, required: false, why }
}

const fn computed(
    key: &'static str,
    formula: &'static str,
    compute: fn(&Size) -> u64,
    when: When,
    why: &'static str,
) -> Row {
    Row { key, value: Value::Of { formula, compute }, direction: AtLeast, kernels: ANY, when, required: false, why }
}

/// Without this nothing works.
const fn required(key: &'static str, direction: Direction, value: &'static str, when: When, why: &'static str) -> Row {
    Row { key, value: Value::Fixed(value), direction, kernels: ANY, when, required: true, why }
}

/// All rows, by what they are about.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    // Connections that arrive.
    fixed("net.core.somaxconn",              AtLeast, "32768",  ANY, When::Always, "a listener's queue of finished handshakes; 128 before 5.4 overflows behind a load balancer"),
    fixed("net.ipv4.tcp_max_syn_backlog",    AtLeast, "65536",  ANY, When::Always, "half-open connections; beyond it handshakes are dropped"),
    fixed("net.core.netdev_max_backlog",     AtLeast, "16384",  ANY, When::Always, "packets that wait for a CPU; 1000 is a millisecond of 10G"),
    fixed("net.core.netdev_budget",          AtLeast, "600",    ANY, When::Always, "packets per softirq turn; fewer turns are cut short on fast links"),
    fixed("net.core.netdev_budget_usecs",    AtLeast, "8000",   since(4, 12), When::Always, "microseconds per softirq turn, to match the budget"),
    fixed("net.ipv4.tcp_syncookies",         AtLeast, "1",      ANY, When::Always, "a full backlog still answers"),
    fixed("net.ipv4.tcp_tw_recycle",         Exactly, "0",      before(4, 12), When::Always, "it drops connections of clients behind one address"),
    fixed("net.ipv4.tcp_tw_reuse",           Exactly, "1",      ANY, When::Always, "outgoing connections may take a port out of TIME-WAIT"),
    fixed("net.ipv4.tcp_max_tw_buckets",     AtLeast, "262144", ANY, When::Always, "TIME-WAIT sockets that are kept; beyond it they are cut off, with a warning each"),
    fixed("net.ipv4.tcp_slow_start_after_idle", Exactly, "0",   ANY, When::Always, "idle watch connections keep their window"),
    fixed("net.core.rmem_max",               AtLeast, "16777216", ANY, When::Always, "receive buffers that applications may ask for"),
    fixed("net.core.wmem_max",               AtLeast, "16777216", ANY, When::Always, "send buffers that applications may ask for"),
    fixed("net.ipv4.tcp_rmem",               AtLeast, "4096 131072 16777216", ANY, When::Always, "receive windows that fill 10G between data centres"),
    fixed("net.ipv4.tcp_wmem",               AtLeast, "4096 16384 16777216",  ANY, When::Always, "send windows that fill 10G between data centres"),
    // Keepalives.
    fixed("net.ipv4.tcp_keepalive_time",     AtMost,  "600",    ANY, When::Ipvs, "IPVS forgets idle connections after 900 s: TCP must speak up before"),
    fixed("net.ipv4.tcp_keepalive_intvl",    AtMost,  "30",     ANY, When::Ipvs, "a dead peer is known after five minutes more"),
    fixed("net.ipv4.tcp_keepalive_probes",   AtMost,  "10",     ANY, When::Ipvs, "a dead peer is known after five minutes more"),
    // Ports.
    fixed("net.ipv4.ip_local_reserved_ports", Exactly, "30000-32767", ANY, When::Node, "outgoing connections leave NodePorts alone"),
    // Routing and bridges.
    required("net.ipv4.ip_forward",             Exactly, "1",      When::Node, "pods are routed through the host"),
    required("net.ipv6.conf.all.forwarding",    Exactly, "1",      When::Ipv6, "pods are routed through the host"),
    required("net.bridge.bridge-nf-call-iptables",  Exactly, "1",  When::Node, "services apply to pods on the host's own bridge"),
    required("net.bridge.bridge-nf-call-ip6tables", Exactly, "1",  When::Node, "services apply to pods on the host's own bridge"),
    fixed("net.ipv4.conf.all.rp_filter",     AtMost,  "1",      ANY, When::Node, "loose checks (2) would win over the strict ones of pod interfaces"),
    fixed("net.ipv4.conf.default.rp_filter", AtMost,  "1",      ANY, When::Node, "what new interfaces start with"),
    fixed("net.ipv4.conf.all.arp_ignore",    Exactly, "1",      ANY, When::Ipvs, "service addresses on kube-ipvs0 do not answer ARP"),
    fixed("net.ipv4.conf.all.arp_announce",  Exactly, "2",      ANY, When::Ipvs, "service addresses on kube-ipvs0 are not announced"),
    // IPVS.
    fixed("net.ipv4.vs.conntrack",           Exactly, "1",      ANY, When::Ipvs, "masquerading works for balanced connections"),
    fixed("net.ipv4.vs.expire_nodest_conn",  Exactly, "1",      ANY, When::Ipvs, "connections to a pod that is gone end at once"),
    fixed("net.ipv4.vs.expire_quiescent_template", Exactly, "1", ANY, When::Ipvs, "session affinity does not stick to a pod that is going"),
    fixed("net.ipv4.vs.conn_reuse_mode",     Exactly, "0",      (Release(4, 1), Release(5, 9)), When::Ipvs, "a port used again does not wait a second for its handshake"),
    // Connection tracking.
    computed("net.netfilter.nf_conntrack_max", "32768 per core, at least 131072, at most 1048576", |size| (u64::from(size.cpus) * 32768).clamp(131_072, 1_048_576), When::Node, "a full table drops packets"),
    fixed("net.netfilter.nf_conntrack_tcp_timeout_established", AtMost, "86400", ANY, When::Node, "idle connections are forgotten after a day and not after five"),
    fixed("net.netfilter.nf_conntrack_tcp_timeout_close_wait",  AtLeast, "3600", ANY, When::Node, "half-closed connections survive an hour"),
    // Neighbours.
    fixed("net.ipv4.neigh.default.gc_thresh1", AtLeast, "8192",  ANY, When::Node, "neighbours that are never collected; 128 is less than one rack's pods"),
    fixed("net.ipv4.neigh.default.gc_thresh2", AtLeast, "32768", ANY, When::Node, "neighbours that may stay for five seconds"),
    fixed("net.ipv4.neigh.default.gc_thresh3", AtLeast, "65536", ANY, When::Node, "neighbours at most; beyond it packets are dropped"),
    fixed("net.ipv6.neigh.default.gc_thresh1", AtLeast, "8192",  ANY, When::Ipv6, "neighbours that are never collected"),
    fixed("net.ipv6.neigh.default.gc_thresh2", AtLeast, "32768", ANY, When::Ipv6, "neighbours that may stay for five seconds"),
    fixed("net.ipv6.neigh.default.gc_thresh3", AtLeast, "65536", ANY, When::Ipv6, "neighbours at most; beyond it packets are dropped"),
    // Files and processes.
    fixed("fs.inotify.max_user_instances",   AtLeast, "8192",    ANY, When::Node, "kubelet, containerd and log collectors each take some"),
    fixed("fs.inotify.max_user_watches",     AtLeast, "524288",  ANY, When::Node, "kubelet, containerd and log collectors watch many files"),
    fixed("fs.inotify.max_queued_events",    AtLeast, "16384",   ANY, When::Node, "events are not lost while a watcher is busy"),
    fixed("fs.file-max",                     AtLeast, "2097152", ANY, When::Always, "open files of all processes together"),
    fixed("fs.nr_open",                      AtLeast, "1048576", ANY, When::Always, "open files that one process may ask for"),
    fixed("fs.aio-max-nr",                   AtLeast, "262144",  ANY, When::Node, "databases in pods use asynchronous I/O"),
    fixed("fs.may_detach_mounts",            Exactly, "1",       before(4, 0), When::Node, "mounts that another namespace holds can still be removed (RHEL 7)"),
    computed("kernel.pid_max", "4096 per pod, at least 131072, at most 4194304", |size| (u64::from(size.pods) * 4096).clamp(131_072, 4_194_304), When::Node, "32768 threads are few for a node full of pods"),
    computed("kernel.threads-max", "4096 per pod, at least 131072, at most one per 32 KiB of memory", |size| (u64::from(size.pods) * 4096).max(131_072).min(size.memory >> 15), When::Node, "threads of all processes together"),
    // Memory. The kubelet demands the first of them with protectKernelDefaults.
    required("vm.overcommit_memory",            Exactly, "1",       When::Node, "the kubelet demands it: memory is promised freely and pods are limited instead"),
    required("vm.panic_on_oom",                 Exactly, "0",       When::Node, "the kubelet demands it: one process ends, not the host"),
    fixed("vm.max_map_count",                AtLeast, "262144",  ANY, When::Node, "search engines and databases map many files"),
    fixed("vm.swappiness",                   AtMost,  "10",      ANY, When::SwapOff, "only a guard where swap is off"),
    computed("vm.min_free_kbytes", "1 % of memory, at most 1 GiB", |size| (size.memory / 100 / 1024).min(1 << 20), When::Node, "interrupts find memory for packets at once"),
    // What happens when the kernel is in trouble.
    required("kernel.panic",                    Exactly, "10",      When::Node, "the kubelet demands it: a panic reboots after ten seconds"),
    required("kernel.panic_on_oops",            Exactly, "1",       When::Node, "the kubelet demands it: a damaged kernel does not go on"),
    fixed("kernel.softlockup_panic",         AtLeast, "1",       ANY, When::Node, "a CPU that hangs takes its host away, so that pods move"),
    required("kernel.keys.root_maxkeys",        Exactly, "1000000", When::Node, "the kubelet demands it: each container has a keyring"),
    required("kernel.keys.root_maxbytes",       Exactly, "25000000", When::Node, "the kubelet demands it: each container has a keyring"),
];
