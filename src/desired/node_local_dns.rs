//! A cache for the DNS on each node: pods ask it at an address of their own node, which costs no entry in connection
//! tracking. It is an add-on, so that it goes when nobody wants it any more.

use std::collections::BTreeSet;

use minijinja::context;

use super::addons::AddonObjects;
use super::dns::{stub_domains, upstreams};
use super::objects::manifest;
use super::render::render;
use super::{Context, Error, digest};
use crate::cluster::addons::NODE_LOCAL_DNS;

/// Name of the container image.
const IMAGE: &str = "k8s-dns-node-cache";
const REVERSE_ZONES: [&str; 2] = ["in-addr.arpa", "ip6.arpa"];

/// The add-on, where it is wanted. It listens at the address of the link alone: in IPVS mode the service's own address is
/// an address of the node already, and one way for all modes is enough.
pub(super) fn addon(context: &Context<'_>) -> Result<Option<AddonObjects>, Error> {
    let network = &context.cluster.network;
    let Some(address) = network.dns.cache_at.address() else { return Ok(None) };
    let corefile = render(
        "node-local-dns-config.j2",
        context! {
            address => address.to_string(),
            domain => network.domain.as_str(),
            cluster_dns => network.dns_service_address().map(|address| address.to_string()),
            reverse_zones => REVERSE_ZONES,
            stub_domains => stub_domains(&network.dns),
            upstreams => upstreams(&network.dns),
            cache => network.dns.cache.as_secs(),
        },
    )?;
    let objects = manifest(
        "node-local-dns.yaml.j2",
        context! {
            image => context.reference(IMAGE)?,
            address => address.to_string(),
            annotation => digest::ANNOTATION,
            digest => digest::of([("Corefile.base", corefile.as_str())]),
            corefile => corefile.as_str(),
        },
    )?;
    Ok(Some(AddonObjects {
        name: NODE_LOCAL_DNS.into(),
        namespace: "kube-system".into(),
        after: BTreeSet::new(),
        objects,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::CacheAt;
    use crate::desired::addons;
    use crate::desired::fixture::{Fixture, documents};
    use crate::desired::state::{Part, Resource};

    fn fixture() -> Fixture {
        let mut fixture = Fixture::new(36);
        fixture.add_images("node-local-dns", "1.26.4", &["registry.k8s.io/dns/k8s-dns-node-cache"]);
        fixture.change(|parts| {
            parts.network.dns.cache_at = CacheAt::Nodes;
            parts.network.dns.upstreams = vec!["10.0.0.2:53".parse().unwrap()];
            parts.network.dns.stub_domains.insert("corp.example".into(), vec!["10.9.0.1:53".parse().unwrap()]);
        });
        fixture
    }

    #[test]
    fn it_asks_the_service_for_the_cluster_and_the_upstreams_for_the_rest() {
        let fixture = fixture();
        let groups = addons(&fixture.context()).unwrap();
        assert_eq!((groups.len(), groups[0].len(), groups[0][0].name.as_str()), (1, 1, NODE_LOCAL_DNS));
        insta::assert_snapshot!("node-local-dns", documents(&groups[0][0].objects));
    }

    #[test]
    fn kubelets_name_the_cache_first_and_the_service_for_when_it_is_replaced() {
        let state = fixture().state("n1");
        let kubelet = state.part(Part::Kubelet).unwrap().resources.iter().find_map(|resource| match resource {
            Resource::File(file) if file.path.ends_with("config.yaml") => Some(file.content.clone()),
            _ => None,
        });
        assert!(kubelet.unwrap().contains("clusterDNS:\n  - \"169.254.20.10\"\n  - \"10.96.0.10\"\n"));
    }

    #[test]
    fn an_image_that_has_none_is_an_error() {
        let mut fixture = fixture();
        fixture.image.components.retain(|component| component.name != "node-local-dns");
        let error = addons(&fixture.context()).unwrap_err().to_string();
        assert!(error.contains("k8s-dns-node-cache"), "{error}");
    }
}
