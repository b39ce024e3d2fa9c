//! What the kernel forgets at a reboot, and the units that tell it again: at every boot, and for every network card that
//! is plugged in. They converge the very resources that an installation does.

use minijinja::context;

use crate::cluster::{Affinity, Irqbalance, KernelProfile, TransparentHugepage};
use crate::desired::Error;
use crate::desired::context::HostContext;
use crate::desired::file::{absent, file, unit_file};
use crate::desired::render::render;
use crate::desired::state::{Part, PartState, Resource, Unit};
use crate::desired::tuning::{Attribute, Program};

const PROGRAM: &str = "/var/lib/kubewright/bin/kubewright";
const SETTINGS: &str = "/etc/kubewright/boot.json";
const UNIT: &str = "kubewright-tune.service";
const CARD_UNIT: &str = "/etc/systemd/system/kubewright-tune@.service";
const RULES: &str = "/etc/udev/rules.d/95-kubewright.rules";
const IRQBALANCE: &str = "irqbalance.service";
const DROP_IN: &str = "/etc/systemd/system/irqbalance.service.d/kubewright.conf";

const HUGE: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
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

/// The resources, with the units that bring them back; without any, the units are gone.
pub(super) fn resources(host: &HostContext<'_>) -> Result<Vec<Resource>, Error> {
    let forgotten = forgotten(host);
    let unit = |enabled| Resource::Unit(Unit { name: UNIT.to_owned(), enabled, running: false });
    if forgotten.is_empty() {
        let files = [RULES, DROP_IN, SETTINGS, CARD_UNIT, "/etc/systemd/system/kubewright-tune.service"].map(absent);
        return Ok([unit(false)].into_iter().chain(files).collect());
    }
    let state = [PartState { part: Part::Kernel, resources: forgotten.clone() }];
    let names = context! { program => PROGRAM, settings => SETTINGS };
    let mut resources = vec![
        Resource::Program(Program { path: PROGRAM.to_owned() }),
        file(SETTINGS, 0o644, json(&state), &[]),
        unit_file(UNIT, render("kubewright-tune.service.j2", names.clone())?),
        file(CARD_UNIT, 0o644, render("kubewright-tune@.service.j2", names)?, &[]),
        file(RULES, 0o644, render("kubewright.rules.j2", context! {})?, &[]),
    ];
    let bans =
        |resource: &Resource| matches!(resource, Resource::Interrupts(spread) if spread.irqbalance == Irqbalance::Ban);
    if forgotten.iter().any(bans) && host.facts.units.contains_key(IRQBALANCE) {
        resources.push(file(DROP_IN, 0o644, render("irqbalance.conf.j2", context! {})?, &[]));
    } else {
        resources.push(absent(DROP_IN));
    }
    resources.push(unit(true));
    resources.extend(forgotten);
    Ok(resources)
}

/// Serialising what this program itself has made cannot fail.
fn json(state: &[PartState]) -> String {
    serde_json::to_string_pretty(state).unwrap_or_default() + "\n"
}

/// What has to be told the kernel again.
fn forgotten(host: &HostContext<'_>) -> Vec<Resource> {
    let kernel = &host.host.kernel;
    let tuning = &kernel.tuning;
    let tuned = kernel.profile == KernelProfile::Default;
    let mut resources = Vec::new();
    let hint = "another program sets it, too (tuned?), or write `transparentHugepage: leave` under `kernel`";
    match tuning.transparent_hugepage {
        None if tuned => resources.push(attribute(HUGE, "madvise", &["never"], hint)),
        None | Some(TransparentHugepage::Leave) => {}
        Some(TransparentHugepage::Always) => resources.push(attribute(HUGE, "always", &[], hint)),
        Some(TransparentHugepage::Madvise) => resources.push(attribute(HUGE, "madvise", &[], hint)),
        Some(TransparentHugepage::Never) => resources.push(attribute(HUGE, "never", &[], hint)),
    }
    let hint = "the host's CPUs know the governors in scaling_available_governors; write one of them, or `leave`, as \
                `cpuGovernor` under `kernel`";
    match tuning.cpu_governor.as_deref() {
        None if tuned => resources.push(attribute(GOVERNOR, "performance", &[], hint)),
        None | Some("leave") => {}
        Some(governor) => resources.push(attribute(GOVERNOR, governor, &[], hint)),
    }
    for (size, count) in &tuning.hugepages {
        let path = format!("/sys/kernel/mm/hugepages/hugepages-{}kB/nr_hugepages", size >> 10);
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

fn attribute(path: &str, value: &str, accepts: &[&str], hint: &str) -> Attribute {
    Attribute {
        path: path.to_owned(),
        value: value.to_owned(),
        accepts: accepts.iter().map(|value| (*value).to_owned()).collect(),
        hint: hint.to_owned(),
        restarts: Vec::new(),
    }
}
