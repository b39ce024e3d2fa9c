//! TCP ports that something listens on, and who: a stranger on a port that the cluster needs is found before
//! anything is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::super::machine::Machine;
use super::super::proc;
use super::super::protocol::Failure;
use crate::cluster::Facts;

/// Ports whose process is looked up: that means reading the open files of every process.
const OF_INTEREST: [u16; 18] =
    [53, 80, 179, 443, 2379, 2380, 2381, 6443, 6444, 8443, 9099, 9253, 10248, 10249, 10250, 10256, 10257, 10259];

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    let mut sockets = BTreeMap::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = machine.text(table)?.unwrap_or_default();
        for (port, inode) in proc::listening(&text) {
            facts.listening.entry(port).or_default();
            if OF_INTEREST.contains(&port) {
                sockets.insert(inode, port);
            }
        }
    }
    let mut nameless: BTreeSet<u16> = sockets.values().copied().collect();
    for pid in machine.names("/proc")?.into_iter().rev() {
        if nameless.is_empty() {
            break;
        }
        if pid.parse::<u32>().is_ok() {
            for port in held(machine, &pid, &sockets) {
                let name = machine.text(&format!("/proc/{pid}/comm")).ok().flatten().unwrap_or_default();
                facts.listening.insert(port, name.trim().to_owned());
                nameless.remove(&port);
            }
        }
    }
    Ok(())
}

/// Ports that a process holds; one that ends meanwhile, or is another user's, holds none that we can see.
fn held(machine: &Machine, pid: &str, sockets: &BTreeMap<u64, u16>) -> Vec<u16> {
    let Ok(files) = fs::read_dir(machine.root.at(format!("/proc/{pid}/fd"))) else { return Vec::new() };
    let links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    links.filter_map(|link| sockets.get(&inode(link.to_str()?)?).copied()).collect()
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
    }
}
