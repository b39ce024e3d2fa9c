//! kube-proxy, as the inventory wants it.

use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// kube-proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxy {
    /// How service addresses are routed.
    pub mode: ProxyMode,
    /// Networks of the nodes' addresses where NodePorts answer; all of them when empty.
    pub node_port_addresses: Vec<IpNet>,
}

/// How kube-proxy routes service addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyMode {
    /// IP virtual server.
    Ipvs(Ipvs),
    /// iptables rules.
    Iptables,
    /// nftables rules.
    Nftables,
}

impl ProxyMode {
    /// The name that kube-proxy uses.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ipvs(_) => "ipvs",
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
        }
    }

    /// What is set of IPVS, where that is the mode.
    pub fn ipvs(&self) -> Option<&Ipvs> {
        match self {
            Self::Ipvs(ipvs) => Some(ipvs),
            Self::Iptables | Self::Nftables => None,
        }
    }
}

impl Default for ProxyMode {
    fn default() -> Self {
        Self::Ipvs(Ipvs::default())
    }
}

/// IPVS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ipvs {
    /// How it chooses among the pods of a service.
    pub scheduler: IpvsScheduler,
    /// When it forgets connections.
    pub timeouts: IpvsTimeouts,
    /// Networks of virtual servers that belong to others, and that kube-proxy leaves alone.
    pub exclude: Vec<IpNet>,
}

/// Idle times after which IPVS forgets a connection, in whole seconds; the kernel's own where none is set (15 minutes,
/// 2 minutes and 5 minutes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IpvsTimeouts {
    /// Of TCP connections.
    pub tcp: Option<Duration>,
    /// Of TCP connections that were closed.
    pub tcp_fin: Option<Duration>,
    /// Of UDP.
    pub udp: Option<Duration>,
}

/// IPVS scheduler; each needs the kernel module `ip_vs_<name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IpvsScheduler {
    /// Round robin.
    #[default]
    Rr,
    /// Weighted round robin.
    Wrr,
    /// Least connections.
    Lc,
    /// Source hashing.
    Sh,
}

impl IpvsScheduler {
    /// The name that IPVS uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Sh => "sh",
        }
    }
}
