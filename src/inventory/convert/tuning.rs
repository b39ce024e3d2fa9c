//! Settings that the kernel forgets at a reboot, as they stand in a section `kernel`.

use std::collections::BTreeMap;

use crate::cluster::{CpuSet, Queues, Rings, Tuning};
use crate::inventory::problems::Fault;
use crate::inventory::spec::{SpecIrq, SpecKernel, Text};
use crate::inventory::tree::Path;
use crate::inventory::units;

use super::Context;

/// Sizes of huge pages that some processor has: a power of two from 64 KiB to 16 GiB.
const PAGES: std::ops::RangeInclusive<u64> = 64 << 10..=16 << 30;

/// Converts them; what the section does not say stays.
pub(super) fn convert(spec: &SpecKernel, path: &Path, tuning: &mut Tuning, context: &mut Context<'_>) {
    tuning.transparent_hugepage = spec.transparent_hugepage.or(tuning.transparent_hugepage);
    if let Some(text) = &spec.cpu_governor {
        tuning.cpu_governor = context.take(&path.key("cpuGovernor"), governor(text));
    }
    let mut own = BTreeMap::new();
    for (text, count) in spec.hugepages.iter().flatten() {
        let place = path.key("hugepages").key(text);
        match page(text) {
            Ok(size) if own.insert(size, *count).is_some() => {
                context.key_fault(&place, Fault::new("the same size in another spelling", "keep one of the two"));
            }
            Ok(_) => {}
            Err(fault) => context.key_fault(&place, fault),
        }
    }
    tuning.hugepages.extend(own);
    if let Some(spec) = &spec.irq {
        irq(spec, &path.key("irq"), tuning, context);
    }
}

fn irq(spec: &SpecIrq, path: &Path, tuning: &mut Tuning, context: &mut Context<'_>) {
    tuning.affinity = spec.affinity.or(tuning.affinity);
    let spread = &mut tuning.spread;
    spread.irqbalance = spec.irqbalance.unwrap_or(spread.irqbalance);
    if let Some(Text(text)) = &spec.leave_cpus {
        let cpus = CpuSet::parse_list(text).map_err(|why| Fault::new(why, "write a list like 0,12-13"));
        spread.leave_cpus = context.take(&path.key("leaveCpus"), cpus).unwrap_or_default();
    }
    if let Some(text) = &spec.queues {
        spread.queues = context.take(&path.key("queues"), amount(text, "cores", Queues::Cores, Queues::Number));
    }
    if let Some(text) = &spec.rings {
        spread.rings = context.take(&path.key("rings"), amount(text, "max", Rings::Max, Rings::Number));
    }
}

/// No card has longer rings or more queues.
const MOST: u32 = 65536;

/// A word, or a number above zero.
fn amount<T>(Text(text): &Text, word: &str, named: T, number: impl Fn(u32) -> T) -> Result<T, Fault> {
    match text.parse::<u32>() {
        Ok(count) if (1..=MOST).contains(&count) => Ok(number(count)),
        _ if text == word => Ok(named),
        _ => Err(Fault::new(
            format!("{text:?} is neither `{word}` nor a number from 1 to {MOST}"),
            format!("write `{word}`, or how many"),
        )),
    }
}

fn governor(text: &str) -> Result<String, Fault> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        return Ok(text.to_owned());
    }
    Err(Fault::new(format!("{text:?} is not a governor"), "write `performance`, `schedutil`, `powersave` or `leave`"))
}

fn page(text: &str) -> Result<u64, Fault> {
    let size = units::size(text)?;
    if size.is_power_of_two() && PAGES.contains(&size) {
        return Ok(size);
    }
    Err(Fault::new(format!("no processor has pages of {text}"), "x86 has 2MiB and 1GiB"))
}
