//! Units that matter: kubewright's own, and those of programs that get into its way.

use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::super::systemd;
use crate::cluster::Facts;

const UNITS: [&str; 23] = [
    // Ours.
    "etcd.service",
    "containerd.service",
    "kubelet.service",
    "haproxy.service",
    "keepalived.service",
    "kubewright-*",
    // Other installers and runtimes.
    "docker.service",
    "crio.service",
    "k3s.service",
    "k3s-agent.service",
    "k0scontroller.service",
    "k0sworker.service",
    "rke2-server.service",
    "rke2-agent.service",
    "snap.microk8s.daemon-kubelite.service",
    // Firewalls.
    "firewalld.service",
    "ufw.service",
    "nftables.service",
    // Clocks.
    "chrony.service",
    "chronyd.service",
    "ntp.service",
    "ntpsec.service",
    "systemd-timesyncd.service",
];

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    if !systemd::is_there(machine)? {
        return Ok(());
    }
    let units = systemd::show(machine, "facts", UNITS)?;
    let there = units.into_iter().filter(|(_, unit)| unit.load != "not-found");
    facts.units = there.map(|(name, unit)| (name, unit.active)).collect();
    Ok(())
}

/// The command line that [`gather`] runs.
#[cfg(test)]
pub(super) const COMMAND: &str = "systemctl show -p Id,Names,LoadState,ActiveState,SubState,UnitFileState,\
    NeedDaemonReload,Type,Job -- etcd.service containerd.service kubelet.service haproxy.service keepalived.service \
    kubewright-* docker.service crio.service k3s.service k3s-agent.service k0scontroller.service k0sworker.service \
    rke2-server.service rke2-agent.service snap.microk8s.daemon-kubelite.service firewalld.service ufw.service \
    nftables.service chrony.service chronyd.service ntp.service ntpsec.service systemd-timesyncd.service";
