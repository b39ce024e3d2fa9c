//! The member of the external etcd.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use minijinja::context;

use super::Error;
use super::context::HostContext;
use super::file::{file, running, unit_file};
use super::render::render;
use super::state::{Directory, Owner, Resource};
use crate::cluster::{Cluster, Host, Role};
use crate::versions::etcd;

/// The user that it runs as.
pub(super) const USER: &str = "etcd";
/// Its data.
pub(super) const DATA: &str = "/var/lib/etcd";
/// Its unit.
pub(super) const UNIT: &str = "etcd.service";

/// Is there once the member has been part of its cluster; the data are gone where they are not there then.
pub const JOINED: &str = "/etc/etcd/joined";

const SETTINGS: &str = "/etc/etcd/etcd.env";
/// What a member without data needs to know to find the others.
pub const BOOTSTRAP: &str = "/etc/etcd/bootstrap.env";
const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;
const METRICS_URL: &str = "http://127.0.0.1:2381";

pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    if !host.is(Role::Etcd) {
        return Ok(None);
    }
    let version = host.component_version("etcd")?;
    etcd::check(version)?;
    let mut settings = settings(host);
    settings.extend(etcd::settings(version).map(|(flag, value)| (flag, value.to_owned())));

    let owner = Owner { user: USER.to_owned(), group: USER.to_owned() };
    let mut resources = vec![
        Resource::Directory(Directory { path: DATA.to_owned(), mode: 0o700, owner }),
        file(SETTINGS, 0o644, environment("etcd.env.j2", &settings)?, &[UNIT]),
    ];
    // A member with data never looks at these again. Leaving them alone from then on keeps a run without changes a run
    // without changes: what is right for a member that joins is wrong once it is in.
    let joins = joins(host);
    if !host.facts.has_etcd_data && !joins {
        resources.push(file(BOOTSTRAP, 0o644, environment("etcd-bootstrap.env.j2", &bootstrap(host))?, &[UNIT]));
    }
    let unit = context! {
        program => format!("{}/etcd", host.programs("etcd")?),
        user => USER,
        data => DATA,
        settings => SETTINGS,
        bootstrap => BOOTSTRAP,
        joined => JOINED,
    };
    resources.push(unit_file(UNIT, render("etcd.service.j2", unit)?));
    // One that joins others is started by whoever has told them of it.
    if !joins {
        resources.push(running(UNIT));
    }
    Ok(Some(resources))
}

/// Whether the host's member has to be let in by others: it has no data, and they have been one cluster before.
fn joins(host: &HostContext<'_>) -> bool {
    let formed = host.context.facts.values().any(|facts| facts.etcd_joined);
    !host.facts.has_etcd_data && formed
}

/// URL by which clients reach the member on `host`.
pub(super) fn client_url(host: &Host) -> String {
    url(host, CLIENT_PORT)
}

/// URL by which the other members reach the one on `host`.
pub fn peer_url(host: &Host) -> String {
    url(host, PEER_PORT)
}

/// All members by name and peer URL, as a new cluster of them begins.
pub fn initial_cluster(cluster: &Cluster) -> String {
    let members = cluster.with_role(Role::Etcd);
    members.map(|member| format!("{}={}", member.name, peer_url(member))).collect::<Vec<_>>().join(",")
}

/// URLs of all members, for clients.
pub(super) fn client_urls(cluster: &Cluster) -> String {
    cluster.with_role(Role::Etcd).map(client_url).collect::<Vec<_>>().join(",")
}

fn url(host: &Host, port: u16) -> String {
    format!("https://{}", SocketAddr::new(host.address, port))
}

fn settings(host: &HostContext<'_>) -> BTreeMap<&'static str, String> {
    let etcd = &host.cluster().etcd;
    let (client, peer) = (client_url(host.host), peer_url(host.host));
    let pki = |file: &str| format!("/etc/etcd/pki/{file}");
    [
        ("name", host.host.name.to_string()),
        ("data-dir", DATA.to_owned()),
        ("listen-peer-urls", peer.clone()),
        ("initial-advertise-peer-urls", peer),
        ("listen-client-urls", format!("{client},https://127.0.0.1:{CLIENT_PORT}")),
        ("advertise-client-urls", client),
        ("listen-metrics-urls", METRICS_URL.to_owned()),
        ("client-cert-auth", "true".to_owned()),
        ("trusted-ca-file", pki("ca.crt")),
        ("cert-file", pki("server.crt")),
        ("key-file", pki("server.key")),
        ("peer-client-cert-auth", "true".to_owned()),
        ("peer-trusted-ca-file", pki("ca.crt")),
        ("peer-cert-file", pki("peer.crt")),
        ("peer-key-file", pki("peer.key")),
        ("heartbeat-interval", etcd.heartbeat.as_millis().to_string()),
        ("election-timeout", etcd.election.as_millis().to_string()),
        ("quota-backend-bytes", etcd.quota_bytes.to_string()),
        ("max-request-bytes", "1572864".to_owned()),
        ("snapshot-count", "10000".to_owned()),
        // The API servers compact every five minutes; this is for the time when none of them does.
        ("auto-compaction-mode", "periodic".to_owned()),
        ("auto-compaction-retention", "8h".to_owned()),
    ]
    .into()
}

/// What a member without data needs to know to find the others.
fn bootstrap(host: &HostContext<'_>) -> BTreeMap<&'static str, String> {
    let cluster = host.cluster();
    let members = || cluster.with_role(Role::Etcd);
    let has_data = |member: &Host| host.context.facts.get(&member.name).is_some_and(|facts| facts.has_etcd_data);
    let state = if members().any(has_data) { "existing" } else { "new" };
    [
        ("initial-cluster", initial_cluster(cluster)),
        ("initial-cluster-state", state.to_owned()),
        // So that members of two clusters that meet by mistake do not mix.
        ("initial-cluster-token", cluster.name.to_string()),
    ]
    .into()
}

/// etcd takes every flag from a variable, too; a unit without flags is the same for all members.
fn environment(template: &str, flags: &BTreeMap<&'static str, String>) -> Result<String, Error> {
    let name = |flag: &str| format!("ETCD_{}", flag.to_ascii_uppercase().replace('-', "_"));
    let variables: Vec<_> = flags.iter().map(|(flag, value)| context! { name => name(flag), value }).collect();
    Ok(render(template, context! { variables })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::Fixture;
    use crate::desired::state::Part;

    fn bootstrap_file(fixture: &Fixture, host: &str) -> Option<String> {
        let state = fixture.state(host);
        state.part(Part::Etcd).unwrap().resources.iter().find_map(|resource| match resource {
            Resource::File(file) if file.path == BOOTSTRAP => Some(file.content.clone()),
            _ => None,
        })
    }

    #[test]
    fn a_member_is_new_until_any_member_has_data() {
        let mut fixture = Fixture::new(36);
        let content = bootstrap_file(&fixture, "m1").unwrap();
        assert!(content.contains("ETCD_INITIAL_CLUSTER_STATE=new\n"), "{content}");
        fixture.facts_of("m2").has_etcd_data = true;
        let content = bootstrap_file(&fixture, "m1").unwrap();
        assert!(content.contains("ETCD_INITIAL_CLUSTER_STATE=existing\n"), "{content}");
        assert_eq!(bootstrap_file(&fixture, "m2"), None, "a member with data is left alone");
    }

    #[test]
    fn only_etcd_hosts_have_a_member() {
        let fixture = Fixture::with_etcd_host(36);
        assert!(fixture.state("e1").part(Part::Etcd).is_some());
        assert!(fixture.state("n1").part(Part::Etcd).is_none());
        assert!(fixture.state("e1").part(Part::Kubelet).is_none());
    }

    #[test]
    fn addresses_of_version_6_stand_in_brackets() {
        let mut host = crate::desired::fixture::worker("a", 0);
        host.address = "fd00::1".parse().unwrap();
        assert_eq!(client_url(&host), "https://[fd00::1]:2379");
    }
}
