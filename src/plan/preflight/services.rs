//! Checks of services and security modules of the distribution.

use super::{Found, Severity, Subject};
use crate::cluster::{Facts, Handling, Host, Role, Selinux, Service};

/// What it means for a cluster that a service runs.
fn meaning(service: Service) -> &'static str {
    match service {
        Service::Firewalld | Service::Ufw => {
            "it drops packets of pods and services, and on the cluster's ports, that its rules do not name"
        }
        Service::Fapolicyd => "it keeps programs that no package brought from running, and so those in /opt/kubewright",
        Service::Tuned => "it writes sysctls after everybody else, and undoes those of this program",
        Service::SystemdOomd => "it ends the processes of whole pods, and the kubelet does not learn why",
    }
}

/// What helps those who want to keep it.
fn otherwise(service: Service) -> &'static str {
    match service {
        Service::Firewalld | Service::Ufw => "open the cluster's ports and networks in its rules",
        Service::Fapolicyd => "trust /opt/kubewright, /opt/cni/bin and /var/lib/kubewright in its rules",
        Service::Tuned => "give it a profile without sysctls",
        Service::SystemdOomd => "exempt kubepods.slice from it",
    }
}

/// The first unit of `service` that is active on a host.
pub(super) fn active(service: Service, facts: &Facts) -> Option<&'static str> {
    service.units().iter().copied().find(|unit| facts.units.get(*unit).is_some_and(|state| state == "active"))
}

/// Firewalls that run on a host although none is wanted there.
pub(super) fn firewalls_to_stop<'a>(host: &'a Host, facts: &'a Facts) -> impl Iterator<Item = Service> + 'a {
    host.services.stopped().filter(|service| service.is_firewall() && active(*service, facts).is_some())
}

/// Programs that load rules once. To stop them would take everybody's rules away, those of services too.
const RULES: [&str; 3] = ["nftables.service", "iptables.service", "netfilter-persistent.service"];

pub(super) fn services(subject: &Subject<'_>) -> Vec<Found> {
    let known = Service::ALL.into_iter().flat_map(|service| {
        subject.hosts().filter_map(move |(host, facts)| {
            let unit = active(service, facts)?;
            let (message, hint, severity) = match host.services.handling(service) {
                Handling::Stop => {
                    (format!("{unit} runs"), "install stops it; reset gives it back".to_owned(), Severity::Note)
                }
                Handling::Leave => {
                    let hint = format!("write services: {{{service}: stop}}, or {}", otherwise(service));
                    (format!("{unit} runs: {}", meaning(service)), hint, Severity::Warning)
                }
            };
            Some(Found { host: Some(host.name.clone()), message, hint, severity: Some(severity) })
        })
    });
    let rules = RULES.into_iter().flat_map(|unit| {
        subject.each(|_, facts| {
            facts.units.get(unit).filter(|state| *state == "active")?;
            let message = format!("{unit} has loaded rules, which come before those of services");
            Some((message, "see that they let the cluster's ports and networks pass".into()))
        })
    });
    known.chain(rules).collect()
}

pub(super) fn selinux(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|host, facts| {
        (facts.security.selinux == Selinux::Enforcing).then(|| {
            let pods = match host.roles.is_node() {
                true => "; pods may not use directories of the host (hostPath) unless they are privileged",
                false => "",
            };
            let message = format!(
                "SELinux is enforcing: programs in /opt/kubewright and /opt/cni/bin run only with the labels of its policy{pods}"
            );
            let hint = "set SELINUX=permissive in /etc/selinux/config and run setenforce 0; or install container-selinux, \
                        and after the first install run restorecon -R /opt/kubewright /opt/cni /var/lib/kubewright";
            (message, hint.into())
        })
    })
}

pub(super) fn apparmor(subject: &Subject<'_>) -> Vec<Found> {
    let nodes = subject.hosts().filter(|(host, facts)| host.roles.is_node() && facts.security.apparmor);
    let found = nodes.flat_map(|(host, facts)| {
        let without = (!facts.security.apparmor_parser).then_some((
            "AppArmor is on, and without apparmor_parser containers run under no profile of it",
            "install the package apparmor, where profiles are wanted",
        ));
        let restricted = facts.security.restricts_user_namespaces.then_some((
            "AppArmor takes their rights from user namespaces that ordinary users make: builders of images without \
             root and sandboxes of browsers fail in pods",
            "where such pods run, set kernel.sysctls: {kernel.apparmor_restrict_unprivileged_userns: \"0\"}",
        ));
        [without, restricted].into_iter().flatten().map(|(message, hint)| Found {
            host: Some(host.name.clone()),
            message: message.to_owned(),
            hint: hint.to_owned(),
            severity: None,
        })
    });
    found.collect()
}

/// Services that keep the time.
const KEEPERS: [&str; 7] = [
    "chrony.service",
    "chronyd.service",
    "systemd-timesyncd.service",
    "ntpd.service",
    "ntp.service",
    "ntpsec.service",
    "openntpd.service",
];

/// Who keeps the time on a host.
pub(super) fn keeper(facts: &Facts) -> Option<&'static str> {
    KEEPERS.into_iter().find(|unit| facts.units.get(*unit).is_some_and(|state| state == "active"))
}

pub(super) fn time(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|_, facts| {
        keeper(facts).is_none().then(|| {
            let message = "nothing keeps the time: clocks drift apart by seconds a week, and certificates and leases \
                           need them to agree";
            (message.into(), "install chrony, with the same servers on every host".into())
        })
    })
}

/// Keys are made of it.
const LEAST_ENTROPY: u32 = 200;

pub(super) fn entropy(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|host, facts| {
        let bits = facts.entropy.filter(|bits| *bits < LEAST_ENTROPY)?;
        let who = if host.roles.contains(Role::Etcd) { "etcd" } else { "the kubelet" };
        let message =
            format!("the kernel {} has {bits} bits of entropy: {who} waits for more when it starts", facts.kernel);
        Some((message, "install rng-tools or haveged, or give the virtual machine a virtio-rng device".into()))
    })
}
