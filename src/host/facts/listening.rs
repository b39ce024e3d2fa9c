//! TCP ports that something listens on, and who: a stranger on a port that the cluster needs is found before
//! anything is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::super::machine::Machine;
use super::super::proc::{self, Listener};
use super::super::protocol::Failure;
use crate::cluster::Facts;

/// Ports whose process is looked up: that means reading the open files of every process.
const OF_INTEREST: [u16; 18] =
    [53, 80, 179, 443, 2379, 2380, 2381, 6443, 6444, 8443, 9099, 9253, 10248, 10249, 10250, 10256, 10257, 10259];

const DNS: u16 = 53;
/// 169.254.20.10, as the kernel writes it: where a node's cache for the DNS answers.
const CACHE: &str = "0A14FEA9";

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    let (mut sockets, mut of_dns) = (BTreeMap::new(), BTreeSet::new());
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = machine.text(table)?.unwrap_or_default();
        for Listener { address, port, inode } in proc::listening(&text) {
            facts.listening.entry(port).or_default();
            if port == DNS && (address.chars().all(|c| c == '0') || address == CACHE) {
                facts.name_server = Some(String::new());
                of_dns.insert(inode);
            }
            if OF_INTEREST.contains(&port) {
                sockets.insert(inode, port);
            }
        }
    }
    let mut nameless: BTreeSet<u64> = sockets.keys().copied().collect();
    for pid in machine.names("/proc")?.into_iter().rev() {
        if nameless.is_empty() {
            break;
        }
        if pid.parse::<u32>().is_ok() {
            for (inode, port) in held(machine, &pid, &sockets) {
                let name = machine.text(&format!("/proc/{pid}/comm")).ok().flatten().unwrap_or_default();
                let name = name.trim().to_owned();
                if of_dns.contains(&inode) {
                    facts.name_server = Some(name.clone());
                }
                // Of two that share a port, the later one tells.
                let holder = facts.listening.entry(port).or_default();
                if holder.is_empty() {
                    *holder = name;
                }
                nameless.remove(&inode);
            }
        }
    }
    Ok(())
}

/// Ports that a process holds; one that ends meanwhile, or is another user's, holds none that we can see.
fn held(machine: &Machine, pid: &str, sockets: &BTreeMap<u64, u16>) -> Vec<(u64, u16)> {
    let Ok(files) = fs::read_dir(machine.root.at(format!("/proc/{pid}/fd"))) else { return Vec::new() };
    let links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    let held = links.filter_map(|link| {
        let inode = inode(link.to_str()?)?;
        Some((inode, *sockets.get(&inode)?))
    });
    held.collect()
}

/// `socket:[24680]`.
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::super::testing::Scripted;
    use super::*;

    #[test]
    fn ports_have_the_names_of_their_processes() {
        let host = Scripted::new();
        let line = |address: &str, state: &str, inode: u32| {
            format!("   0: {address} 00000000:0000 {state} 0:0 0:0 0 0 0 {inode} 1\n")
        };
        let table = [line("00000000:094B", "0A", 11), line("0:0016", "0A", 12), line("0:1F90", "01", 13)].concat();
        host.put("/proc/net/tcp", &format!("header\n{table}"));
        host.put("/proc/net/tcp6", &format!("header\n{}", line("00000000000000000000000000000000:192B", "0A", 14)));
        for (pid, name, socket) in [("7", "etcd", 11), ("8", "kube-apiserver", 14), ("9", "sshd", 12)] {
            host.put(&format!("/proc/{pid}/comm"), &format!("{name}\n"));
            fs::create_dir_all(host.at(&format!("/proc/{pid}/fd"))).unwrap();
            symlink(format!("socket:[{socket}]"), host.at(&format!("/proc/{pid}/fd/3"))).unwrap();
        }
        let mut facts = Facts::default();
        gather(&host.machine, &mut facts).unwrap();
        let expected = [(22, ""), (2379, "etcd"), (6443, "kube-apiserver")];
        assert_eq!(facts.listening, expected.map(|(port, name)| (port, name.to_owned())).into());
        assert_eq!(facts.name_server, None);
    }

    #[test]
    fn a_name_server_is_in_the_way_of_a_cache_where_it_listens_everywhere() {
        let name_server = |address: &str| {
            let host = Scripted::new();
            host.put("/proc/net/tcp", &format!("header\n 0: {address}:0035 0:0 0A 0:0 0:0 0 0 0 11 1\n"));
            host.put("/proc/7/comm", "named\n");
            fs::create_dir_all(host.at("/proc/7/fd")).unwrap();
            symlink("socket:[11]", host.at("/proc/7/fd/3")).unwrap();
            let mut facts = Facts::default();
            gather(&host.machine, &mut facts).unwrap();
            facts.name_server
        };
        for (address, found) in [
            ("00000000", Some("named")),
            ("00000000000000000000000000000000", Some("named")),
            ("0A14FEA9", Some("named")),
            // systemd-resolved's.
            ("3500007F", None),
        ] {
            assert_eq!(name_server(address).as_deref(), found, "{address}");
        }
    }
}
