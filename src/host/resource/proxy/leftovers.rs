//! Removes from the kernel what a mode of kube-proxy has left there.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::super::command::Command;
use super::super::super::machine::Machine;
use super::super::super::proc::has_virtual_servers;
use super::super::super::protocol::Failure;
use super::super::super::tool::{has_tool, tool};
use super::chains;
use crate::desired::state::ProxyConfiguration;

/// Rules may be in either backend, whichever the container image of kube-proxy chose.
const BACKENDS: [&str; 4] = ["iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy"];
/// Where IPVS has the addresses of services.
const INTERFACE: &str = "kube-ipvs0";
const FAMILIES: [&str; 2] = ["ip", "ip6"];
/// NodePorts of a cluster of ours.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;
/// Somebody else may change the same chains at the same moment.
const TRIES: usize = 5;

/// Whether kube-proxy has put rules into the kernel in `mode`. There is always one service: the API's own.
pub(super) fn has_rules(machine: &Machine, mode: &str) -> Result<bool, Failure> {
    match mode {
        "ipvs" => {
            let servers = machine.text("/proc/net/ip_vs")?.unwrap_or_default();
            Ok(has_virtual_servers(&servers) && machine.exists(&format!("/sys/class/net/{INTERFACE}"))?)
        }
        "iptables" => {
            for backend in backends(machine) {
                if chains::has_services(&save(machine, backend)?) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(!nft_tables(machine)?.is_empty()),
    }
}

/// Removes what `old` has left and `new` does not use.
pub(super) fn remove(machine: &Machine, old: &str, new: &str) -> Result<(), Failure> {
    for backend in backends(machine) {
        rules(machine, backend, old, new)?;
    }
    match old {
        "ipvs" => ipvs(machine),
        "nftables" => nft_tables(machine)?
            .into_iter()
            .try_for_each(|family| run(machine, &tool(machine, "nft").args(["delete", "table", family, "kube-proxy"]))),
        _ => Ok(()),
    }
}

fn backends(machine: &Machine) -> Vec<&'static str> {
    let there = BACKENDS.into_iter().filter(|backend| has_tool(machine, &format!("{backend}-save")));
    let mut there: Vec<_> = there.collect();
    if there.is_empty() {
        // Before there were two.
        there.extend(["iptables", "ip6tables"].into_iter().filter(|name| has_tool(machine, &format!("{name}-save"))));
    }
    there
}

fn save(machine: &Machine, backend: &str) -> Result<String, Failure> {
    let saved = machine.system.run(&tool(machine, &format!("{backend}-save"))).map_err(failed)?;
    Ok(saved.text())
}

fn rules(machine: &Machine, backend: &str, old: &str, new: &str) -> Result<(), Failure> {
    let mut tried = 0;
    loop {
        let Some(script) = chains::removal(&save(machine, backend)?, old, new) else { return Ok(()) };
        let restore = tool(machine, &format!("{backend}-restore")).arg("--noflush");
        tried += 1;
        match machine.system.feed(&restore, &mut script.as_bytes()) {
            Err(error) if tried == TRIES => return Err(failed(error)),
            // What was there a moment ago may have changed: look again.
            Ok(_) | Err(_) => {}
        }
    }
}

fn ipvs(machine: &Machine) -> Result<(), Failure> {
    let addresses = machine.system.addresses().map_err(|error| Failure::new(ProxyConfiguration::RULES, error))?;
    let bare = |cidr: &String| cidr.split('/').next()?.parse::<IpAddr>().ok();
    let services: BTreeSet<IpAddr> = addresses.get(INTERFACE).into_iter().flatten().filter_map(bare).collect();
    let nodes: BTreeSet<IpAddr> = addresses.values().flatten().filter_map(bare).collect();
    let kube_proxys = |address: IpAddr, port: u16| {
        services.contains(&address) || (nodes.contains(&address) && NODE_PORTS.contains(&port))
    };
    if machine.text("/proc/net/ip_vs")?.is_some() {
        let saved = machine.system.run(&tool(machine, "ipvsadm").arg("-Sn")).map_err(failed)?.text();
        let deletions = deletions(&saved, kube_proxys);
        if !deletions.is_empty() {
            let restore = tool(machine, "ipvsadm").arg("-R");
            machine.system.feed(&restore, &mut deletions.as_bytes()).map_err(failed)?;
        }
    }
    if machine.exists(&format!("/sys/class/net/{INTERFACE}"))? {
        run(machine, &tool(machine, "ip").args(["link", "delete", "dev", INTERFACE]))?;
    }
    let sets = machine.system.run(&tool(machine, "ipset").args(["list", "-n"])).map_err(failed)?.text();
    for set in sets.lines().map(str::trim).filter(|name| chains::is_set(name)) {
        run(machine, &tool(machine, "ipset").args(["destroy", set]))?;
    }
    Ok(())
}

/// From the output of `ipvsadm -Sn` the input of `ipvsadm -R` that deletes the virtual servers that `goes` says.
fn deletions(saved: &str, goes: impl Fn(IpAddr, u16) -> bool) -> String {
    let server = |line: &str| {
        let mut words = line.strip_prefix("-A ")?.split_whitespace();
        let (protocol, place) = (words.next()?, words.next()?);
        let (address, port) = place.rsplit_once(':')?;
        let address = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        goes(address, port.parse().ok()?).then(|| format!("-D {protocol} {place}\n"))
    };
    saved.lines().filter_map(server).collect()
}

fn nft_tables(machine: &Machine) -> Result<Vec<&'static str>, Failure> {
    if !has_tool(machine, "nft") {
        return Ok(Vec::new());
    }
    let listed = machine.system.run(&tool(machine, "nft").args(["list", "tables"])).map_err(failed)?.text();
    let is_there = |family: &&str| listed.lines().any(|line| line.trim() == format!("table {family} kube-proxy"));
    Ok(FAMILIES.into_iter().filter(is_there).collect())
}

fn run(machine: &Machine, command: &Command) -> Result<(), Failure> {
    machine.system.run(command).map(drop).map_err(failed)
}

fn failed(error: super::super::super::command::CommandError) -> Failure {
    Failure::command(ProxyConfiguration::RULES, &error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_servers_of_others_stay() {
        let saved = "-A -t 10.96.0.1:443 -s rr\n-a -t 10.96.0.1:443 -r 10.1.0.11:6443 -m -w 1\n\
            -A -t 10.1.0.11:30080 -s rr\n-A -t 10.1.0.11:8080 -s wlc\n-A -u [fd00::a]:53 -s rr\n-A -f 7 -s wlc\n";
        let own = ["10.96.0.1", "fd00::a"].map(|address| address.parse().unwrap());
        let goes = |address: IpAddr, port| own.contains(&address) || NODE_PORTS.contains(&port);
        assert_eq!(deletions(saved, goes), "-D -t 10.96.0.1:443\n-D -t 10.1.0.11:30080\n-D -u [fd00::a]:53\n");
    }
}
