//! Pod and service networks.

use ipnet::IpNet;

use crate::cluster::{Network, NetworkPlugin, Untracked};
use crate::inventory::problems::Fault;
use crate::inventory::spec::{SpecNetwork, SpecNetworkPlugin, SpecUntracked};
use crate::inventory::tree::Path;

use super::{Context, calico, dns, proxy, words};

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
        plugin: plugin(spec, &path, pod_cidr, context),
        pod_cidr,
        node_prefix: spec.node_prefix.unwrap_or(match pod_cidr {
            IpNet::V4(_) => default.node_prefix,
            IpNet::V6(_) => 64,
        }),
        service_cidr,
        domain: context.parse(&path.key("domain"), spec.domain.as_ref(), default.domain, words::domain),
        dns: dns::convert(spec.dns.as_ref(), &path.key("dns"), context),
        proxy: proxy::convert(spec.proxy.as_ref(), &path.key("proxy"), context),
        untracked: untracked(spec.untracked.as_deref().unwrap_or_default(), &path.key("untracked"), context),
    }
}

fn untracked(spec: &[SpecUntracked], path: &Path, context: &mut Context<'_>) -> Vec<Untracked> {
    let one = |(index, spec): (usize, &SpecUntracked)| {
        let network = context.take(&path.index(index).key("cidr"), words::network(spec.cidr.as_ref()?))?;
        Some(Untracked { network, port: spec.port?, protocol: spec.protocol.unwrap_or_default() })
    };
    spec.iter().enumerate().filter_map(one).collect()
}

fn plugin(spec: &SpecNetwork, path: &Path, pod_cidr: IpNet, context: &mut Context<'_>) -> NetworkPlugin {
    let plugin = spec.plugin.unwrap_or(SpecNetworkPlugin::Bridge);
    if plugin != SpecNetworkPlugin::Calico && spec.calico.is_some() {
        let fault = Fault::new("`calico` has no use with another plugin", "remove it, or write `plugin: calico`");
        context.key_fault(&path.key("calico"), fault);
    }
    match plugin {
        SpecNetworkPlugin::Bridge => NetworkPlugin::Bridge,
        SpecNetworkPlugin::None => NetworkPlugin::None,
        SpecNetworkPlugin::Calico => {
            let calico = calico::convert(spec.calico.as_ref(), &path.key("calico"), pod_cidr, context);
            NetworkPlugin::Calico(Box::new(calico))
        }
    }
}
