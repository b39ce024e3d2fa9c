//! The rules that span several nouns. Each returns all of its violations; none stops at the first.

mod addons;
mod arguments;
mod bgp;
mod blocks;
mod calico;
mod disks;
mod distribution;
mod dns;
mod endpoint;
mod hosts;
mod labels;
mod networks;
mod ports;
mod proxy;
mod settings;
mod taints;
mod untracked;

pub use arguments::reserved_argument;
pub use labels::{kept_prefix, reserved_label};
pub use taints::is_of_controllers;

use super::Parts;

/// A broken rule, at a place of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where to point.
    pub place: Place,
    /// What else the rule looked at: the other of two that collide.
    pub related: Vec<Place>,
    /// What it looked at beside, and need not be shown: where that is wrong by itself, this may only follow from it.
    pub weighed: Vec<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// A field of a host or of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Index in [`Parts::hosts`] when one host is at fault.
    pub host: Option<usize>,
    /// Field below that host, or below `spec`: `address`, `network.podCidr`, `hosts`, ….
    pub field: &'static str,
    /// Key in that field, where it is a mapping with keys of the user's choice.
    pub key: Option<String>,
}

impl Place {
    /// A field of the cluster.
    fn spec(field: &'static str) -> Self {
        Self { host: None, field, key: None }
    }

    /// A field of a host.
    fn host(index: usize, field: &'static str) -> Self {
        Self { host: Some(index), field, key: None }
    }

    /// An entry of a field that is a mapping.
    fn with_key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }
}

impl Violation {
    fn new(place: Place, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { place, related: Vec::new(), weighed: Vec::new(), message: message.into(), hint: hint.into() }
    }

    fn with(mut self, related: Place) -> Self {
        self.related.push(related);
        self
    }

    /// One that asks all hosts: with one of them missing it would say something else.
    fn of_all_hosts(mut self) -> Self {
        self.weighed.push(Place::spec("hosts"));
        self
    }
}

pub(super) fn check(parts: &Parts) -> Vec<Violation> {
    let mut violations = Vec::new();
    for rule in [
        hosts::names_are_unique,
        hosts::names_are_of_one_host,
        hosts::addresses_are_unique,
        hosts::logins_are_unique,
        hosts::every_role_is_filled,
        hosts::etcd_can_have_a_majority,
        taints::taints_are_on_nodes,
        taints::no_taint_is_kubernetes_own,
        taints::pods_of_the_cluster_have_a_node,
        disks::every_disk_is_for_something_else,
        disks::no_device_is_named_twice,
        disks::the_roles_have_a_use_for_every_disk,
        disks::only_containerd_has_a_thin_pool,
        labels::no_label_is_reserved,
        networks::one_address_family,
        networks::networks_are_apart,
        blocks::no_address_is_kept_for_others,
        networks::services_fit,
        networks::a_cache_on_each_node_has_an_address,
        networks::every_node_gets_pod_addresses,
        untracked::nothing_that_is_translated_is_untracked,
        untracked::nobody_is_cut_off,
        dns::the_domain_is_nobody_elses,
        dns::domains_with_servers_of_their_own_are_others,
        dns::servers_can_be_asked,
        proxy::networks_of_kube_proxy_fit,
        calico::pools_fit,
        calico::the_overlay_can_carry_it,
        calico::packets_are_long_enough,
        calico::typhas_have_nodes_of_their_own,
        calico::nodes_find_addresses_of_their_family,
        bgp::every_node_has_a_way,
        bgp::numbers_are_free_to_use,
        bgp::peers_are_distinct,
        bgp::routes_lead_to_services,
        ports::metrics_have_a_port_of_their_own,
        endpoint::the_vip_is_free,
        endpoint::the_name_is_nobody_elses,
        endpoint::the_port_is_free,
        settings::elections_are_slower_than_heartbeats,
        settings::the_database_has_room,
        settings::certificates_end_before_their_ca,
        distribution::the_port_is_free,
        distribution::blobs_travel_at_all,
        distribution::a_registry_is_at_hand,
        arguments::no_argument_identifies_the_cluster,
        addons::names_are_unique_and_known,
        addons::nobody_waits_in_a_circle,
    ] {
        violations.extend(rule(parts));
    }
    violations
}

#[cfg(test)]
mod tests;
