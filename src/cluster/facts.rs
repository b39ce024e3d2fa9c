//! What a host is: read once per run, decided upon by pure functions.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Facts of a host. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// `PRETTY_NAME` of /etc/os-release.
    pub os: String,
    /// `ID` of /etc/os-release.
    pub os_id: String,
    /// Kernel release.
    pub kernel: String,
    /// Machine, as uname prints it: `x86_64`.
    pub arch: String,
    /// Host name.
    pub hostname: String,
    /// Machine id; two hosts with the same one are clones.
    pub machine_id: String,
    /// UUID that the firmware gives the machine; empty where it gives none.
    pub product_uuid: String,
    /// Boot id; a new one proves a reboot.
    pub boot_id: String,
    /// Online CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory: u64,
    /// systemd's version number; 0 when it is not process 1.
    pub systemd: u32,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// Interfaces with their addresses in CIDR form.
    pub interfaces: BTreeMap<String, Interface>,
    /// Routes of the main table, loopback's left out.
    pub routes: Vec<Route>,
    /// Mounted file systems that hold data.
    pub mounts: Vec<Mount>,
    /// Whole disks.
    pub disks: Vec<Disk>,
    /// Devices and files in /proc/swaps.
    pub swaps: Vec<String>,
    /// TCP ports that something listens on, with the process name where it is known.
    pub listening: BTreeMap<u16, String>,
    /// Who listens for DNS at every address, or at that of a node's own cache, where anybody does; empty where its name is
    /// not known.
    #[serde(default)]
    pub name_server: Option<String>,
    /// State (`active`, `failed`, …) of the units that matter: kubewright's own and conflicting ones.
    pub units: BTreeMap<String, String>,
    /// What sysctl.d sets at boot after kubewright's own file, in order.
    pub later_sysctls: Vec<SettingLine>,
    /// Units that kubewright keeps from starting, by its notes on the host.
    pub stopped_units: Vec<String>,
    /// Resolver file that pods should inherit: systemd-resolved's own where its stub is in /etc/resolv.conf.
    pub resolv_conf: String,
    /// Name servers in that file, as written.
    pub nameservers: Vec<String>,
    /// Security modules that judge what programs may do.
    pub security: SecurityModules,
    /// Bits of entropy in the pool, of kernels that can run out of it.
    pub entropy: Option<u32>,
    /// The pod subnet in kubewright's CNI configuration, where there is one.
    pub pod_cidr: Option<String>,
    /// The Services' network of the API server on the host, where there is one.
    #[serde(default)]
    pub service_cidr: Option<String>,
    /// The cluster domain in the names of that API server's tokens.
    #[serde(default)]
    pub domain: Option<String>,
    /// Names of the files in /etc/cni/net.d, sorted: the container runtime takes the first that it can read.
    #[serde(default)]
    pub cni: Vec<String>,
    /// Whether /var/lib/etcd/member is there.
    pub has_etcd_data: bool,
    /// Whether a member of etcd here was once part of its cluster.
    #[serde(default)]
    pub etcd_joined: bool,
    /// The restore of etcd that was begun on the host and has not ended, for people.
    pub restoring: Option<String>,
    /// Whether kube-proxy of this cluster has run here, and the kernel has IPVS: services may still go through it.
    #[serde(default)]
    pub had_ipvs: bool,
    /// Whether containerd has ever used its devmapper snapshotter.
    pub has_thin_snapshots: bool,
    /// Names of the files in /etc/kubernetes/manifests.
    pub static_pods: Vec<String>,
    /// Digests of the unpacked components, by `name/version`.
    pub components: BTreeMap<String, String>,
    /// What the host is set to run by its units and static pods: version by component (`etcd`, `runc`,
    /// `kube-apiserver`), as it stands in the path of the program or in the tag of the image.
    pub versions: BTreeMap<String, String>,
}

impl Facts {
    /// Name and interface that has `address`.
    pub fn interface_of(&self, address: IpAddr) -> Option<(&str, &Interface)> {
        let is = |text: &String| text.parse::<IpNet>().is_ok_and(|net| net.addr() == address);
        let found = self.interfaces.iter().find(|(_, interface)| interface.addresses.iter().any(is));
        found.map(|(name, interface)| (name.as_str(), interface))
    }
}

/// Security modules of the running kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SecurityModules {
    /// SELinux.
    pub selinux: Selinux,
    /// Whether AppArmor is enabled.
    pub apparmor: bool,
    /// Whether AppArmor's program for profiles is there.
    pub apparmor_parser: bool,
    /// Whether AppArmor takes their rights from user namespaces of ordinary users.
    pub restricts_user_namespaces: bool,
}

/// What SELinux does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selinux {
    /// It is not there, or disabled.
    #[default]
    Absent,
    /// It tells what it would deny.
    Permissive,
    /// It denies.
    Enforcing,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Interface {
    /// Addresses in CIDR form.
    pub addresses: Vec<String>,
    /// MTU.
    pub mtu: u32,
    /// Hardware address.
    pub mac: String,
    /// Whether a driver stands behind it, as opposed to a bridge, veth or bond.
    pub physical: bool,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where it leads.
    pub destination: IpNet,
    /// By which interface.
    pub interface: String,
}

/// A line of a configuration file that sets a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingLine {
    /// The file.
    pub file: String,
    /// Line number, from 1.
    pub line: usize,
    /// Key; in sysctl's own patterns `*` stands for a part.
    pub key: String,
    /// Value.
    pub value: String,
}

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Mount point.
    pub path: String,
    /// Type.
    pub kind: String,
    /// Options, separated by commas.
    pub options: String,
    /// Size.
    pub size: u64,
    /// Free for root.
    pub free: u64,
    /// Inodes; 0 where the file system makes them as it needs them.
    pub inodes: u64,
    /// Free inodes.
    pub inodes_free: u64,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Kernel name.
    pub name: String,
    /// Size.
    pub size: u64,
    /// Whether it spins.
    pub rotational: bool,
}
