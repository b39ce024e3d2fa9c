//! Checks of what others have set up on a host.

use super::{Found, Subject};
use crate::cluster::{SettingLine, Swap};
use crate::desired::kernel::profile::{ROWS, Value};
use crate::desired::state::{HostState, Part, Resource};
use crate::desired::sysctl::{Sysctl, Sysctls};

/// A line that is read after our file at boot and says less than we want undoes it then; whose word it is must be
/// settled before.
pub(super) fn sysctls(subject: &Subject<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    for (host, facts) in subject.hosts() {
        let Some(sysctls) = subject.states.get(&host.name).and_then(wanted) else { continue };
        for (key, wanted) in &sysctls.values {
            let Some(last) = facts.later_sysctls.iter().rfind(|line| names(line, key)) else { continue };
            if wanted.accepts(&last.value) {
                continue;
            }
            let conflict = conflict(host.name.clone(), key, wanted, last);
            // A pattern is about several keys, and told once.
            if !all.iter().any(|one: &Found| one.host == conflict.host && one.message == conflict.message) {
                all.push(conflict);
            }
        }
    }
    all
}

fn wanted(state: &HostState) -> Option<&Sysctls> {
    state.part(Part::Kernel)?.resources.iter().find_map(|resource| match resource {
        Resource::Sysctls(sysctls) => Some(sysctls),
        _ => None,
    })
}

fn conflict(host: crate::cluster::HostName, key: &str, wanted: &Sysctl, line: &SettingLine) -> Found {
    let (file, number) = (&line.file, line.line);
    Found {
        host: Some(host),
        message: format!(
            "{file}:{number} sets {} = {} after kubewright's file at boot; {} is wanted",
            line.key, line.value, wanted.value
        ),
        hint: match needed(key) {
            Some(_) => "remove that line: Kubernetes does not work with it".to_owned(),
            None => format!("remove that line, or make it ours: kernel.sysctls: {{{key}: \"{}\"}}", line.value),
        },
        severity: None,
    }
}

/// Whether a line of sysctl.d is about `key`; a star stands for one part.
fn names(line: &SettingLine, key: &str) -> bool {
    let (pattern, parts): (Vec<_>, Vec<_>) = (line.key.split('.').collect(), key.split('.').collect());
    pattern.len() == parts.len() && pattern.iter().zip(parts).all(|(pattern, part)| *pattern == "*" || *pattern == part)
}

/// The inventory has the last word, and may be wrong.
pub(super) fn required(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|host, _| {
        let sysctls = subject.states.get(&host.name).and_then(wanted)?;
        let broken = |(key, set): (&String, &Sysctl)| {
            let needed = needed(key)?;
            (!needed.accepts(&set.value)).then(|| format!("{key} = {}, {} is needed", set.value, needed.value))
        };
        let broken: Vec<_> = sysctls.values.iter().filter_map(broken).collect();
        let message = format!("the inventory sets {}", broken.join("; "));
        let hint = "take it out of kernel.sysctls: without it pods have no network, or the kubelet is not content";
        (!broken.is_empty()).then(|| (message, hint.into()))
    })
}

/// What Kubernetes needs of `key`, where it needs something.
fn needed(key: &str) -> Option<Sysctl> {
    let row = ROWS.iter().find(|row| row.required && row.key == key)?;
    let Value::Fixed(value) = row.value else { return None };
    Some(Sysctl { value: value.to_owned(), direction: row.direction, required: true })
}

pub(super) fn swap(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|host, facts| {
        (host.roles.is_node() && host.kernel.swap == Swap::Off && !facts.swaps.is_empty()).then(|| {
            let message = format!("swap is on: {}", facts.swaps.join(", "));
            let hint = "install turns it off for good and reset brings it back; kernel: {swap: limited} keeps it";
            (message, hint.into())
        })
    })
}

/// Whoever has components of ours is ours, whatever else he has.
pub(super) fn leftovers(subject: &Subject<'_>) -> Vec<Found> {
    subject.each(|_, facts| {
        if !facts.components.is_empty() {
            return None;
        }
        let mut left = Vec::new();
        if facts.has_etcd_data {
            left.push("data in /var/lib/etcd".to_owned());
        }
        left.extend(facts.static_pods.iter().map(|name| format!("/etc/kubernetes/manifests/{name}")));
        let active = |unit: &&str| facts.units.get(*unit).is_some_and(|state| state == "active");
        left.extend(
            ["kubelet.service", "docker.service", "k3s.service"]
                .iter()
                .filter(|u| active(u))
                .map(|u| format!("{u}, which runs")),
        );
        (!left.is_empty()).then(|| {
            let message = format!("another cluster has left: {}", left.join(", "));
            (message, "take the host out of that cluster with the tool that built it, or reinstall the host".into())
        })
    })
}
