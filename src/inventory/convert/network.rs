//! Pod and service networks.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use crate::cluster::{IpvsScheduler, Network, NetworkPlugin, ProxyMode};
use crate::inventory::problems::Fault;
use crate::inventory::spec::SpecNetwork;
use crate::inventory::tree::Path;

use super::{Context, words};

/// Addresses of pods, by default.
const POD_CIDR: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 244, 0, 0), 16));

/// Addresses of services, by default.
const SERVICE_CIDR: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 16));

/// Converts the section `network`.
pub(super) fn convert(spec: Option<&SpecNetwork>, context: &mut Context<'_>) -> Network {
    let path = Path::of("spec.network");
    let defaults = SpecNetwork::default();
    let spec = spec.unwrap_or(&defaults);
    let proxy = spec.proxy.as_ref();
    let mode = proxy.and_then(|proxy| proxy.mode).unwrap_or(ProxyMode::Ipvs);
    if mode != ProxyMode::Ipvs && proxy.is_some_and(|proxy| proxy.scheduler.is_some()) {
        let fault = Fault::new("`scheduler` has no use without IPVS", "remove it, or write `mode: ipvs`");
        context.key_fault(&path.down("proxy.scheduler"), fault);
    }
    let pod_cidr = context.parse(&path.key("podCidr"), spec.pod_cidr.as_ref(), POD_CIDR, words::network);
    Network {
        plugin: spec.plugin.unwrap_or(NetworkPlugin::Bridge),
        pod_cidr,
        node_prefix: spec.node_prefix.unwrap_or(match pod_cidr {
            IpNet::V4(_) => 24,
            IpNet::V6(_) => 64,
        }),
        service_cidr: context.parse(&path.key("serviceCidr"), spec.service_cidr.as_ref(), SERVICE_CIDR, words::network),
        domain: context.parse(&path.key("domain"), spec.domain.as_ref(), "cluster.local".into(), words::dns_name),
        proxy: mode,
        ipvs_scheduler: proxy.and_then(|proxy| proxy.scheduler).unwrap_or(IpvsScheduler::Rr),
    }
}
