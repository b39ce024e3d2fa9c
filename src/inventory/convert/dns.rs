//! The cluster's DNS.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cluster::{Autoscale, CacheAt, Dns, Replicas};
use crate::inventory::problems::Fault;
use crate::inventory::spec::SpecDns;
use crate::inventory::tree::Path;
use crate::inventory::units;

use super::{Context, words};

const PORT: u16 = 53;
/// CoreDNS takes no longer one.
const MOST: Duration = Duration::from_secs(3600);

/// Converts the section `network.dns`.
pub(super) fn convert(spec: Option<&SpecDns>, path: &Path, context: &mut Context<'_>) -> Dns {
    let (default, none) = (Dns::default(), SpecDns::default());
    let spec = spec.unwrap_or(&none);
    let mut stub_domains = std::collections::BTreeMap::new();
    for (domain, addresses) in spec.stub_domains.iter().flatten() {
        let path = path.key("stubDomains").key(domain);
        if let Some(name) = context.take(&path, words::dns_name(domain)) {
            stub_domains.insert(name, servers(addresses, &path, context));
        }
    }
    Dns {
        server: spec.server.unwrap_or(default.server),
        upstreams: servers(spec.upstreams.as_deref().unwrap_or_default(), &path.key("upstreams"), context),
        stub_domains,
        cache: context.parse(&path.key("cache"), spec.cache.as_ref(), default.cache, cache),
        replicas: replicas(spec, path, context),
        cache_at: if spec.node_local == Some(true) { CacheAt::Nodes } else { CacheAt::Servers },
    }
}

fn replicas(spec: &SpecDns, path: &Path, context: &mut Context<'_>) -> Replicas {
    let Some(scale) = &spec.autoscale else { return spec.replicas.map_or(Replicas::ByNodes, Replicas::Fixed) };
    if spec.replicas.is_some() {
        let fault = Fault::new("an autoscaler would change `replicas`", "leave one of the two out");
        context.key_fault(&path.key("autoscale"), fault);
    }
    let default = Autoscale::default();
    let (min, max) = (scale.min.unwrap_or(default.min), scale.max.unwrap_or(default.max));
    if min > max {
        let fault = Fault::new(format!("`min` ({min}) is more than `max` ({max})"), "write a larger `max`");
        context.key_fault(&path.key("autoscale"), fault);
    }
    Replicas::Autoscaled(Autoscale {
        cores_per_replica: scale.cores_per_replica.unwrap_or(default.cores_per_replica),
        nodes_per_replica: scale.nodes_per_replica.unwrap_or(default.nodes_per_replica),
        min,
        max,
    })
}

fn servers(texts: &[String], path: &Path, context: &mut Context<'_>) -> Vec<SocketAddr> {
    let server = |text: &str| match text.parse::<SocketAddr>() {
        Ok(address) => Ok(address),
        Err(_) => words::address(text).map(|address| SocketAddr::new(address, PORT)),
    };
    let texts = texts.iter().enumerate();
    texts.filter_map(|(index, text)| context.take(&path.index(index), server(text))).collect()
}

fn cache(text: &str) -> Result<Duration, Fault> {
    let duration = units::duration(text)?;
    if duration.is_zero() || duration > MOST || duration.subsec_nanos() > 0 {
        return Err(Fault::new(format!("{text:?} is no whole number of seconds up to 1h"), "write such as 30s"));
    }
    Ok(duration)
}
