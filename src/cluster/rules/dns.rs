//! Rules about the cluster's DNS: whose names it answers for, and whom it asks for others.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::networks::family;
use super::{Place, Violation};
use crate::cluster::Parts;

const DOMAIN: &str = "network.domain";
const UPSTREAMS: &str = "network.dns.upstreams";
const STUB_DOMAINS: &str = "network.dns.stubDomains";

/// `SERVICE.NAMESPACE.svc.` with the longest names; DNS allows 253 characters.
const LONGEST_DOMAIN: usize = 253 - (63 + 1 + 63 + 1 + 3 + 1);

/// Domains with a meaning of their own, as has everything in them.
const TREES: [(&str, &str); 4] = [
    ("arpa", "has the names of addresses"),
    ("localhost", "is every host's own"),
    ("invalid", "never exists"),
    ("onion", "is asked of no DNS"),
];

/// Domains that are everybody's, so that a cluster can have one in them, and not all.
const SHARED: [(&str, &str); 6] = [
    ("local", "is that of names in the local network (mDNS)"),
    ("localdomain", "is what hosts take for their own"),
    ("internal", "is that of all internal names"),
    ("com", "has others in it"),
    ("net", "has others in it"),
    ("org", "has others in it"),
];

/// CoreDNS forwards to no more.
const MOST_SERVERS: usize = 15;

/// Names that CoreDNS answers itself, beside those in the cluster's domain.
const REVERSE: [&str; 2] = ["in-addr.arpa", "ip6.arpa"];

/// Whether `name` is `domain` or lies in it.
fn is_in(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

pub(super) fn the_domain_is_nobody_elses(parts: &Parts) -> Vec<Violation> {
    let domain = parts.network.domain.as_str();
    let tree = TREES.iter().find(|(tree, _)| is_in(domain, tree));
    let message = if let Some((tree, why)) = tree.or_else(|| SHARED.iter().find(|(shared, _)| *shared == domain)) {
        format!("the domain {domain} cannot be the cluster's: {tree} {why}")
    } else if domain.len() > LONGEST_DOMAIN {
        format!(
            "the domain has {} characters; with more than {LONGEST_DOMAIN} the names of Services can be longer than DNS allows",
            domain.len()
        )
    } else {
        return Vec::new();
    };
    vec![Violation::new(Place::spec(DOMAIN), message, "write one that only this cluster has, such as cluster.local")]
}

pub(super) fn domains_with_servers_of_their_own_are_others(parts: &Parts) -> Vec<Violation> {
    let own = parts.network.domain.as_str();
    let mut violations = Vec::new();
    for stub in parts.network.dns.stub_domains.keys() {
        let place = || Place::spec(STUB_DOMAINS).with_key(stub.as_str());
        if is_in(stub, own) || is_in(own, stub) {
            let message = format!("names in {stub} would be asked of others, and those in {own} are the cluster's own");
            let hint = "name a domain outside of the cluster's, and not one around it";
            violations.push(Violation::new(place(), message, hint).with(Place::spec(DOMAIN)));
        } else if let Some(zone) = REVERSE.iter().find(|zone| is_in(zone, stub)) {
            let message = format!("names in {zone} are those of addresses, which the cluster's DNS answers itself");
            let hint = "name the zone of your addresses alone, such as 16.172.in-addr.arpa";
            violations.push(Violation::new(place(), message, hint));
        }
    }
    violations
}

pub(super) fn servers_can_be_asked(parts: &Parts) -> Vec<Violation> {
    let dns = &parts.network.dns;
    let mut violations = list(parts, &dns.upstreams, &Place::spec(UPSTREAMS));
    for (domain, servers) in &dns.stub_domains {
        let place = Place::spec(STUB_DOMAINS).with_key(domain.as_str());
        violations.extend(list(parts, servers, &place));
        if servers.is_empty() {
            let hint = "write a list of addresses, or remove the domain";
            violations.push(Violation::new(place, format!("nobody is named to ask for names in {domain}"), hint));
        }
    }
    violations
}

fn list(parts: &Parts, servers: &[SocketAddr], place: &Place) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut violation = |message: String, hint: &str| {
        violations.push(Violation::new(place.clone(), message, hint));
    };
    let mut seen = BTreeSet::new();
    for server in servers {
        if let Some(why) = why_not(parts, server.ip()) {
            violation(format!("the cluster's DNS cannot ask {server}: {why}"), "name a server outside of the cluster");
        } else if !seen.insert(server) {
            violation(format!("the server {server} stands twice"), "remove one of the two");
        }
    }
    if servers.len() > MOST_SERVERS {
        violation(format!("there are {} servers; CoreDNS takes {MOST_SERVERS}", servers.len()), "name fewer");
    }
    violations
}

fn why_not(parts: &Parts, server: IpAddr) -> Option<String> {
    let network = &parts.network;
    let (wanted, own) = (network.pod_cidr.addr().is_ipv4(), server.is_ipv4());
    let is_link = matches!(server, IpAddr::V6(v6) if v6.is_unicast_link_local());
    if own != wanted {
        Some(format!("it is {}, and pods have {} addresses only", family(own), family(wanted)))
    } else if server.is_loopback() {
        Some("in a pod that is the pod itself".to_owned())
    } else if server.is_unspecified() || server.is_multicast() || is_link {
        Some("it is no address of a host that pods could reach".to_owned())
    } else if network.name_servers().contains(&server) {
        Some("that is the cluster's DNS itself, which would ask in a circle".to_owned())
    } else {
        None
    }
}
