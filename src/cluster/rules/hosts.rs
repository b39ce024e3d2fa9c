//! Rules about hosts and roles.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Place, Violation};
use crate::cluster::{Host, Parts, Role};

pub(super) fn names_are_unique(parts: &Parts) -> Vec<Violation> {
    duplicates(
        parts,
        "name",
        |host| Some(host.name.to_string()),
        |_, name| (format!("two hosts are called {name}"), "give every host a name of its own".into()),
    )
}

/// Names that every host has for itself in its `/etc/hosts`.
const LOOPBACK: [&str; 4] = ["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"];

/// Whether every host takes `name` for itself.
pub(super) fn is_loopback(name: &str) -> bool {
    LOOPBACK.contains(&name) || name.ends_with(".localhost")
}

/// The names of hosts go into every `/etc/hosts` and into certificates.
pub(super) fn names_are_of_one_host(parts: &Parts) -> Vec<Violation> {
    let hosts = parts.hosts.iter().enumerate();
    let odd = hosts.filter_map(|(index, host)| {
        let name = host.name.as_str();
        let what = if is_loopback(name) {
            "is every host's name for itself"
        } else if name.parse::<IpAddr>().is_ok() {
            "is an address, not a name"
        } else {
            return None;
        };
        let hint = "give the host a name of its own, such as m1 or node-001";
        Some(Violation::new(Place::host(index, "name"), format!("{name} {what}"), hint))
    });
    odd.collect()
}

pub(super) fn addresses_are_unique(parts: &Parts) -> Vec<Violation> {
    duplicates(
        parts,
        "address",
        |host| Some(host.address.to_string()),
        |names, address| {
            (
                format!("{} and {} have the same address {address}", names.0, names.1),
                "give every host its own address".into(),
            )
        },
    )
}

/// Two names for one login are one machine, or a slip of the pen.
pub(super) fn logins_are_unique(parts: &Parts) -> Vec<Violation> {
    // Where the cluster's own address is dialled, equal addresses have been complained about.
    let login = |host: &Host| {
        let login = (&host.ssh.host, host.ssh.port, &host.ssh.jumps);
        (host.ssh.host != host.address.to_string()).then(|| format!("{login:?}"))
    };
    duplicates(parts, "ssh.host", login, |names, _| {
        (
            format!("{} and {} are the same SSH login", names.0, names.1),
            "give every host its own `ssh.host` or `ssh.port`".into(),
        )
    })
}

/// Points at every host whose `key` another host before it has, too.
fn duplicates(
    parts: &Parts,
    field: &'static str,
    key: impl Fn(&Host) -> Option<String>,
    words: impl Fn((&str, &str), &str) -> (String, String),
) -> Vec<Violation> {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut violations = Vec::new();
    for (index, host) in parts.hosts.iter().enumerate() {
        let Some(key) = key(host) else { continue };
        let before = first.get(&key).and_then(|before| parts.hosts.get(*before));
        if field != "name" && before.is_some_and(|before| before.name == host.name) {
            // One host written twice has been complained about.
            continue;
        }
        match first.get(&key) {
            None => {
                first.insert(key, index);
            }
            Some(&before) => {
                let names = (parts.hosts.get(before).map_or("", |host| host.name.as_str()), host.name.as_str());
                let (message, hint) = words(names, &key);
                violations
                    .push(Violation::new(Place::host(index, field), message, hint).with(Place::host(before, field)));
            }
        }
    }
    violations
}

pub(super) fn every_role_is_filled(parts: &Parts) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (role, why) in [
        (Role::ControlPlane, "somebody has to run the API servers: three hosts, or one for a test"),
        (Role::Etcd, "somebody has to keep the cluster's data: usually the control-plane hosts do"),
        (Role::Worker, "somebody has to run the pods: a control-plane host may have the role, too"),
    ] {
        if !parts.hosts.iter().any(|host| host.roles.contains(role)) {
            violations.push(Violation::new(Place::spec("hosts"), format!("no host has the role `{role}`"), why));
        }
    }
    violations
}

pub(super) fn etcd_can_have_a_majority(parts: &Parts) -> Vec<Violation> {
    let members = parts.hosts.iter().filter(|host| host.roles.contains(Role::Etcd)).count();
    let place = Place::spec("hosts");
    if members > 0 && members.is_multiple_of(2) {
        let message = format!("{members} hosts have the role `etcd`, an even number");
        let hint = format!("{} would survive the loss of as many: use 1, 3, 5 or 7 members", members - 1);
        return vec![Violation::new(place, message, hint)];
    }
    if members > 7 {
        let hint = "every write waits for a majority: use 1, 3, 5 or 7 members";
        return vec![Violation::new(place, format!("{members} hosts have the role `etcd`"), hint)];
    }
    Vec::new()
}
