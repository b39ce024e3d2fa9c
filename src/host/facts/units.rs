//! Units that matter: kubewright's own, and those of programs that get into its way.

use std::collections::BTreeSet;

use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::super::resource::stopped;
use super::super::systemd;
use crate::cluster::Facts;

const UNITS: [&str; 33] = [
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
    "iptables.service",
    "netfilter-persistent.service",
    // Clocks.
    "chrony.service",
    "chronyd.service",
    "ntp.service",
    "ntpsec.service",
    "systemd-timesyncd.service",
    "ntpd.service",
    "openntpd.service",
    // Whoever changes what we set.
    "tuned.service",
    "tuned-ppd.service",
    "fapolicyd.service",
    "irqbalance.service",
    "systemd-oomd.service",
    // Whoever looks after interfaces.
    "NetworkManager.service",
    "systemd-networkd.service",
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

/// Ubuntu starts ufw's unit always; its own setting decides whether there are rules.
const UFW: &str = "ufw.service";
const UFW_SETTINGS: &str = "/etc/ufw/ufw.conf";

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    facts.stopped_units = stopped::noted(machine)?;
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
    if let Some(state) = facts.units.get_mut(UFW)
        && !machine.text(UFW_SETTINGS)?.is_none_or(|text| enables(&text))
    {
        "idle".clone_into(state);
    }
    Ok(())
}

/// The last word counts, as in the shell that reads it.
fn enables(settings: &str) -> bool {
    let mut values = settings.lines().filter_map(|line| line.trim().strip_prefix("ENABLED="));
    values.next_back().is_some_and(|value| value.trim_matches(['"', '\'']).eq_ignore_ascii_case("yes"))
}

fn matters(name: &str) -> bool {
    let ours = name.starts_with("kubewright-") && name.ends_with(".service") && !systemd::is_template(name);
    ours || UNITS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firewall_without_rules_is_idle() {
        for (settings, expected) in [
            ("# comment\nENABLED=no\nLOGLEVEL=low\n", false),
            ("ENABLED=yes\n", true),
            ("ENABLED=no\nENABLED=\"YES\"\n", true),
            ("#ENABLED=yes\n", false),
            ("", false),
        ] {
            assert_eq!(enables(settings), expected, "{settings}");
        }
    }
}
