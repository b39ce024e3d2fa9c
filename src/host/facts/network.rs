//! Interfaces and the resolver.

use super::super::machine::Machine;
use super::super::protocol::Failure;
use crate::cluster::{Facts, Interface};

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
    let stub = is_stub(&machine.text(RESOLV_CONF)?.unwrap_or_default());
    let resolver = if stub && machine.exists(RESOLVED)? { RESOLVED } else { RESOLV_CONF };
    resolver.clone_into(&mut facts.resolv_conf);
    Ok(())
}

/// Whether pods that inherit this file would ask themselves: systemd-resolved's stub listens on loopback.
fn is_stub(resolv_conf: &str) -> bool {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next().unwrap_or_default().to_owned())
    };
    let servers: Vec<String> = resolv_conf.lines().filter_map(server).collect();
    !servers.is_empty() && servers.iter().all(|server| server.starts_with("127."))
}

#[cfg(test)]
mod tests {
    use super::*;

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
