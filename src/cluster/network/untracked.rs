//! Traffic that connection tracking leaves alone.

use std::fmt;

use ipnet::IpNet;

/// Traffic with a port of a network, in both directions. It cannot be translated any more: nothing of Services or pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untracked {
    /// Addresses that have the port.
    pub network: IpNet,
    /// The port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: TransportProtocol,
}

/// What ports are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportProtocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for TransportProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}
