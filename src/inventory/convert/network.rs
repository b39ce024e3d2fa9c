//! Pod and service networks.

use ipnet::IpNet;

use crate::cluster::Network;
use crate::inventory::spec::SpecNetwork;
use crate::inventory::tree::Path;

use super::{Context, proxy, words};

/// Converts the section `network`.
pub(super) fn convert(spec: Option<&SpecNetwork>, context: &mut Context<'_>) -> Network {
    let path = Path::of("spec.network");
    let none = SpecNetwork::default();
    let spec = spec.unwrap_or(&none);
    let default = Network::default();
    let mut network =
        |key: &str, text: Option<&String>, default: IpNet| context.parse(&path.key(key), text, default, words::network);
    let pod_cidr = network("podCidr", spec.pod_cidr.as_ref(), default.pod_cidr);
    let service_cidr = network("serviceCidr", spec.service_cidr.as_ref(), default.service_cidr);
    Network {
        plugin: spec.plugin.unwrap_or(default.plugin),
        pod_cidr,
        node_prefix: spec.node_prefix.unwrap_or(match pod_cidr {
            IpNet::V4(_) => default.node_prefix,
            IpNet::V6(_) => 64,
        }),
        service_cidr,
        domain: context.parse(&path.key("domain"), spec.domain.as_ref(), default.domain, words::dns_name),
        proxy: proxy::convert(spec.proxy.as_ref(), &path.key("proxy"), context),
    }
}
