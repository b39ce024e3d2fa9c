//! CoreDNS: the cluster's own DNS, from the cluster image.

use std::net::SocketAddr;

use minijinja::context;
use serde_json::Value;

use super::objects::manifest;
use super::render::render;
use super::{Context, Error, digest, labels};
use crate::cluster::{Dns, DnsServer};
use crate::versions::{coredns, groups, nodes as node_table};

/// Name of the component and of the container image.
pub const COREDNS: &str = "coredns";

/// The objects; none where the inventory wants no DNS, or the cluster image has none: a preflight check tells of that.
pub(super) fn objects(context: &Context<'_>) -> Result<Vec<Value>, Error> {
    let cluster = context.cluster;
    let dns = &cluster.network.dns;
    let Some(image) = context.image.reference(COREDNS).filter(|_| dns.server == DnsServer::Coredns) else {
        return Ok(Vec::new());
    };
    let version = context.component_version(COREDNS, "spec.network.dns")?;
    coredns::check(version, context.version())?;
    let corefile = render(
        "coredns-config.j2",
        context! {
            stub_domains => stub_domains(dns),
            upstreams => upstreams(dns),
            domain => cluster.network.domain.as_str(),
            cache => dns.cache.as_secs(),
            others_only => coredns::caches_others_only(version),
        },
    )?;
    let nodes = cluster.hosts.iter().filter(|host| host.roles.is_node()).count();
    manifest(
        "coredns.yaml.j2",
        context! {
            image,
            corefile => corefile.as_str(),
            annotation => digest::ANNOTATION,
            digest => digest::of([("Corefile", corefile.as_str())]),
            address => cluster.network.dns_service_address().map(|address| address.to_string()),
            replicas => dns.replicas(nodes),
            rack => labels::RACK,
            master_taints => node_table::control_plane_taints(context.version()).to_vec(),
            budget => groups::disruption_budget_api(context.version()),
        },
    )
}

/// Domains with name servers of their own, as a Corefile has them. Whoever pods ask first has to know all of them.
pub(super) fn stub_domains(dns: &Dns) -> Vec<(String, String)> {
    dns.stub_domains.iter().map(|(domain, list)| (domain.clone(), servers(list))).collect()
}

/// Who is asked for names outside of the cluster, as CoreDNS writes it.
pub(super) fn upstreams(dns: &Dns) -> String {
    if dns.upstreams.is_empty() { "/etc/resolv.conf".to_owned() } else { servers(&dns.upstreams) }
}

fn servers(servers: &[SocketAddr]) -> String {
    servers.iter().map(|server| plain(*server)).collect::<Vec<_>>().join(" ")
}

/// Without the port that goes without saying.
fn plain(server: SocketAddr) -> String {
    match server.port() {
        53 => server.ip().to_string(),
        _ => server.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::{Fixture, documents};
    use crate::versions::apis;

    fn with_dns(minor: u32, version: &str) -> Fixture {
        let mut fixture = Fixture::new(minor);
        fixture.add_images("coredns", version, &["registry.k8s.io/coredns/coredns"]);
        fixture
    }

    fn corefile(fixture: &Fixture) -> String {
        let objects = objects(&fixture.context()).unwrap();
        let map = objects.iter().find(|object| object["kind"] == "ConfigMap").unwrap();
        map["data"]["Corefile"].as_str().unwrap().to_owned()
    }

    #[test]
    fn names_go_to_whom_the_inventory_says() {
        let mut fixture = with_dns(36, "v1.14.2");
        fixture.change(|parts| {
            let dns = &mut parts.network.dns;
            dns.upstreams = vec!["10.0.0.2:53".parse().unwrap(), "10.0.0.3:5353".parse().unwrap()];
            dns.stub_domains.insert("corp.example".into(), vec!["10.9.0.1:53".parse().unwrap()]);
        });
        insta::assert_snapshot!(corefile(&fixture), @r"
        corp.example:53 {
            errors
            cache 30
            forward . 10.9.0.1
        }
        .:53 {
            errors
            health {
                lameduck 5s
            }
            ready
            kubernetes cluster.local in-addr.arpa ip6.arpa {
                pods insecure
                fallthrough in-addr.arpa ip6.arpa
                ttl 30
            }
            prometheus :9153
            forward . 10.0.0.2 10.0.0.3:5353 {
                max_concurrent 1000
            }
            cache 30 {
                disable success cluster.local
                disable denial cluster.local
            }
            loop
            reload
            loadbalance
        }
        ");
    }

    #[test]
    fn versions_that_do_not_know_exceptions_get_none() {
        assert!(corefile(&with_dns(20, "v1.7.0")).contains("\n    cache 30\n    loop\n"));
        assert!(corefile(&with_dns(32, "v1.11.3")).contains("disable success cluster.local"));
        let error = objects(&with_dns(20, "v1.9.3").context()).unwrap_err().to_string();
        assert!(error.contains("CoreDNS v1.9.3 reads discovery.k8s.io/v1"), "{error}");
    }

    #[test]
    fn without_an_image_or_a_wish_there_is_none() {
        assert!(objects(&Fixture::new(36).context()).unwrap().is_empty());
        let mut fixture = with_dns(36, "v1.14.2");
        fixture.change(|parts| parts.network.dns.server = DnsServer::None);
        assert!(objects(&fixture.context()).unwrap().is_empty());
    }

    #[test]
    fn every_object_is_of_an_api_that_is_served_and_says_who_made_it() {
        for (minor, version) in [(20, "v1.7.0"), (22, "v1.8.4"), (25, "v1.9.3"), (31, "v1.11.3"), (37, "v1.14.6")] {
            let fixture = with_dns(minor, version);
            let objects = objects(&fixture.context()).unwrap();
            insta::assert_snapshot!(format!("coredns-1.{minor}"), documents(&objects));
            assert_eq!(objects.len(), 7);
            for object in &objects {
                let (api, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
                assert!(apis::is_served(api, kind, fixture.image.kubernetes), "1.{minor}: {api} {kind}");
                assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/managed-by"], "kubewright", "{object}");
            }
        }
    }
}
