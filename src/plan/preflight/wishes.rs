//! What the inventory asks of a host's kernel by name: whether there is such a thing.

use super::{Found, Subject};
use crate::cluster::{Host, nearest};
use crate::desired::kernel::profile::ROWS;
use crate::desired::sysctl::{self, module};
use crate::desired::tuning::{HUGEPAGES, hugepages};

/// Files that must be there for what the inventory asks of `host`. Keys that come with a module are left out: it may not
/// be loaded yet.
pub fn files(host: &Host) -> Vec<String> {
    let sysctls = host.kernel.sysctls.keys().filter(|key| module(key).is_none());
    let pages = host.kernel.tuning.hugepages.keys();
    sysctls.map(|key| sysctl::path(key)).chain(pages.map(|size| hugepages(*size))).collect()
}

/// Most of the memory that may be set aside: the rest of the host has to live, too.
const MOST_PERCENT: u64 = 80;

pub(super) fn settings(subject: &Subject<'_>) -> Vec<Found> {
    let missing = |host: &Host, path: &String| {
        subject.measured.missing_settings.get(&host.name).is_some_and(|missing| missing.contains(path))
    };
    let found = |host: &Host, message: String, hint: String| Found {
        host: Some(host.name.clone()),
        message,
        hint,
        severity: None,
    };
    let mut all = Vec::new();
    for (host, facts) in subject.hosts() {
        for key in host.kernel.sysctls.keys().filter(|key| missing(host, &sysctl::path(key))) {
            let hint = match like(key) {
                Some(known) => format!("did you mean {known}? `sysctl -a` on the host lists its keys"),
                None => "correct kernel.sysctls in the inventory; `sysctl -a` on the host lists its keys".to_owned(),
            };
            all.push(found(host, format!("the kernel has no sysctl {key}, which the inventory sets"), hint));
        }
        let pages = &host.kernel.tuning.hugepages;
        for size in pages.keys().filter(|size| missing(host, &hugepages(**size))) {
            let hint = format!("correct kernel.hugepages in the inventory; {HUGEPAGES} on the host has its sizes");
            all.push(found(host, format!("the kernel has no huge pages of {} KiB", size >> 10), hint));
        }
        let wanted = pages.iter().fold(0_u64, |sum, (size, count)| sum.saturating_add(size.saturating_mul(*count)));
        if wanted / MOST_PERCENT > facts.memory / 100 {
            let message = format!(
                "kernel.hugepages sets {} MiB aside, and the host has {} MiB of memory",
                wanted >> 20,
                facts.memory >> 20
            );
            all.push(found(host, message, format!("leave at least {} % to everything else", 100 - MOST_PERCENT)));
        }
    }
    all
}

/// The key of the profile that is most like `key`.
fn like(key: &str) -> Option<&'static str> {
    nearest(key, ROWS.iter().map(|row| row.key))
}
