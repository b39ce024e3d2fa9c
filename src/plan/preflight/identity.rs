//! Checks that hosts are the ones that are meant, each only once, and agree about the time.

use std::collections::BTreeMap;

use super::services::keeper;
use super::{Found, Subject};
use crate::cluster::{Facts, HostName};

pub(super) fn address(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|host, facts| {
        facts.interface_of(host.address).is_none().then(|| {
            let has: Vec<_> = facts.interfaces.values().flat_map(|interface| interface.addresses.clone()).collect();
            let message = format!("the host has no address {}; it has {}", host.address, has.join(", "));
            (message, "correct `address` in the inventory, or configure the address on the host".into())
        })
    })
}

pub(super) fn clones(subject: &Subject<'_>) -> Vec<Found> {
    let machine_id = |facts: &Facts| vec![facts.machine_id.clone()];
    let product = |facts: &Facts| vec![facts.product_uuid.clone()];
    let hardware = |facts: &Facts| {
        let physical = facts.interfaces.values().filter(|interface| interface.physical);
        physical.map(|interface| interface.mac.clone()).collect()
    };
    let clones = [
        same(
            subject,
            "machine id",
            machine_id,
            "remove /etc/machine-id on each clone, run systemd-machine-id-setup there and reboot",
        ),
        same(subject, "product UUID", product, "give each virtual machine a UUID of its own"),
        same(subject, "hardware address", hardware, "give each network interface an address of its own"),
    ];
    clones.into_iter().flatten().collect()
}

fn same(subject: &Subject<'_>, what: &str, of: impl Fn(&Facts) -> Vec<String>, hint: &str) -> Vec<Found> {
    let mut hosts: BTreeMap<String, Vec<&HostName>> = BTreeMap::new();
    for (host, facts) in subject.hosts() {
        for value in of(facts).into_iter().filter(|value| !value.is_empty() && !is_nothing(value)) {
            let having = hosts.entry(value).or_default();
            // Two ports of one bond have the same address.
            if having.last() != Some(&&host.name) {
                having.push(&host.name);
            }
        }
    }
    let clones = hosts.into_iter().filter(|(_, hosts)| hosts.len() > 1);
    let found = clones.map(|(value, hosts)| {
        let names: Vec<_> = hosts.iter().map(|host| host.as_str()).collect();
        let message = format!("{} have the same {what} {value}", names.join(", "));
        Found { host: None, message, hint: hint.to_owned(), severity: None }
    });
    found.collect()
}

/// What firmware says when nobody has filled it in.
fn is_nothing(value: &str) -> bool {
    value.chars().all(|c| matches!(c, '0' | '-' | ':')) || value.chars().all(|c| matches!(c, 'f' | 'F' | '-' | ':'))
}

/// Certificates and etcd's leases need clocks that agree.
const MOST_MILLISECONDS: i64 = 500;

pub(super) fn clock(subject: &Subject<'_>) -> Vec<Found> {
    if subject.measured.clocks.is_empty() {
        return Vec::new();
    }
    // Ours counts as one: of two hosts that disagree, it tells which is wrong.
    let mut clocks: Vec<i64> = subject.measured.clocks.values().copied().chain([0]).collect();
    clocks.sort_unstable();
    // Two clocks that disagree do not tell which is wrong.
    let (median, others) = match clocks[..] {
        [_, _] => (0, "this machine's"),
        _ => (clocks.get(clocks.len() / 2).copied().unwrap_or(0), "the others"),
    };
    subject.each(|host, facts| {
        let offset = subject.measured.clocks.get(&host.name)? - median;
        (offset.abs() > MOST_MILLISECONDS).then(|| {
            let way = if offset > 0 { "ahead of" } else { "behind" };
            let seconds = offset.unsigned_abs() as f64 / 1000.0;
            let hint = match keeper(facts) {
                Some(unit) => format!("{unit} runs there: look at whom it follows, and let it step the clock"),
                None => "nothing keeps the time there: install chrony".to_owned(),
            };
            (format!("the clock is {seconds:.1} s {way} {others}"), hint)
        })
    })
}
