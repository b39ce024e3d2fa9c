//! How clients reach the API servers.

use std::net::IpAddr;

/// The one name and port that every kubeconfig names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// DNS name of the API; in the certificates' SANs and in /etc/hosts of every host.
    pub host: String,
    /// Port that clients dial. In the modes `local` and `vip` HAProxy binds it on 127.0.0.1 and on the VIP; the API
    /// servers bind [`Endpoint::APISERVER_PORT`] on their host's own address only, so the two may be equal.
    pub port: u16,
    /// Who answers there.
    pub mode: EndpointMode,
}

impl Endpoint {
    /// Port of every API server.
    pub const APISERVER_PORT: u16 = 6443;
}

/// Who answers at the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointMode {
    /// HAProxy on every host's loopback in front of the API servers; the name resolves to 127.0.0.1 on the hosts.
    Local,
    /// keepalived holds `vip` on one of the masters, HAProxy behind it.
    Vip {
        /// The virtual address.
        vip: IpAddr,
        /// Interface that carries it; found by the host's address when absent.
        interface: Option<String>,
        /// VRRP router id, 1–255, unique in the layer-2 network.
        router_id: u8,
    },
    /// A load balancer that somebody else runs; `host` resolves to it everywhere.
    External {
        /// Its address, when the name is to be put in /etc/hosts.
        address: Option<IpAddr>,
    },
}
