//! The desired state of one host, as data: it travels in frames from the installer to the agent.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::disk::Disks;
use super::sysctl::Sysctls;
use crate::cluster::{Snapshotter, Spread};
use crate::image::Blob;

/// Everything that one host should be, in the order in which it is brought about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostState {
    /// Parts, ordered as [`Part`] is.
    pub parts: Vec<PartState>,
}

impl HostState {
    /// The part called `part`, where the host has one.
    pub fn part(&self, part: Part) -> Option<&PartState> {
        self.parts.iter().find(|state| state.part == part)
    }
}

/// A slice of a host's state that one stage brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Services in the way, modules, sysctls, swap, /etc/hosts.
    Kernel,
    /// Data disks, mounted before anything is put where they belong.
    Disks,
    /// Program files unpacked from blobs.
    Binaries,
    /// What the kernel forgets at a reboot, and the units that tell it again.
    Tuning,
    /// Certificates, keys and kubeconfigs.
    Pki,
    /// The etcd member.
    Etcd,
    /// Snapshots of etcd that its hosts take by themselves.
    Snapshots,
    /// containerd and its configuration.
    Runtime,
    /// Container images. Apart from containerd, because an upgrade imports them while the old one still runs.
    Images,
    /// HAProxy and keepalived in front of the API servers.
    Endpoint,
    /// The static pod of the API server.
    ControlPlane,
    /// CNI configuration and routes.
    Network,
    /// The kubelet.
    Kubelet,
    /// The static pods of controller-manager and scheduler. Apart from the API server, because without one they only
    /// start, fail and start again.
    Controllers,
    /// kube-proxy's configuration, and no rules but those of its mode.
    Proxy,
    /// What stays of earlier versions; last, when nothing needs more of them.
    Retained,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kernel => "kernel",
            Self::Disks => "disks",
            Self::Binaries => "binaries",
            Self::Tuning => "tuning",
            Self::Pki => "pki",
            Self::Etcd => "etcd",
            Self::Snapshots => "snapshots",
            Self::Runtime => "runtime",
            Self::Images => "images",
            Self::Endpoint => "endpoint",
            Self::ControlPlane => "control-plane",
            Self::Network => "network",
            Self::Kubelet => "kubelet",
            Self::Controllers => "controllers",
            Self::Proxy => "proxy",
            Self::Retained => "retained",
        })
    }
}

/// The resources of one part, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartState {
    /// Which part.
    pub part: Part,
    /// Its resources.
    pub resources: Vec<Resource>,
}

/// One thing on a host. What it means to differ, and how to mend that, stands in one file per kind under `resource/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Resource {
    /// A directory.
    Directory(Directory),
    /// A regular file with all of its content.
    File(File),
    /// A file that the host itself encrypts and cannot read again.
    Sealed(Sealed),
    /// A marked block of lines in a file that others own, too.
    Block(Block),
    /// A symbolic link.
    Symlink(Symlink),
    /// Nothing at a path.
    Absent(Absent),
    /// A system user with a group of its own.
    User(User),
    /// A loaded kernel module, loaded again at boot.
    Module(Module),
    /// Sysctls, live and in a file.
    Sysctls(Sysctls),
    /// No swap, now and after a reboot.
    SwapOff,
    /// Files of sysfs.
    Attribute(Attribute),
    /// Interrupts of network cards, each on its CPU.
    Interrupts(Spread),
    /// The agent's own program, where units find it.
    Program(Program),
    /// The swap that an earlier run turned off.
    SwapGivenBack,
    /// A unit of the distribution that does not run and does not start.
    Stopped(ForeignUnit),
    /// A unit of the distribution that an earlier run stopped, as it was before.
    GivenBack(ForeignUnit),
    /// Data disks, formatted and mounted.
    Disks(Disks),
    /// A component's files, unpacked from its blob.
    Component(Component),
    /// Container images, imported from a component's blob.
    Images(Images),
    /// A systemd unit.
    Unit(Unit),
    /// kube-proxy's configuration, and no rules of another mode than its own.
    Proxy(ProxyConfiguration),
    /// No more of earlier versions than this.
    Retained(Retained),
}

/// Who owns a file. By name, because the user may be one that kubewright makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// User name.
    pub user: String,
    /// Group name.
    pub group: String,
}

impl Owner {
    /// root:root.
    pub fn root() -> Self {
        Self { user: "root".into(), group: "root".into() }
    }
}

/// A directory; its parents are made with mode 0755 where they are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Absolute path.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub owner: Owner,
}

/// A regular file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Absolute path.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub owner: Owner,
    /// All of the content.
    pub content: String,
    /// Whether the content must never be shown.
    pub secret: bool,
    /// Units that are restarted when the file changes, after all writes of the part.
    pub restarts: Vec<String>,
    /// Units that read the file again when it changes, where they run.
    pub reloads: Vec<String>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = if self.secret { "(secret)" } else { &self.content };
        f.debug_struct("File").field("path", &self.path).field("mode", &self.mode).field("content", &content).finish()
    }
}

/// Lines between `# BEGIN kubewright NAME` and `# END kubewright NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Absolute path; an existing file keeps its mode and owner, a new one gets 0644 root:root.
    pub path: String,
    /// Name in the markers.
    pub name: String,
    /// The lines; none means that the block is gone.
    pub lines: Vec<String>,
}

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symlink {
    /// Absolute path of the link.
    pub path: String,
    /// What it points at.
    pub target: String,
}

/// A file that is encrypted where it is kept, for others to read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Absolute path.
    pub path: String,
    /// What is encrypted; it is never written as it is.
    pub content: String,
    /// Public keys of age of those who can read it.
    pub recipients: Vec<String>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Nothing at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Absolute path.
    pub path: String,
}

/// A system user without login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Name of the user and of its group.
    pub name: String,
    /// Home directory; not created.
    pub home: String,
}

/// A kernel module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Name as in /proc/modules.
    pub name: String,
    /// Least values of its parameters, in the running kernel.
    pub parameters: BTreeMap<String, u64>,
}

/// Files of a component under `/opt/kubewright/NAME/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Name.
    pub name: String,
    /// Version, as it stands in the path.
    pub version: String,
    /// Its layer.
    pub blob: Blob,
}

impl Component {
    /// How changes of it are named.
    pub fn title(&self) -> String {
        format!("component {} {}", self.name, self.version)
    }

    /// Where the files are.
    pub fn directory(&self) -> String {
        format!("/opt/kubewright/{}/{}", self.name, self.version)
    }
}

/// Container images from one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// Name of the component.
    pub name: String,
    /// The layer that holds the OCI archive, at `opt/kubewright/images/NAME.tar`.
    pub blob: Blob,
    /// References that containerd must know afterwards.
    pub references: Vec<String>,
    /// Path of the `ctr` that imports them.
    pub ctr: String,
    /// What their layers are unpacked for.
    pub snapshotter: Snapshotter,
}

impl Images {
    /// How changes of it are named.
    pub fn title(&self) -> String {
        format!("images {}", self.name)
    }
}

/// A unit whose file and settings are the distribution's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignUnit {
    /// Name with its suffix: `firewalld.service`.
    pub name: String,
}

/// A systemd unit whose file is a [`File`] before it, or comes with the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Name with its suffix: `etcd.service`.
    pub name: String,
    /// Whether it starts at boot.
    pub enabled: bool,
    /// Whether it runs.
    pub running: bool,
}

/// kube-proxy's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyConfiguration {
    /// Its mode: `ipvs`, `iptables` or `nftables`.
    pub mode: String,
    /// The file.
    pub file: File,
}

impl ProxyConfiguration {
    /// How a change of mode is named.
    pub const TITLE: &'static str = "mode of kube-proxy";
    /// How the names of changes begin that remove rules of another mode. Connections of pods do not survive them.
    pub const RULES: &'static str = "rules of kube-proxy";

    /// The mode in the text of a configuration.
    pub fn mode_of(text: &str) -> Option<String> {
        let mode = text.lines().find_map(|line| line.strip_prefix("mode:"))?.trim();
        (!mode.is_empty()).then(|| mode.to_owned())
    }
}

/// A file of sysfs, or many of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Absolute path; one part of it may hold one `*`. Where there is no such file, there is nothing to set.
    pub path: String,
    /// What it should hold.
    pub value: String,
    /// What is as good.
    pub accepts: Vec<String>,
    /// Whether a kernel that does not offer the value is an error.
    pub required: bool,
    /// What to do where the kernel does not take it.
    pub hint: String,
    /// Units that must see a change.
    pub restarts: Vec<String>,
}

/// What stays on a host of programs, container images and blobs. What is in use there stays anyway: whatever a unit, a
/// static pod, a link, a process or a container refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// Directories of the components that are wanted: `/opt/kubewright/NAME/VERSION`.
    pub directories: Vec<String>,
    /// References of the container images that are wanted.
    pub references: Vec<String>,
    /// SHA-256 of the blobs that are wanted.
    pub blobs: Vec<String>,
    /// How many other versions of each component, and of each container image, stay: the newest ones.
    pub others: u32,
}

/// The agent's own program, at a path that stays the same over versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Absolute path.
    pub path: String,
}
