//! The lab's cables: a bridge and a tap per host, in a network namespace that leads nowhere else.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use super::namespace::Namespace;
use super::topology::{GATEWAY, LabHost, PREFIX};
use super::{LabError, command};

const BRIDGE: &str = "lab0";
/// Where the cables of cut hosts end: a bridge without an address, whose ports do not see each other. A tap in no bridge
/// would still hand what comes out of it to the namespace.
const NOWHERE: &str = "lab-cut";

/// A line of `ip -json link`.
#[derive(Debug, Deserialize)]
struct Link {
    ifname: String,
    master: Option<String>,
}

/// The links of the namespace, each with the bridge it is plugged into.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Links(BTreeMap<String, Option<String>>);

impl Links {
    /// Reads the links of `namespace`.
    pub(super) fn read(namespace: &Namespace) -> Result<Self, LabError> {
        Self::parse(&command::run(command::new("ip").args(["-n", namespace.name(), "-json", "link", "show"]), "")?)
    }

    fn parse(json: &str) -> Result<Self, LabError> {
        let links: Vec<Link> = serde_json::from_str(json).map_err(|error| LabError::Machine {
            what: format!("`ip -json link show` printed something else: {error}"),
            hint: "iproute2 4.17 or newer is needed".into(),
        })?;
        Ok(Self(links.into_iter().map(|link| (link.ifname, link.master)).collect()))
    }

    /// Whether the host is plugged in.
    pub(super) fn is_connected(&self, host: &LabHost) -> bool {
        self.0.get(&host.tap()).is_some_and(|master| master.as_deref() == Some(BRIDGE))
    }

    /// The commands that bring everything which is not there, one per line.
    fn missing(&self, hosts: &[LabHost]) -> String {
        let mut commands = String::from("link set lo up\n");
        for bridge in [BRIDGE, NOWHERE].iter().filter(|bridge| !self.0.contains_key(**bridge)) {
            let _ = writeln!(commands, "link add {bridge} type bridge stp_state 0 forward_delay 0");
        }
        let _ = writeln!(commands, "addr replace {GATEWAY}/{PREFIX} dev {BRIDGE}");
        let _ = writeln!(commands, "link set {BRIDGE} up\nlink set {NOWHERE} up");
        for host in hosts {
            let tap = host.tap();
            if !self.0.contains_key(&tap) {
                let _ = writeln!(commands, "tuntap add dev {tap} mode tap");
            }
            let _ = writeln!(commands, "link set {tap} master {BRIDGE} up");
        }
        commands
    }
}

/// Makes the namespace and everything in it, as far as it is not there.
pub(super) fn ensure(namespace: &Namespace, hosts: &[LabHost]) -> Result<(), LabError> {
    if !namespace.exists() {
        command::run(command::new("ip").args(["netns", "add", namespace.name()]), "")?;
    }
    let commands = Links::read(namespace)?.missing(hosts);
    command::run(command::new("ip").args(["-n", namespace.name(), "-batch", "-"]), &commands)?;
    // With forwarding and no way out, whoever calls the world is told at once that it is unreachable; without, he waits.
    let forward = "/proc/sys/net/ipv4/ip_forward";
    namespace.run(|| std::fs::write(forward, "1"))?.map_err(LabError::file("write", forward))
}

/// Removes the namespace with everything in it.
pub(super) fn remove(namespace: &Namespace) -> Result<(), LabError> {
    if namespace.exists() {
        command::run(command::new("ip").args(["netns", "delete", namespace.name()]), "")?;
    }
    Ok(())
}

/// Pulls the host's cable out of the bridge. The tap itself stays up: this kernel's driver does not survive that it
/// goes down (it spins, and stays deaf when the tap is back).
pub(super) fn cut(namespace: &Namespace, host: &LabHost) -> Result<(), LabError> {
    let tap = host.tap();
    let commands = format!("link set {tap} master {NOWHERE}\nlink set {tap} type bridge_slave isolated on\n");
    command::run(command::new("ip").args(["-n", namespace.name(), "-batch", "-"]), &commands).map(drop)
}

/// Plugs it in again.
pub(super) fn heal(namespace: &Namespace, host: &LabHost) -> Result<(), LabError> {
    let arguments = ["-n", namespace.name(), "link", "set", &host.tap(), "master", BRIDGE];
    command::run(command::new("ip").args(arguments), "").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Options, topology};

    fn hosts() -> Vec<LabHost> {
        topology::hosts(&Options { masters: 1, workers: 1, ..Options::new("lab".parse().unwrap()) })
    }

    #[test]
    fn what_is_missing_is_made_and_what_is_there_is_kept() {
        insta::assert_snapshot!(Links::default().missing(&hosts()), @"
        link set lo up
        link add lab0 type bridge stp_state 0 forward_delay 0
        link add lab-cut type bridge stp_state 0 forward_delay 0
        addr replace 10.99.0.1/24 dev lab0
        link set lab0 up
        link set lab-cut up
        tuntap add dev tap-m1 mode tap
        link set tap-m1 master lab0 up
        tuntap add dev tap-n1 mode tap
        link set tap-n1 master lab0 up
        ");
        let links = Links::parse(r#"[{"ifname":"lo"},{"ifname":"lab0"},{"ifname":"tap-m1","master":"lab0"}]"#).unwrap();
        insta::assert_snapshot!(links.missing(&hosts()), @"
        link set lo up
        link add lab-cut type bridge stp_state 0 forward_delay 0
        addr replace 10.99.0.1/24 dev lab0
        link set lab0 up
        link set lab-cut up
        link set tap-m1 master lab0 up
        tuntap add dev tap-n1 mode tap
        link set tap-n1 master lab0 up
        ");
    }

    #[test]
    fn a_host_is_connected_when_its_tap_is_in_the_bridge() {
        let links = Links::parse(r#"[{"ifname":"tap-m1","master":"lab0"},{"ifname":"tap-n1"}]"#).unwrap();
        let connected: Vec<bool> = hosts().iter().map(|host| links.is_connected(host)).collect();
        assert_eq!(connected, [true, false]);
        assert!(Links::parse("Device not found").is_err());
    }
}
