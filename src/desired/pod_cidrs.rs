//! Each node's part of the pod network. What a host has stays; a new host gets the lowest subnet that is free.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Error;
use crate::cluster::{Cluster, Facts, HostName, NetworkPlugin};

/// The pod subnet of every node, when kubewright's own network plugin needs one.
///
/// New hosts are served in the order of their names, so that the result does not depend on the order of the inventory.
pub fn pod_cidrs(cluster: &Cluster, facts: &BTreeMap<HostName, Facts>) -> Result<BTreeMap<HostName, IpNet>, Error> {
    if cluster.network.plugin != NetworkPlugin::Bridge {
        return Ok(BTreeMap::new());
    }
    let mut names: Vec<_> = cluster.hosts.iter().filter(|host| host.roles.is_node()).map(|host| &host.name).collect();
    names.sort_unstable();
    let mut errors = Vec::new();
    let mut taken: BTreeMap<HostName, IpNet> = BTreeMap::new();
    let mut new = Vec::new();
    for name in names {
        match facts.get(name).map(|facts| facts.pod_cidr.as_deref()) {
            None => errors.push(Error::NoFacts(name.clone())),
            Some(None) => new.push(name),
            Some(Some(text)) => match existing(cluster, name, text, &taken) {
                Ok(subnet) => drop(taken.insert(name.clone(), subnet)),
                Err(error) => errors.push(error),
            },
        }
    }
    Error::collect(errors)?;
    assign(cluster.network.pod_cidr.trunc(), cluster.network.node_prefix, new, &mut taken)?;
    Ok(taken)
}

fn existing(cluster: &Cluster, name: &HostName, text: &str, taken: &BTreeMap<HostName, IpNet>) -> Result<IpNet, Error> {
    let host = || name.clone();
    let Ok(subnet) = text.parse::<IpNet>().map(|subnet| subnet.trunc()) else {
        return Err(Error::PodCidrText { host: host(), text: text.to_owned() });
    };
    let network = cluster.network.pod_cidr;
    if !network.contains(&subnet) {
        return Err(Error::PodCidrOutside { host: host(), subnet, network });
    }
    match taken.iter().find(|(_, other)| overlap(other, &subnet)) {
        Some((first, _)) => Err(Error::PodCidrTwice { first: first.clone(), second: host(), subnet }),
        None => Ok(subnet),
    }
}

fn assign(network: IpNet, prefix: u8, new: Vec<&HostName>, taken: &mut BTreeMap<HostName, IpNet>) -> Result<(), Error> {
    let held: Vec<IpNet> = taken.values().copied().collect();
    let mut free = subnets(network, prefix).filter(|subnet| !held.iter().any(|other| overlap(other, subnet)));
    let mut errors = Vec::new();
    for name in new {
        match free.next() {
            Some(subnet) => drop(taken.insert(name.clone(), subnet)),
            None => errors.push(Error::PodCidrsExhausted {
                host: name.clone(),
                network,
                prefix,
                room: room(network, prefix),
            }),
        }
    }
    Error::collect(errors)
}

/// Subnets of `prefix` in `network`, lowest first; none when `prefix` does not fit it.
fn subnets(network: IpNet, prefix: u8) -> Box<dyn Iterator<Item = IpNet>> {
    match network.subnets(prefix) {
        Ok(subnets) => Box::new(subnets),
        Err(_) => Box::new(std::iter::empty()),
    }
}

fn room(network: IpNet, prefix: u8) -> u128 {
    match prefix.checked_sub(network.prefix_len()) {
        Some(bits) if prefix <= network.max_prefix_len() => 1u128.checked_shl(bits.into()).unwrap_or(u128::MAX),
        _ => 0,
    }
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::desired::fixture::{self, Fixture};

    /// Three masters and these workers, in this order.
    fn cluster(names: &[String]) -> Cluster {
        let mut parts = fixture::parts();
        parts.hosts.truncate(3);
        parts.hosts[0].roles = crate::cluster::Role::ALL.into_iter().collect();
        parts.hosts.extend(names.iter().enumerate().map(|(index, name)| fixture::worker(name, index)));
        Cluster::new(parts).unwrap()
    }

    fn blank(cluster: &Cluster) -> BTreeMap<HostName, Facts> {
        cluster.hosts.iter().map(|host| (host.name.clone(), Facts::default())).collect()
    }

    fn with(cluster: &Cluster, known: &BTreeMap<HostName, IpNet>) -> BTreeMap<HostName, Facts> {
        let fact = |name| Facts { pod_cidr: known.get(name).map(ToString::to_string), ..Facts::default() };
        cluster.hosts.iter().map(|host| (host.name.clone(), fact(&host.name))).collect()
    }

    proptest! {
        #[test]
        fn subnets_are_distinct_inside_and_stable(
            names in proptest::collection::btree_set("w[a-z]{1,4}[0-9]{1,2}", 1..24),
            seed in any::<u64>(),
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let first = cluster(&names);
            let chosen = pod_cidrs(&first, &blank(&first)).unwrap();
            prop_assert_eq!(chosen.len(), names.len() + 3);
            for (name, subnet) in &chosen {
                prop_assert!(first.network.pod_cidr.contains(subnet));
                prop_assert!(chosen.iter().all(|(other, net)| other == name || !overlap(net, subnet)));
            }

            // Reordered: the same, before and after the hosts have them.
            let mut shuffled = names.clone();
            shuffled.sort_by_key(|name| digest(name, seed));
            let reordered = cluster(&shuffled);
            prop_assert_eq!(&pod_cidrs(&reordered, &blank(&reordered)).unwrap(), &chosen);
            prop_assert_eq!(&pod_cidrs(&reordered, &with(&reordered, &chosen)).unwrap(), &chosen);

            // Some removed: the others keep theirs.
            let kept: Vec<String> = names.iter().filter(|name| !digest(name, seed).is_multiple_of(3)).cloned().collect();
            let smaller = cluster(&kept);
            let after = pod_cidrs(&smaller, &with(&smaller, &chosen)).unwrap();
            prop_assert!(after.iter().all(|(name, subnet)| chosen[name] == *subnet));

            // One inserted at the front: the others keep theirs, and it gets the lowest that is free.
            let mut larger = kept;
            larger.insert(0, "0".to_owned());
            let larger = cluster(&larger);
            let inserted = pod_cidrs(&larger, &with(&larger, &after)).unwrap();
            prop_assert!(after.iter().all(|(name, subnet)| inserted[name] == *subnet));
            let fresh = inserted[&HostName::parse("0").unwrap()];
            let lowest = subnets(larger.network.pod_cidr, 24).find(|net| !after.values().any(|other| overlap(other, net)));
            prop_assert_eq!(Some(fresh), lowest);
        }
    }

    fn digest(name: &str, seed: u64) -> u64 {
        name.bytes()
            .fold(seed | 1, |sum, byte| sum.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(byte.into()) >> 1)
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
        let cluster = cluster(&names);
        let mut facts = blank(&cluster);
        for (name, text) in [("a", "10.244.1.0/24"), ("b", "10.244.1.128/25"), ("c", "10.9.0.0/24"), ("d", "nonsense")]
        {
            facts.get_mut(&HostName::parse(name).unwrap()).unwrap().pod_cidr = Some(text.to_owned());
        }
        facts.remove(&HostName::parse("e").unwrap());
        let message = pod_cidrs(&cluster, &facts).unwrap_err().to_string();
        for part in [
            "a and b both have the pod subnet 10.244.1.128/25",
            "c has the pod subnet 10.9.0.0/24, outside of the pod network 10.244.0.0/16",
            "d: the pod subnet \"nonsense\"",
            "the facts of e are not known",
        ] {
            assert!(message.contains(part), "{part} in:\n{message}");
        }
    }

    #[test]
    fn a_full_network_is_an_error() {
        let names = ["a", "b", "c"].map(|name| HostName::parse(name).unwrap());
        let mut taken = BTreeMap::new();
        let error = assign("10.244.0.0/23".parse().unwrap(), 24, names.iter().collect(), &mut taken).unwrap_err();
        assert_eq!(taken.len(), 2);
        let message = error.to_string();
        assert!(
            message.contains("no pod subnet is left for c: 10.244.0.0/23 has room for 2 subnets of /24"),
            "{message}"
        );
        assert_eq!(room("10.0.0.0/16".parse().unwrap(), 8), 0);
        assert_eq!(room("fd00::/48".parse().unwrap(), 64), 65536);
    }

    #[test]
    fn another_plugin_and_hosts_that_are_no_nodes_get_none() {
        let mut parts = fixture::parts();
        parts.network.plugin = NetworkPlugin::None;
        let cluster = Cluster::new(parts).unwrap();
        assert!(pod_cidrs(&cluster, &blank(&cluster)).unwrap().is_empty());
        let fixture = Fixture::with_etcd_host(36);
        assert!(!fixture.pod_cidrs.contains_key(&HostName::parse("e1").unwrap()));
        assert!(fixture.pod_cidrs.contains_key(&HostName::parse("m1").unwrap()));
    }
}
