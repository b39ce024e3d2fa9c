//! The certificate table: one row per certificate, one per shared file. Everything else here loops over it.
//!
//! Paths are kubeadm's, so that kube-bench, kubectl and people find what they expect.

use std::collections::BTreeSet;
use std::fmt;

use crate::cluster::{Cluster, Host, KubeVersion, Role};

use super::san::{self, Names, San};
use super::{KeyOwner, PkiError};

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// The cluster's CA: API servers and everybody who talks to them.
    Kubernetes,
    /// The CA of API aggregation.
    FrontProxy,
    /// etcd's CA.
    Etcd,
}

impl Authority {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Kubernetes, Self::FrontProxy, Self::Etcd];

    /// Common name of a new one.
    pub fn common_name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::FrontProxy => "front-proxy-ca",
            Self::Etcd => "etcd-ca",
        }
    }

    /// Path without suffix, below /etc/kubernetes and below the local state directory.
    pub(super) fn stem(self) -> &'static str {
        match self {
            Self::Kubernetes => "pki/ca",
            Self::FrontProxy => "pki/front-proxy-ca",
            Self::Etcd => "pki/etcd/ca",
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kubernetes => "the Kubernetes CA",
            Self::FrontProxy => "the front-proxy CA",
            Self::Etcd => "the etcd CA",
        })
    }
}

/// What a file holds that is the same on every host that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The certificate of a CA.
    Certificate(Authority),
    /// The key of a CA.
    Key(Authority),
    /// The key that signs service account tokens.
    AccountKey,
    /// Its public half.
    AccountPublic,
}

impl Holds {
    /// Whether it must never be shown.
    pub(super) fn secret(self) -> bool {
        matches!(self, Self::Key(_) | Self::AccountKey)
    }

    /// Name in the local state directory.
    pub(super) fn cache_name(self) -> String {
        match self {
            Self::Certificate(authority) => format!("{}.crt", authority.stem()),
            Self::Key(authority) => format!("{}.key", authority.stem()),
            Self::AccountKey => "pki/sa.key".into(),
            Self::AccountPublic => "pki/sa.pub".into(),
        }
    }
}

/// Everything shared, in the order in which it is written.
pub(super) const HOLDS: [Holds; 8] = [
    Holds::Certificate(Authority::Kubernetes),
    Holds::Key(Authority::Kubernetes),
    Holds::Certificate(Authority::FrontProxy),
    Holds::Key(Authority::FrontProxy),
    Holds::Certificate(Authority::Etcd),
    Holds::Key(Authority::Etcd),
    Holds::AccountKey,
    Holds::AccountPublic,
];

/// Every file of the local state directory, and whether it may never be replaced by another one.
pub(super) fn cache_names() -> impl Iterator<Item = (String, bool)> {
    HOLDS.into_iter().map(|holds| (holds.cache_name(), true)).chain([(ADMIN_CACHE.to_owned(), false)])
}

/// Which hosts have a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Every Kubernetes node.
    Nodes,
    /// Control-plane hosts.
    ControlPlane,
    /// Hosts with an etcd member.
    Etcd,
    /// Hosts with an etcd member, and those that talk to it.
    EtcdAndControlPlane,
}

impl On {
    pub(super) fn includes(self, host: &Host) -> bool {
        let has = |role| host.roles.contains(role);
        match self {
            Self::Nodes => host.roles.is_node(),
            Self::ControlPlane => has(Role::ControlPlane),
            Self::Etcd => has(Role::Etcd),
            Self::EtcdAndControlPlane => has(Role::Etcd) || has(Role::ControlPlane),
        }
    }
}

/// A file that is the same wherever it is.
#[derive(Debug, Clone, Copy)]
pub struct Shared {
    /// Absolute path.
    pub path: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Which hosts have it.
    pub on: On,
    /// Who reads it.
    pub owner: KeyOwner,
}

const fn shared(path: &'static str, holds: Holds, on: On) -> Shared {
    Shared { path, holds, on, owner: KeyOwner::Root }
}

/// The shared files.
pub const SHARED: [Shared; 9] = [
    shared("/etc/kubernetes/pki/ca.crt", Holds::Certificate(Authority::Kubernetes), On::Nodes),
    shared("/etc/kubernetes/pki/ca.key", Holds::Key(Authority::Kubernetes), On::ControlPlane),
    shared("/etc/kubernetes/pki/front-proxy-ca.crt", Holds::Certificate(Authority::FrontProxy), On::ControlPlane),
    shared("/etc/kubernetes/pki/front-proxy-ca.key", Holds::Key(Authority::FrontProxy), On::ControlPlane),
    shared("/etc/kubernetes/pki/etcd/ca.crt", Holds::Certificate(Authority::Etcd), On::EtcdAndControlPlane),
    shared("/etc/kubernetes/pki/etcd/ca.key", Holds::Key(Authority::Etcd), On::ControlPlane),
    Shared {
        path: "/etc/etcd/pki/ca.crt",
        holds: Holds::Certificate(Authority::Etcd),
        on: On::Etcd,
        owner: KeyOwner::Etcd,
    },
    shared("/etc/kubernetes/pki/sa.key", Holds::AccountKey, On::ControlPlane),
    shared("/etc/kubernetes/pki/sa.pub", Holds::AccountPublic, On::ControlPlane),
];

/// What a certificate is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// TLS server.
    Server,
    /// TLS client.
    Client,
    /// Both: etcd's gateway is a client of its own server, peers are both.
    Both,
}

impl Usage {
    /// Whether it includes TLS server authentication.
    pub fn server(self) -> bool {
        self != Self::Client
    }

    /// Whether it includes TLS client authentication.
    pub fn client(self) -> bool {
        self != Self::Server
    }
}

/// How certificate and key are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `PATH.crt` and `PATH.key`.
    Pair,
    /// Embedded in a kubeconfig at `PATH`.
    Kubeconfig(Server),
}

/// The API server that a kubeconfig names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The cluster's endpoint.
    Endpoint,
    /// The one on the host itself, so that a component never talks to an API server of another version (its address,
    /// because API servers do not listen on loopback).
    Own,
    /// The one on the host itself where there is one, else the endpoint.
    Nearest,
}

/// A row: a certificate that each host has for itself.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// See [`Form`].
    pub path: &'static str,
    /// How it is stored.
    pub form: Form,
    /// Who signs it.
    pub authority: Authority,
    /// Subject's common name: user name towards the API.
    pub common_name: fn(&Host) -> String,
    /// Subject's organisation: group towards the API.
    pub organisation: fn(KubeVersion) -> Option<&'static str>,
    /// Extended key usage.
    pub usage: Usage,
    /// Subject alternative names.
    pub names: fn(&Cluster, &Host) -> Names,
    /// Which hosts have it.
    pub on: On,
    /// Who reads it.
    pub owner: KeyOwner,
    /// First minor of Kubernetes that has it.
    pub since: u32,
}

/// The certificates. Row by row: form and path, signer, common name, organisation, usage, names, hosts.
pub const TABLE: [Row; 13] = {
    use Authority::{Etcd, FrontProxy, Kubernetes};
    use Form::{Kubeconfig, Pair};
    use Usage::{Both, Client, Server as ServerOnly};

    const BLANK: Row = Row {
        path: "",
        form: Pair,
        authority: Kubernetes,
        common_name: node_user,
        organisation: no_group,
        usage: Client,
        names: san::none,
        on: On::ControlPlane,
        owner: KeyOwner::Root,
        since: 0,
    };
    [
        Row {
            path: "/etc/kubernetes/pki/apiserver",
            common_name: |_| "kube-apiserver".into(),
            usage: ServerOnly,
            names: san::apiserver,
            ..BLANK
        },
        Row {
            path: "/etc/kubernetes/pki/apiserver-kubelet-client",
            common_name: |_| "kube-apiserver-kubelet-client".into(),
            organisation: administrators,
            ..BLANK
        },
        Row {
            path: "/etc/kubernetes/pki/front-proxy-client",
            authority: FrontProxy,
            common_name: |_| "front-proxy-client".into(),
            ..BLANK
        },
        Row {
            path: "/etc/kubernetes/pki/apiserver-etcd-client",
            authority: Etcd,
            common_name: |_| "kube-apiserver-etcd-client".into(),
            organisation: masters_until_1_28,
            ..BLANK
        },
        Row {
            path: "/etc/etcd/pki/server",
            authority: Etcd,
            common_name: |host| host.name.to_string(),
            usage: Both,
            names: san::etcd,
            on: On::Etcd,
            owner: KeyOwner::Etcd,
            ..BLANK
        },
        Row {
            path: "/etc/etcd/pki/peer",
            authority: Etcd,
            common_name: |host| host.name.to_string(),
            usage: Both,
            names: san::etcd,
            on: On::Etcd,
            owner: KeyOwner::Etcd,
            ..BLANK
        },
        Row {
            path: "/etc/kubernetes/pki/etcd/healthcheck-client",
            authority: Etcd,
            common_name: |_| "kube-etcd-healthcheck-client".into(),
            organisation: masters_until_1_28,
            on: On::Etcd,
            ..BLANK
        },
        Row {
            path: "/etc/kubernetes/admin.conf",
            form: Kubeconfig(Server::Endpoint),
            common_name: |_| "kubernetes-admin".into(),
            organisation: administrators,
            ..BLANK
        },
        Row {
            path: "/etc/kubernetes/super-admin.conf",
            form: Kubeconfig(Server::Endpoint),
            common_name: |_| "kubernetes-super-admin".into(),
            organisation: |_| Some(MASTERS),
            since: 29,
            ..BLANK
        },
        Row {
            path: "/etc/kubernetes/controller-manager.conf",
            form: Kubeconfig(Server::Own),
            common_name: |_| "system:kube-controller-manager".into(),
            ..BLANK
        },
        Row {
            path: "/etc/kubernetes/scheduler.conf",
            form: Kubeconfig(Server::Own),
            common_name: |_| "system:kube-scheduler".into(),
            ..BLANK
        },
        Row {
            path: "/etc/kubernetes/kubelet.conf",
            form: Kubeconfig(Server::Nearest),
            organisation: |_| Some(NODES),
            on: On::Nodes,
            ..BLANK
        },
        Row {
            path: "/var/lib/kubelet/pki/kubelet",
            organisation: |_| Some(NODES),
            usage: ServerOnly,
            names: san::node,
            on: On::Nodes,
            ..BLANK
        },
    ]
};

/// The group that RBAC cannot bar.
pub(super) const MASTERS: &str = "system:masters";
const NODES: &str = "system:nodes";
/// The administrators' kubeconfig on a master.
pub(super) const ADMIN: &str = "/etc/kubernetes/admin.conf";
/// And in the local state directory: the only file there that is not shared by all masters.
pub(super) const ADMIN_CACHE: &str = "admin.conf";

fn node_user(host: &Host) -> String {
    format!("system:node:{}", host.name)
}

fn no_group(_: KubeVersion) -> Option<&'static str> {
    None
}

/// Since 1.29 kubeadm binds a group of its own to cluster-admin, so that it can be revoked.
fn administrators(version: KubeVersion) -> Option<&'static str> {
    Some(if version.minor >= 29 { "kubeadm:cluster-admins" } else { MASTERS })
}

/// etcd knows no groups; until 1.28 kubeadm wrote one nevertheless.
fn masters_until_1_28(version: KubeVersion) -> Option<&'static str> {
    (version.minor <= 28).then_some(MASTERS)
}

/// A row worked out for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// See [`Form`].
    pub path: &'static str,
    /// How it is stored.
    pub form: Form,
    /// Who signs it.
    pub authority: Authority,
    /// Subject's common name.
    pub common_name: String,
    /// Subject's organisation.
    pub organisation: Option<&'static str>,
    /// Extended key usage.
    pub usage: Usage,
    /// Subject alternative names.
    pub names: BTreeSet<San>,
    /// Who reads it.
    pub owner: KeyOwner,
}

/// The certificates of `host`, and every name in the inventory that cannot stand in one of them.
pub fn leaves(cluster: &Cluster, host: &Host, kubernetes: KubeVersion) -> Result<Vec<Leaf>, PkiError> {
    let rows = TABLE.iter().filter(|row| row.on.includes(host) && kubernetes.minor >= row.since);
    rows.map(|row| {
        Ok(Leaf {
            path: row.path,
            form: row.form,
            authority: row.authority,
            common_name: (row.common_name)(host),
            organisation: (row.organisation)(kubernetes),
            usage: row.usage,
            names: (row.names)(cluster, host).map_err(|name| PkiError::Name { name })?,
            owner: row.owner,
        })
    })
    .collect()
}

/// The shared files of `host`.
pub fn shared_files(host: &Host) -> impl Iterator<Item = &'static Shared> {
    SHARED.iter().filter(|shared| shared.on.includes(host))
}

/// Every key file to read from `host` before anything is decided.
pub fn paths(_cluster: &Cluster, host: &Host) -> Vec<String> {
    let rows = TABLE.iter().filter(|row| row.on.includes(host)).flat_map(|row| match row.form {
        Form::Pair => vec![format!("{}.crt", row.path), format!("{}.key", row.path)],
        Form::Kubeconfig(_) => vec![row.path.to_owned()],
    });
    shared_files(host).map(|shared| shared.path.to_owned()).chain(rows).collect()
}

#[cfg(test)]
mod tests;
