//! The cluster's DNS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::cluster::{Autoscale, CacheAt, Dns, Replicas};
use crate::inventory::problems::Fault;
use crate::inventory::spec::SpecDns;
use crate::inventory::tree::Path;
use crate::inventory::units;

use super::{Context, words};

const PORT: u16 = 53;
const HINT: &str = "write ADDRESS or ADDRESS:PORT, such as 10.0.0.2:5353";
/// CoreDNS takes no longer one.
const MOST: Duration = Duration::from_secs(3600);

/// Converts the section `network.dns`.
pub(super) fn convert(spec: Option<&SpecDns>, path: &Path, context: &mut Context<'_>) -> Dns {
    let (default, none) = (Dns::default(), SpecDns::default());
    let spec = spec.unwrap_or(&none);
    let mut stub_domains = std::collections::BTreeMap::new();
    for (domain, addresses) in spec.stub_domains.iter().flatten() {
        let path = path.key("stubDomains").key(domain);
        match words::domain(domain) {
            Ok(name) => drop(stub_domains.insert(name, servers(addresses, &path, context))),
            Err(fault) => context.key_fault(&path, fault),
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
    let texts = texts.iter().enumerate();
    texts.filter_map(|(index, text)| context.take(&path.index(index), server(text))).collect()
}

/// `ADDRESS` or `ADDRESS:PORT`, and nothing that a Corefile could take for something else.
fn server(text: &str) -> Result<SocketAddr, Fault> {
    let Ok(server) = text.parse::<SocketAddr>() else {
        // An address that something comes after: the port is what is wrong.
        return match text.rsplit_once(':') {
            Some((before, _)) if before.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() && !is_address(text) => {
                Err(Fault::new(format!("the port of {text:?} is not a number from 1 to 65535"), HINT))
            }
            _ => words::address(text).map(|address| SocketAddr::new(address, PORT)),
        };
    };
    if server.port() == 0 {
        return Err(Fault::new(format!("the port of {text:?} is not a number from 1 to 65535"), HINT));
    }
    if matches!(server, SocketAddr::V6(v6) if v6.scope_id() != 0) {
        return Err(Fault::new(format!("{text:?} names a link, and pods are on none of the host's"), HINT));
    }
    words::reachable(server.ip()).map(|_| server)
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn cache(text: &str) -> Result<Duration, Fault> {
    let duration = units::duration(text)?;
    if duration.is_zero() || duration > MOST || duration.subsec_nanos() > 0 {
        return Err(Fault::new(format!("{text:?} is no whole number of seconds up to 1h"), "write such as 30s"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_addresses_with_or_without_a_port() {
        for (text, meant) in [
            ("10.0.0.2", "10.0.0.2:53"),
            ("10.0.0.2:5353", "10.0.0.2:5353"),
            ("fd00::2", "[fd00::2]:53"),
            ("[fd00::2]:5353", "[fd00::2]:5353"),
        ] {
            assert_eq!(server(text).unwrap().to_string(), meant);
        }
        for bad in [
            "",
            "dns.example",
            "127.0.0.1",
            "127.0.0.1:5353",
            "[::1]:53",
            "0.0.0.0:53",
            "10.0.0.2:0",
            "10.0.0.2:70000",
            "10.0.0.2:dns",
            "10.0.0.2 10.0.0.3",
            "10.0.0.2 {",
            "10.0.0.2\n}",
            "10.0.0.2#",
            "tls://10.0.0.2",
            "/etc/resolv.conf",
            "[fe80::1%1]:53",
        ] {
            assert!(server(bad).is_err(), "{bad:?}");
        }
        assert!(server("10.0.0.2:70000").unwrap_err().message.contains("the port"));
    }
}
