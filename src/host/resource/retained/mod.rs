//! What stays of earlier versions: programs, container images, blobs and agents beyond what is wanted, what is in use and
//! what can be rolled back to are taken away.

mod agents;
mod blobs;
mod components;
mod images;
mod uses;

use std::collections::BTreeSet;

use super::{Context, Observe, Observed};
use crate::desired::state::Retained;
use uses::Uses;

impl Observe for Retained {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let others = usize::try_from(self.others).unwrap_or(usize::MAX);
        let uses = Uses::of(&cx.machine);
        let mut kept: BTreeSet<String> = self.blobs.iter().cloned().collect();
        let mut pending = components::observe(self, others, &uses, &cx.machine, &mut kept)?;
        let known = images::observe(self, others, &uses, &cx.machine, &mut kept)?;
        // Without containerd nobody knows which images its blobs are still good for.
        if let Some(images) = known {
            pending.extend(images);
            pending.extend(blobs::observe(kept, &cx.machine)?);
        }
        pending.extend(agents::observe(others, &uses, &cx.machine)?);
        Ok(pending)
    }
}

/// One of several versions that are not wanted any more.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version<T> {
    what: T,
    /// When it came to the host; only compared.
    came: std::time::SystemTime,
    used: bool,
}

/// Those of `versions` that go when `others` of them stay: what is in use stays, then what came last.
fn surplus<T>(mut versions: Vec<Version<T>>, others: usize) -> (Vec<T>, Vec<T>) {
    versions.sort_by_key(|version| (!version.used, std::cmp::Reverse(version.came)));
    let used = versions.iter().filter(|version| version.used).count();
    let gone = versions.split_off(others.max(used).min(versions.len()));
    let what = |versions: Vec<Version<T>>| versions.into_iter().map(|version| version.what).collect();
    (what(versions), what(gone))
}

/// How many stay, in words.
fn staying(others: usize) -> String {
    match others {
        0 => "no longer in use, and no other version is retained".to_owned(),
        1 => "no longer in use, and a newer one is retained".to_owned(),
        others => format!("no longer in use, and {others} newer ones are retained"),
    }
}
