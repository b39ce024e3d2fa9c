//! Pod and service networks.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The networks of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Who connects the pods.
    pub plugin: NetworkPlugin,
    /// Addresses of pods.
    pub pod_cidr: IpNet,
    /// Prefix length of each node's part of `pod_cidr`.
    pub node_prefix: u8,
    /// Addresses of services.
    pub service_cidr: IpNet,
    /// DNS domain of services.
    pub domain: String,
    /// How service addresses are routed.
    pub proxy: ProxyMode,
    /// Scheduler of IPVS.
    pub ipvs_scheduler: IpvsScheduler,
}

impl Network {
    /// The address of the `kubernetes` service: the first of the service network.
    pub fn api_service_address(&self) -> Option<IpAddr> {
        self.service_cidr.hosts().next()
    }

    /// The address of the cluster DNS: the tenth of the service network, as kubeadm has it.
    pub fn dns_service_address(&self) -> Option<IpAddr> {
        self.service_cidr.hosts().nth(9)
    }
}

/// Who connects the pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkPlugin {
    /// CNI bridge and host-local on each node, static routes between nodes that share a layer 2.
    Bridge,
    /// Nothing is installed; the nodes stay NotReady until somebody brings a network.
    None,
}

/// How kube-proxy routes service addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyMode {
    /// IP virtual server.
    Ipvs,
    /// iptables rules.
    Iptables,
}

/// IPVS scheduler; each needs the kernel module `ip_vs_<name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IpvsScheduler {
    /// Round robin.
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
