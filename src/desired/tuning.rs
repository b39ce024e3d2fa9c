//! What the kernel forgets at a reboot, and the units that tell it again: at every boot, and for every network card that
//! is plugged in. They converge the very resources that an installation does.

use minijinja::context;

use super::Error;
use super::context::HostContext;
use super::file::{absent, file, unit_file};
use super::kernel::services;
use super::render::render;
use super::state::{Attribute, Part, PartState, Program, Resource, Unit};
use crate::cluster::{Affinity, Irqbalance, KernelProfile, TransparentHugepage};

/// The agent's own program, where units find it.
pub(super) const PROGRAM: &str = "/var/lib/kubewright/bin/kubewright";
const SETTINGS: &str = "/etc/kubewright/boot.json";
const UNIT: &str = "kubewright-tune.service";
const CARD_UNIT: &str = "/etc/systemd/system/kubewright-tune@.service";
const RULES: &str = "/etc/udev/rules.d/95-kubewright.rules";
const IRQBALANCE: &str = "irqbalance.service";
const DROP_IN: &str = "/etc/systemd/system/irqbalance.service.d/kubewright-interrupts.conf";

const HUGE: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
/// Where the kernel has a directory for each size of huge pages that it knows.
pub const HUGEPAGES: &str = "/sys/kernel/mm/hugepages";
const GOVERNOR: &str = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";

/// A setting of the default profile that is no sysctl.
#[derive(Debug)]
pub struct Row {
    /// Its name in the inventory.
    pub key: &'static str,
    /// Its value.
    pub value: &'static str,
    /// Values that are left as they are.
    pub accepts: &'static [&'static str],
    /// Why, in one sentence.
    pub why: &'static str,
}

/// Those settings.
#[rustfmt::skip]
pub const ROWS: [Row; 3] = [
    Row { key: "irq.affinity", value: "spread", accepts: &[],
        why: "each queue of a network card has a CPU of its own, near the card; left alone, many end up on the first" },
    Row { key: "transparentHugepage", value: "madvise", accepts: &["never"],
        why: "programs that did not ask for huge pages lose time to the kernel's making them" },
    Row { key: "cpuGovernor", value: "performance", accepts: &[],
        why: "etcd and packets are worked on in short bursts, which a clock that first has to rise makes slow" },
];

/// Whether the host has the program for what the kernel forgets.
pub(super) fn brings_program(host: &HostContext<'_>) -> bool {
    !forgotten(host).is_empty()
}

/// The resources, with the units that bring them back; without any, the units are gone.
pub(super) fn part(host: &HostContext<'_>) -> Result<Option<Vec<Resource>>, Error> {
    let forgotten = forgotten(host);
    let unit = |enabled| Resource::Unit(Unit { name: UNIT.to_owned(), enabled, running: false });
    if forgotten.is_empty() {
        let files = [RULES, DROP_IN, SETTINGS, CARD_UNIT, "/etc/systemd/system/kubewright-tune.service"].map(absent);
        return Ok(Some(
            [unit(false)].into_iter().chain(files).chain(services::units(host, &[IRQBALANCE], false)).collect(),
        ));
    }
    let state = [PartState { part: Part::Tuning, resources: forgotten.clone() }];
    let names = context! { program => PROGRAM, settings => SETTINGS };
    let mut resources = vec![
        Resource::Program(Program { path: PROGRAM.to_owned() }),
        file(SETTINGS, 0o644, json(&state), &[]),
        unit_file(UNIT, render("kubewright-tune.service.j2", names.clone())?),
        file(CARD_UNIT, 0o644, render("kubewright-tune@.service.j2", names)?, &[]),
        file(RULES, 0o644, render("kubewright.rules.j2", context! {})?, &[]),
    ];
    let irqbalance = forgotten.iter().find_map(|resource| match resource {
        Resource::Interrupts(spread) => Some(spread.irqbalance),
        _ => None,
    });
    resources.extend(services::units(host, &[IRQBALANCE], irqbalance == Some(Irqbalance::Stop)));
    if irqbalance == Some(Irqbalance::Ban) && host.facts.units.contains_key(IRQBALANCE) {
        resources.push(file(DROP_IN, 0o644, render("irqbalance.conf.j2", context! {})?, &[]));
    } else {
        resources.push(absent(DROP_IN));
    }
    resources.push(unit(true));
    resources.extend(forgotten);
    Ok(Some(resources))
}

/// Serialising what this program itself has made cannot fail.
fn json(state: &[PartState]) -> String {
    serde_json::to_string_pretty(state).unwrap_or_default() + "\n"
}

/// Where the kernel shows its huge pages of `size` bytes.
pub fn hugepages(size: u64) -> String {
    format!("{HUGEPAGES}/hugepages-{}kB", size >> 10)
}

/// What has to be told the kernel again.
fn forgotten(host: &HostContext<'_>) -> Vec<Resource> {
    let kernel = &host.host.kernel;
    let tuning = &kernel.tuning;
    let tuned = kernel.profile == KernelProfile::Default;
    let mut resources = Vec::new();
    let hint = "another program sets it, too (tuned?), or write `transparentHugepage: leave` under `kernel`";
    match tuning.transparent_hugepage {
        None if tuned => resources.push(of_profile(attribute(HUGE, "madvise", &["never"], hint))),
        None | Some(TransparentHugepage::Leave) => {}
        Some(TransparentHugepage::Always) => resources.push(attribute(HUGE, "always", &[], hint)),
        // A kernel that makes none does neither.
        Some(TransparentHugepage::Madvise) => resources.push(of_profile(attribute(HUGE, "madvise", &[], hint))),
        Some(TransparentHugepage::Never) => resources.push(of_profile(attribute(HUGE, "never", &[], hint))),
    }
    let hint = "the host's CPUs know the governors in scaling_available_governors; write one of them, or `leave`, as \
                `cpuGovernor` under `kernel`";
    match tuning.cpu_governor.as_deref() {
        None if tuned => resources.push(of_profile(attribute(GOVERNOR, "performance", &[], hint))),
        None | Some("leave") => {}
        Some(governor) => resources.push(attribute(GOVERNOR, governor, &[], hint)),
    }
    for (size, count) in &tuning.hugepages {
        let path = format!("{}/nr_hugepages", hugepages(*size));
        let hint = "memory in pieces of that size was short: reboot with hugepagesz=… hugepages=… on the kernel's \
                    command line, or ask for fewer";
        // It tells the scheduler how many there were when it started.
        let restarts = if host.is_node() { vec!["kubelet.service".to_owned()] } else { Vec::new() };
        resources.push(Attribute { restarts, ..attribute(&path, &count.to_string(), &[], hint) });
    }
    let spread = match tuning.affinity {
        Some(affinity) => affinity == Affinity::Spread,
        None => tuned,
    };
    let mut resources: Vec<Resource> = resources.into_iter().map(Resource::Attribute).collect();
    if spread {
        resources.push(Resource::Interrupts(tuning.spread.clone()));
    }
    resources
}

/// What does not fail where there is no such thing.
fn of_profile(attribute: Attribute) -> Attribute {
    Attribute { required: false, ..attribute }
}

fn attribute(path: &str, value: &str, accepts: &[&str], hint: &str) -> Attribute {
    Attribute {
        path: path.to_owned(),
        value: value.to_owned(),
        accepts: accepts.iter().map(|value| (*value).to_owned()).collect(),
        required: true,
        hint: hint.to_owned(),
        restarts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Spread, Tuning};
    use crate::desired::fixture::Fixture;

    fn resources(fixture: &Fixture, host: &str) -> Vec<Resource> {
        fixture.state(host).part(Part::Tuning).unwrap().resources.clone()
    }

    fn tuned(change: impl Fn(&mut Tuning), profile: KernelProfile) -> Fixture {
        let mut fixture = Fixture::new(36);
        fixture.change(|parts| {
            for host in &mut parts.hosts {
                host.kernel.profile = profile;
                change(&mut host.kernel.tuning);
            }
        });
        fixture
    }

    fn settings(resources: &[Resource]) -> Vec<String> {
        let show = |resource: &Resource| match resource {
            Resource::Attribute(attribute) => Some(format!("{} = {}", attribute.path, attribute.value)),
            Resource::Interrupts(_) => Some("interrupts".to_owned()),
            _ => None,
        };
        resources.iter().filter_map(show).collect()
    }

    #[test]
    fn what_is_set_now_is_set_at_boot() {
        let resources = resources(&Fixture::new(36), "m1");
        let boot = resources.iter().find_map(|resource| match resource {
            Resource::File(file) if file.path == SETTINGS => Some(file.content.clone()),
            _ => None,
        });
        let state: Vec<PartState> = serde_json::from_str(&boot.unwrap()).unwrap();
        assert_eq!(settings(&state[0].resources), settings(&resources));
        assert_eq!(state[0].resources.len(), 3);
    }

    #[test]
    fn without_a_profile_only_what_the_inventory_says_is_set() {
        assert_eq!(settings(&resources(&tuned(|_| {}, KernelProfile::None), "n1")), Vec::<String>::new());
        let gone = resources(&tuned(|_| {}, KernelProfile::None), "n1");
        assert!(gone.contains(&absent(RULES)) && gone.contains(&absent(SETTINGS)), "{gone:?}");
        let some = |tuning: &mut Tuning| {
            tuning.affinity = Some(Affinity::Spread);
            tuning.hugepages = [(2 << 20, 512)].into();
        };
        assert_eq!(
            settings(&resources(&tuned(some, KernelProfile::None), "n1")),
            ["/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages = 512", "interrupts"]
        );
        let leave = |tuning: &mut Tuning| {
            tuning.affinity = Some(Affinity::Leave);
            tuning.transparent_hugepage = Some(TransparentHugepage::Leave);
            tuning.cpu_governor = Some("leave".to_owned());
        };
        assert_eq!(settings(&resources(&tuned(leave, KernelProfile::Default), "n1")), Vec::<String>::new());
    }

    #[test]
    fn irqbalance_is_told_only_where_it_is() {
        let has_drop_in = |fixture: &Fixture| {
            let resources = resources(fixture, "n1");
            resources.iter().any(|resource| matches!(resource, Resource::File(file) if file.path == DROP_IN))
        };
        let mut fixture = Fixture::new(36);
        assert!(!has_drop_in(&fixture));
        fixture.facts_of("n1").units.insert(IRQBALANCE.to_owned(), "active".to_owned());
        assert!(has_drop_in(&fixture));
        let stop = |tuning: &mut Tuning| tuning.spread = Spread { irqbalance: Irqbalance::Stop, ..Spread::default() };
        let mut fixture = tuned(stop, KernelProfile::Default);
        fixture.facts_of("n1").units.insert(IRQBALANCE.to_owned(), "active".to_owned());
        assert!(!has_drop_in(&fixture));
        let stopped = |resource: &Resource| matches!(resource, Resource::Stopped(unit) if unit.name == IRQBALANCE);
        assert!(resources(&fixture, "n1").iter().any(stopped));
    }
}
