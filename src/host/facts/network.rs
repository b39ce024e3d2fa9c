//! Interfaces and the resolver.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::super::machine::Machine;
use super::super::protocol::Failure;
use crate::cluster::{Facts, Interface, Route};

const INTERFACES: &str = "/sys/class/net";
/// The resolver file that systemd-resolved keeps beside its stub, with the real servers.
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";
const RESOLV_CONF: &str = "/etc/resolv.conf";

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    let mut addresses =
        machine.system.addresses().map_err(|error| Failure::new("listing the addresses of interfaces", error))?;
    for name in machine.names(INTERFACES)? {
        let directory = format!("{INTERFACES}/{name}");
        // /sys/class/net also has files (bonding_masters), and some attributes of a link that is down are errors.
        let Ok(Some(mtu)) = machine.text(&format!("{directory}/mtu")) else { continue };
        let interface = Interface {
            addresses: addresses.remove(&name).unwrap_or_default(),
            mtu: mtu.trim().parse().unwrap_or(0),
            mac: machine.text(&format!("{directory}/address"))?.unwrap_or_default().trim().to_owned(),
            physical: machine.exists(&format!("{directory}/device"))?,
        };
        facts.interfaces.insert(name, interface);
    }
    facts.routes = routes4(&machine.text("/proc/net/route")?.unwrap_or_default());
    facts.routes.extend(routes6(&machine.text("/proc/net/ipv6_route")?.unwrap_or_default()));
    let stub = machine.text(RESOLV_CONF)?.unwrap_or_default();
    let (resolver, text) = match machine.text(RESOLVED)? {
        Some(text) if is_stub(&stub) => (RESOLVED, text),
        _ => (RESOLV_CONF, stub),
    };
    resolver.clone_into(&mut facts.resolv_conf);
    facts.nameservers = servers(&text);
    Ok(())
}

/// /proc/net/route: interface, destination and, in the eighth column, mask, as the machine's own numbers.
fn routes4(text: &str) -> Vec<Route> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| Some(u32::from_str_radix(fields.get(index)?, 16).ok()?.to_be());
        let (address, mask) = (Ipv4Addr::from(number(1)?), Ipv4Addr::from(number(7)?));
        let destination = IpNet::with_netmask(address.into(), mask.into()).ok()?;
        Some(Route { destination, interface: (*fields.first()?).to_owned() })
    };
    text.lines().skip(1).filter_map(line).collect()
}

/// /proc/net/ipv6_route: destination, length of its prefix, and the interface in the last column.
fn routes6(text: &str) -> Vec<Route> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let address = Ipv6Addr::from(u128::from_str_radix(fields.first()?, 16).ok()?);
        let length = u8::from_str_radix(fields.get(1)?, 16).ok()?;
        let interface = (*fields.last()?).to_owned();
        let route = Route { destination: IpNet::new(address.into(), length).ok()?, interface };
        // Every interface has these, and loopback's are the host's own addresses.
        let usual = address.is_unicast_link_local() || address.is_multicast() || route.interface == "lo";
        (!usual).then_some(route)
    };
    text.lines().filter_map(line).collect()
}

/// Whether pods that inherit this file would ask themselves: systemd-resolved's stub listens on loopback.
fn is_stub(resolv_conf: &str) -> bool {
    let servers = servers(resolv_conf);
    !servers.is_empty() && servers.iter().all(|server| server.starts_with("127."))
}

/// Whom a resolver file tells to ask.
fn servers(resolv_conf: &str) -> Vec<String> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next().unwrap_or_default().to_owned())
    };
    resolv_conf.lines().filter_map(server).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_in_both_families() {
        let four = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0100630A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            eth0\t0000630A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let six = "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 \
            00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n\
            fe800000000000000000000000000000 40 00000000000000000000000000000000 00 \
            00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n\
            00000000000000000000000000000001 80 00000000000000000000000000000000 00 \
            00000000000000000000000000000000 00000000 00000004 00000000 80200001       lo\n";
        let routes = [routes4(four), routes6(six)].concat();
        let text: Vec<_> = routes.iter().map(|route| format!("{} {}", route.destination, route.interface)).collect();
        assert_eq!(text, ["0.0.0.0/0 eth0", "10.99.0.0/24 eth0", "fd00::/64 eth0"]);
    }

    #[test]
    fn a_stub_is_told_from_a_real_resolver() {
        for (text, stub) in [
            ("# stub\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch x\n", true),
            ("nameserver 10.0.0.2\n", false),
            ("nameserver 127.0.0.1\nnameserver 10.0.0.2\n", false),
            ("search example\n", false),
            ("", false),
        ] {
            assert_eq!(is_stub(text), stub, "{text}");
        }
    }
}
