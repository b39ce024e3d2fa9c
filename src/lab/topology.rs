//! The hosts of a lab: names, addresses, roles and places, worked out from the options alone.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{Memory, Options};
use crate::cluster::Role;

/// The bridge's address in every lab; labs do not meet, so all have the same network.
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The virtual address for clusters that want one.
pub(super) const VIRTUAL: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 10);
/// Length of the network's prefix.
pub(super) const PREFIX: u8 = 24;

/// A host of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabHost {
    /// `m1`, `e1`, `n1`, ….
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its roles in the inventory.
    pub roles: Vec<Role>,
    /// Its data centre: the lab's hosts alternate between two.
    pub idc: String,
    /// Its rack, one of three.
    pub rack: String,
    /// Its memory.
    pub memory: Memory,
}

impl LabHost {
    /// The roles as one word: `control-plane,etcd`.
    pub fn role(&self) -> String {
        self.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Its end of the cable, in the lab's namespace.
    pub(super) fn tap(&self) -> String {
        format!("tap-{}", self.name)
    }

    /// Its hardware address: locally administered, told from the others' by the last part of its address.
    pub(super) fn mac(&self) -> String {
        format!("02:6b:77:00:00:{:02x}", self.address.octets()[3])
    }
}

/// The hosts that the options ask for, control plane first.
pub(super) fn hosts(options: &Options) -> Vec<LabHost> {
    let mut hosts = Vec::new();
    let mut add = |letter: char, count: u8, first: u8, roles: &[Role], memory: Memory| {
        for number in 0..count {
            hosts.push(LabHost {
                name: format!("{letter}{}", number + 1),
                address: Ipv4Addr::new(10, 99, 0, first + number),
                roles: roles.to_vec(),
                idc: format!("bj{}", number % 2 + 1),
                rack: format!("r{}", number % 3 + 1),
                memory,
            });
        }
    };
    let masters: &[Role] = match options.dedicated_etcd {
        0 => &[Role::ControlPlane, Role::Etcd],
        _ => &[Role::ControlPlane],
    };
    add('m', options.masters, 11, masters, options.memory_master);
    add('e', options.dedicated_etcd, 31, &[Role::Etcd], options.memory_worker);
    add('n', options.workers, 51, &[Role::Worker], options.memory_worker);
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(options: &Options) -> String {
        let line = |h: &LabHost| {
            format!("{} {} {} {} {} {} {}", h.name, h.address, h.role(), h.idc, h.rack, h.memory, h.mac())
        };
        hosts(options).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn masters_hold_etcd_unless_it_has_hosts_of_its_own() {
        let options = Options::new("lab".parse().unwrap());
        insta::assert_snapshot!(table(&options), @"
        m1 10.99.0.11 control-plane,etcd bj1 r1 3G 02:6b:77:00:00:0b
        m2 10.99.0.12 control-plane,etcd bj2 r2 3G 02:6b:77:00:00:0c
        m3 10.99.0.13 control-plane,etcd bj1 r3 3G 02:6b:77:00:00:0d
        n1 10.99.0.51 worker bj1 r1 2G 02:6b:77:00:00:33
        n2 10.99.0.52 worker bj2 r2 2G 02:6b:77:00:00:34
        ");
        insta::assert_snapshot!(table(&Options { masters: 1, workers: 1, dedicated_etcd: 1, ..options }), @"
        m1 10.99.0.11 control-plane bj1 r1 3G 02:6b:77:00:00:0b
        e1 10.99.0.31 etcd bj1 r1 2G 02:6b:77:00:00:1f
        n1 10.99.0.51 worker bj1 r1 2G 02:6b:77:00:00:33
        ");
    }

    #[test]
    fn the_largest_lab_has_distinct_addresses_and_short_interface_names() {
        let options = Options { masters: 9, workers: 99, dedicated_etcd: 9, ..Options::new("lab".parse().unwrap()) };
        let all = hosts(&options);
        let addresses: std::collections::BTreeSet<_> = all.iter().map(|host| host.address).collect();
        assert_eq!(addresses.len(), 117);
        assert!(!addresses.contains(&GATEWAY) && !addresses.contains(&VIRTUAL));
        assert!(all.iter().all(|host| host.tap().len() <= 15));
    }
}
