//! Subject alternative names, and which certificate has which.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cluster::{Cluster, EndpointMode, Host, Role};

/// A name by which a certificate's holder is reached. Names sort before addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum San {
    /// A DNS name, lower case; the first label may be `*`.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl San {
    /// Reads an address or a DNS name; anything else, a CIDR for one, would become a name that matches nothing.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::ip(address));
        }
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let name = text.strip_prefix("*.").unwrap_or(text);
        (text.len() <= 253 && name.split('.').all(label)).then(|| Self::Dns(text.to_ascii_lowercase()))
    }

    fn dns(name: &str) -> Self {
        Self::Dns(name.to_ascii_lowercase())
    }

    /// An IPv4 address in IPv6 clothes would be 16 bytes long in the certificate and match nothing.
    fn ip(address: IpAddr) -> Self {
        Self::Ip(address.to_canonical())
    }
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS:{name}"),
            Self::Ip(address) => write!(f, "IP:{address}"),
        }
    }
}

/// Names of a certificate; the error is a text that is neither a name nor an address.
pub(super) type Names = Result<BTreeSet<San>, String>;

const LOOPBACK: [San; 2] = [San::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)), San::Ip(IpAddr::V6(Ipv6Addr::LOCALHOST))];

/// A client certificate has none.
pub(super) fn none(_: &Cluster, _: &Host) -> Names {
    Ok(BTreeSet::new())
}

/// Node name and address.
pub(super) fn node(_: &Cluster, host: &Host) -> Names {
    Ok([San::dns(host.name.as_str()), San::ip(host.address)].into())
}

/// Node name and address, and loopback.
pub(super) fn etcd(cluster: &Cluster, host: &Host) -> Names {
    let mut names = node(cluster, host)?;
    names.insert(San::dns("localhost"));
    names.extend(LOOPBACK);
    Ok(names)
}

/// Everything by which anybody reaches an API server. Every master's name and address is in every one, so that a load
/// balancer or a tunnel may end at any of them.
pub(super) fn apiserver(cluster: &Cluster, host: &Host) -> Names {
    let domain = format!("kubernetes.default.svc.{}", cluster.network.domain);
    let fixed = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", &domain, "localhost"];
    let mut names: BTreeSet<San> = fixed.into_iter().map(San::dns).collect();
    names.extend(LOOPBACK);
    names.extend(node(cluster, host)?);
    for master in cluster.with_role(Role::ControlPlane) {
        names.extend(node(cluster, master)?);
    }
    names.extend(cluster.network.api_service_address().map(San::ip));
    names.extend(match cluster.endpoint.mode {
        EndpointMode::Local => None,
        EndpointMode::Vip { vip, .. } => Some(San::ip(vip)),
        EndpointMode::External { address } => address.map(San::ip),
    });
    for text in cluster.control_plane.cert_sans.iter().chain([&cluster.endpoint.host]) {
        names.insert(San::parse(text).ok_or_else(|| text.clone())?);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_addresses_or_names_or_refused() {
        for (text, san) in [
            ("10.0.0.1", "IP:10.0.0.1"),
            ("fd00::1", "IP:fd00::1"),
            ("::ffff:10.0.0.1", "IP:10.0.0.1"),
            ("API.example.test", "DNS:api.example.test"),
            ("*.example.test", "DNS:*.example.test"),
            ("under_score", "DNS:under_score"),
        ] {
            assert_eq!(San::parse(text).unwrap().to_string(), san);
        }
        for bad in ["", "10.0.0.0/8", "https://api", "a..b", "-a", "a.*.b", "bücher.test", "a b"] {
            assert_eq!(San::parse(bad), None, "{bad}");
        }
    }
}
