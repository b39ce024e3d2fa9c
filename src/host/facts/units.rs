//! Units that matter: kubewright's own, and those of programs that get into its way.

use std::collections::BTreeSet;

use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::super::systemd;
use crate::cluster::Facts;

const UNITS: [&str; 27] = [
    // Ours.
    "etcd.service",
    "containerd.service",
    "kubelet.service",
    "haproxy.service",
    "keepalived.service",
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
    "ntpd.service",
    // Whoever changes what we set.
    "tuned.service",
    "fapolicyd.service",
    "irqbalance.service",
    "systemd-oomd.service",
];

/// Where units come from, whoever wrote them.
const DIRECTORIES: [&str; 8] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/transient",
    "/run/systemd/generator",
    "/run/systemd/generator.late",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    if !systemd::is_there(machine)? {
        return Ok(());
    }
    // systemd searches long for what is not there, so it is only asked about what is.
    let mut names = BTreeSet::new();
    for directory in DIRECTORIES {
        names.extend(machine.names(directory)?.into_iter().filter(|name| matters(name)));
    }
    if names.is_empty() {
        return Ok(());
    }
    let units = systemd::show(machine, "facts", names.iter().map(String::as_str))?;
    let there = units.into_iter().filter(|(_, unit)| unit.load != "not-found");
    facts.units = there.map(|(name, unit)| (name, unit.active)).collect();
    Ok(())
}

fn matters(name: &str) -> bool {
    let ours = name.starts_with("kubewright-") && name.ends_with(".service") && !systemd::is_template(name);
    ours || UNITS.contains(&name)
}
