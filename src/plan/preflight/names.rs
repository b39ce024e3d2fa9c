//! Checks of how hosts are called and whom they ask for names.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Found, Severity, Subject};
use crate::cluster::{DnsServer, HostName};
use crate::desired::COREDNS;

/// The resolver that libc has and pods inherit asks no more than three.
const MOST_SERVERS: usize = 3;

/// Whom pods ask, and CoreDNS where it asks for what is outside of the cluster.
pub(super) fn dns(subject: &Subject<'_>) -> Vec<Found> {
    let nodes = subject.hosts().filter(|(host, _)| host.roles.is_node());
    let found = nodes.filter_map(|(host, facts)| {
        let file = &facts.resolv_conf;
        let loopback = |server: &&String| {
            let address = server.split('%').next().unwrap_or(server);
            address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        let (message, hint, severity) = if facts.nameservers.is_empty() {
            let message = format!("{file} names no server: pods find no names outside of the cluster");
            (message, "name a server there, or see that nothing in the cluster needs one".to_owned(), Severity::Warning)
        } else if let Some(server) = facts.nameservers.iter().find(loopback) {
            let message = format!("{file} names {server}, which in a pod is the pod itself");
            let hint = "name the servers behind it there, or let systemd-resolved do it, whose own list is used then";
            (message, hint.to_owned(), Severity::Warning)
        } else if facts.nameservers.len() > MOST_SERVERS {
            let count = facts.nameservers.len();
            let message = format!("{file} names {count} servers; only the first {MOST_SERVERS} are asked");
            (message, "put those first that know every name, and remove the others".to_owned(), Severity::Note)
        } else {
            return None;
        };
        Some(Found { host: Some(host.name.clone()), message, hint, severity: Some(severity) })
    });
    found.collect()
}

/// The name of the cache's program, cut as the kernel does.
const CACHE: &str = "node-cache";

/// A node's own cache for the DNS listens at an address of its own, which another server may have taken with all others.
pub(super) fn dns_cache(subject: &Subject<'_>) -> Vec<Found> {
    let Some(address) = subject.cluster.network.dns.cache_at.address() else { return Vec::new() };
    subject.each(|host, facts| {
        // One that has ended meanwhile has no name.
        let others = |who: &&str| host.roles.is_node() && !who.is_empty() && *who != CACHE;
        let who = facts.name_server.as_deref().filter(others)?;
        let message = format!("port 53 of {address}, where the node's cache for the DNS answers, is taken by {who}");
        let hint = format!("let {who} listen at addresses of its own only, or remove `network.dns.nodeLocal`");
        Some((message, hint))
    })
}

/// Without it pods find neither each other by name nor the API.
pub(super) fn cluster_dns(subject: &Subject<'_>) -> Vec<Found> {
    let wanted = subject.cluster.network.dns.server == DnsServer::Coredns;
    if !wanted || subject.image.reference(COREDNS).is_some() {
        return Vec::new();
    }
    let message = format!("the cluster image {} has no CoreDNS: the cluster gets no DNS", subject.image.name);
    let hint = "take an image with the component coredns, or write `network: {dns: {server: none}}` and bring one";
    vec![Found { host: None, message, hint: hint.to_owned(), severity: None }]
}

/// Nodes are called as the inventory has it; but people and logs go by the host's own name.
pub(super) fn hostnames(subject: &Subject<'_>) -> Vec<Found> {
    let mut hosts: BTreeMap<&str, Vec<&HostName>> = BTreeMap::new();
    for (host, facts) in subject.hosts().filter(|(_, facts)| !facts.hostname.is_empty()) {
        hosts.entry(&facts.hostname).or_default().push(&host.name);
    }
    let same = hosts.into_iter().filter(|(_, hosts)| hosts.len() > 1).map(|(name, hosts)| {
        let hosts: Vec<&str> = hosts.into_iter().map(HostName::as_str).collect();
        let message = format!("{} call themselves {name}", hosts.join(", "));
        let hint = "run hostnamectl set-hostname on each, with its name in the inventory";
        Found { host: None, message, hint: hint.into(), severity: None }
    });
    same.collect()
}
