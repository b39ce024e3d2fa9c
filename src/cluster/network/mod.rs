//! Pod and service networks.

mod bgp;
mod calico;
mod dns;
mod proxy;
mod selector;
mod untracked;

use std::net::{IpAddr, Ipv4Addr};

pub use bgp::{Bgp, Mesh, REFLECTOR, Reflectors, Router, ServiceRoutes};
pub use calico::{AddressDetection, Calico, Felix, FelixLog, FelixValue, Overlay, Pool, Transport, Typha};
pub use dns::{Autoscale, CacheAt, Dns, DnsServer, Replicas};
use ipnet::{IpNet, Ipv4Net};
pub use proxy::{Ipvs, IpvsScheduler, IpvsTimeouts, Proxy, ProxyMode};
pub use selector::check_selector;
pub use untracked::{TransportProtocol, Untracked};

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
    /// The cluster's DNS.
    pub dns: Dns,
    /// How service addresses are routed.
    pub proxy: Proxy,
    /// Traffic that connection tracking leaves alone.
    pub untracked: Vec<Untracked>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            plugin: NetworkPlugin::Bridge,
            pod_cidr: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 244, 0, 0), 16)),
            node_prefix: 24,
            service_cidr: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 16)),
            domain: "cluster.local".to_owned(),
            dns: Dns::default(),
            proxy: Proxy::default(),
            untracked: Vec::new(),
        }
    }
}

impl Network {
    /// The address of the `kubernetes` service: the first of the service network.
    pub fn api_service_address(&self) -> Option<IpAddr> {
        self.service_address(1)
    }

    /// Calico, where it is the plugin.
    pub fn calico(&self) -> Option<&Calico> {
        match &self.plugin {
            NetworkPlugin::Calico(calico) => Some(calico),
            NetworkPlugin::Bridge | NetworkPlugin::None => None,
        }
    }

    /// The address of the cluster DNS: the tenth of the service network, as kubeadm has it.
    pub fn dns_service_address(&self) -> Option<IpAddr> {
        self.service_address(10)
    }

    /// The address with this number, as Kubernetes counts in both families: that of the network itself has number 0.
    fn service_address(&self, number: u8) -> Option<IpAddr> {
        let address = match self.service_cidr.network() {
            IpAddr::V4(network) => {
                u32::from(network).checked_add(number.into()).map(|bits| IpAddr::from(bits.to_be_bytes()))
            }
            IpAddr::V6(network) => {
                u128::from(network).checked_add(number.into()).map(|bits| IpAddr::from(bits.to_be_bytes()))
            }
        };
        address.filter(|address| self.service_cidr.contains(address))
    }

    /// Whom pods ask for names, in this order. The second one answers while a node's own cache is replaced.
    pub fn name_servers(&self) -> Vec<IpAddr> {
        self.dns.cache_at.address().into_iter().chain(self.dns_service_address()).collect()
    }
}

/// Who connects the pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkPlugin {
    /// CNI bridge and host-local on each node, static routes between nodes that share a layer 2.
    Bridge,
    /// Calico, from the cluster image.
    Calico(Box<Calico>),
    /// Nothing is installed; the nodes stay NotReady until somebody brings a network.
    None,
}
