//! Rules about add-ons.

use std::collections::BTreeSet;

use super::{Place, Violation};
use crate::cluster::{CacheAt, Parts, Replicas, addons};

const ADDONS: &str = "addons";

pub(super) fn names_are_unique_and_known(parts: &Parts) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut names = BTreeSet::new();
    for addon in &parts.addons {
        if !names.insert(addon.name.as_str()) {
            let message = format!("two add-ons are called {}", addon.name);
            violations.push(Violation::new(Place::spec(ADDONS), message, "give every add-on a name of its own"));
        }
    }
    let dns = &parts.network.dns;
    for (own, brought, key) in [
        (addons::NODE_LOCAL_DNS, dns.cache_at == CacheAt::Nodes, "nodeLocal"),
        (addons::DNS_AUTOSCALER, matches!(dns.replicas, Replicas::Autoscaled(_)), "autoscale"),
    ] {
        if !brought || !names.contains(own) {
            continue;
        }
        let message = format!("{own} is what `network.dns.{key}` brings");
        violations.push(Violation::new(Place::spec(ADDONS), message, "give the add-on another name, or take one away"));
    }
    for addon in &parts.addons {
        for other in addon.after.iter().filter(|other| !names.contains(other.as_str())) {
            let message = format!("the add-on {} comes after {other}, and there is none", addon.name);
            let known = names.iter().copied().collect::<Vec<_>>().join(", ");
            violations.push(Violation::new(Place::spec(ADDONS), message, format!("the add-ons are {known}")));
        }
    }
    violations
}

pub(super) fn nobody_waits_in_a_circle(parts: &Parts) -> Vec<Violation> {
    let names: BTreeSet<&str> = parts.addons.iter().map(|addon| addon.name.as_str()).collect();
    if parts.addons.iter().any(|addon| addon.after.iter().any(|other| !names.contains(other.as_str()))) {
        return Vec::new();
    }
    let ordered: BTreeSet<&str> =
        addons::in_order(&parts.addons).into_iter().flatten().map(|addon| addon.name.as_str()).collect();
    let stuck: Vec<&str> = names.difference(&ordered).copied().collect();
    if stuck.is_empty() {
        return Vec::new();
    }
    let message = format!("the add-ons {} wait for each other", stuck.join(", "));
    vec![Violation::new(Place::spec(ADDONS), message, "take one of their `after` away")]
}
