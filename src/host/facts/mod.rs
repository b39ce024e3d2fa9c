//! What the installer decides upon: read once per run, by topic. Parsers take text; the readers around them are thin.

mod cluster;
mod listening;
mod network;
mod security;
mod storage;
mod sysctls;
mod system;
mod units;
pub(crate) mod versions;

use super::machine::Machine;
use super::protocol::Failure;
use crate::cluster::Facts;

pub(super) use versions::of_unit as version_of_unit;

type Topic = fn(&Machine, &mut Facts) -> Result<(), Failure>;

/// Gathers everything; what could not be looked at is told at once.
pub(super) fn gather(machine: &Machine) -> Result<Facts, Failure> {
    let mut facts = Facts::default();
    let topics: [Topic; 9] = [
        system::gather,
        network::gather,
        storage::gather,
        listening::gather,
        units::gather,
        security::gather,
        sysctls::gather,
        cluster::gather,
        versions::gather,
    ];
    let failures = topics.into_iter().filter_map(|topic| topic(machine, &mut facts).err()).collect();
    Failure::all(failures).map_or(Ok(facts), Err)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scripted;
    use super::*;

    #[test]
    fn the_facts_of_a_whole_host() {
        let host = Scripted::new();
        for (path, content) in [
            ("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n"),
            ("/proc/sys/kernel/osrelease", "6.1.0-13-amd64\n"),
            ("/proc/sys/kernel/hostname", "m1\n"),
            ("/proc/sys/kernel/random/boot_id", "b00t\n"),
            ("/etc/machine-id", "deadbeef\n"),
            ("/sys/devices/system/cpu/online", "0-3\n"),
            ("/proc/meminfo", "MemTotal:        2048 kB\n"),
            ("/sys/fs/cgroup/cgroup.controllers", "cpu\n"),
            ("/run/systemd/system/x", ""),
            ("/sys/class/net/eth0/mtu", "1500\n"),
            ("/sys/class/net/eth0/address", "02:00:00:00:00:01\n"),
            ("/sys/class/net/eth0/device/x", ""),
            ("/etc/systemd/system/kubelet.service", "ExecStart=/opt/kubewright/kubelet/v1.20.2/bin/kubelet\n"),
            ("/etc/systemd/system/kubewright-routes.service", ""),
            ("/etc/systemd/system/multi-user.target.wants/x.service", ""),
            ("/usr/lib/systemd/system/docker.service", ""),
            ("/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", ""),
            ("/proc/swaps", "Filename Type\n/dev/vdb partition 1 0 -2\n"),
            ("/etc/resolv.conf", "nameserver 127.0.0.53\n"),
            ("/run/systemd/resolve/resolv.conf", "nameserver 10.0.0.2\n"),
            ("/var/lib/etcd/member/x", ""),
            ("/opt/kubewright/etcd/3.4.23/.kubewright-digest", "ff00\n"),
        ] {
            host.put(path, content);
        }
        host.expect(
            "systemctl show -p Id,Names,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Type,Job -- \
             docker.service kubelet.service kubewright-routes.service",
            "Id=kubelet.service\nNames=kubelet.service\nLoadState=loaded\nActiveState=active\n\n\
             Id=docker.service\nNames=docker.service\nLoadState=not-found\nActiveState=inactive\n",
        );
        let facts = gather(&host.machine).unwrap();
        host.done();
        insta::assert_snapshot!(serde_json::to_string_pretty(&facts).unwrap());
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let facts = gather(&Machine::at("/".into())).unwrap();
        assert!(facts.cpus > 0 && facts.memory > 0 && !facts.kernel.is_empty() && !facts.boot_id.is_empty());
        assert!(facts.interfaces["lo"].addresses.contains(&"127.0.0.1/8".to_owned()));
        assert!(facts.mounts.iter().any(|mount| mount.size > 0), "{:?}", facts.mounts);
    }
}
