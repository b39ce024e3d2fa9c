//! One walk over desired parts serves both questions: *diff* collects what is found, *converge* mends it. The two
//! cannot drift apart, because a finding carries its description and its mending together.

use super::machine::Machine;
use super::protocol::{Change, Event, Failure, PartChanges};
use super::resource::{Context, Outcome, Pending, observe, units};
use crate::desired::state::{Part, PartState, Resource};

/// What would change? Every resource is looked at, also when some of them cannot be.
pub(super) fn diff(machine: &Machine, parts: &[PartState]) -> Result<Vec<PartChanges>, Failure> {
    let mut work = Diff::default();
    walk(&Context::new(machine, parts)?, parts, &mut work)?;
    match Failure::all(work.failures) {
        Some(failure) => Err(failure),
        None => Ok(work.found.parts),
    }
}

/// Brings the parts about, in order, and stops at the first failure: what comes later builds on it.
pub(super) fn converge(
    machine: &Machine,
    parts: &[PartState],
    events: &mut dyn FnMut(Event),
) -> Result<Vec<PartChanges>, Failure> {
    let mut work = Converge { made: Collected::default(), events };
    walk(&Context::new(machine, parts)?, parts, &mut work)?;
    Ok(work.made.parts)
}

trait Work {
    fn take(&mut self, cx: &Context, part: Part, observed: Result<Vec<Pending>, Failure>) -> Result<(), Failure>;
}

fn walk(cx: &Context, parts: &[PartState], work: &mut dyn Work) -> Result<(), Failure> {
    for (index, state) in parts.iter().enumerate() {
        let part = state.part;
        for resource in &state.resources {
            if matches!(resource, Resource::Unit(_)) {
                work.take(cx, part, units::reload(cx))?;
            }
            work.take(cx, part, observe(resource, cx))?;
        }
        units::reload_written(cx)?;
        let later = parts[index + 1..].iter().flat_map(|state| &state.resources);
        work.take(cx, part, units::restarts(cx, &state.resources, later))?;
    }
    Ok(())
}

#[derive(Default)]
struct Collected {
    parts: Vec<PartChanges>,
}

impl Collected {
    fn add(&mut self, part: Part, change: Change) {
        match self.parts.last_mut().filter(|last| last.part == part) {
            Some(last) => last.changes.push(change),
            None => self.parts.push(PartChanges { part, changes: vec![change] }),
        }
    }
}

#[derive(Default)]
struct Diff {
    found: Collected,
    failures: Vec<Failure>,
}

impl Work for Diff {
    fn take(&mut self, _: &Context, part: Part, observed: Result<Vec<Pending>, Failure>) -> Result<(), Failure> {
        match observed {
            Ok(pending) => pending.into_iter().for_each(|pending| self.found.add(part, pending.change)),
            Err(failure) => self.failures.push(failure),
        }
        Ok(())
    }
}

struct Converge<'a> {
    made: Collected,
    events: &'a mut dyn FnMut(Event),
}

impl Work for Converge<'_> {
    fn take(&mut self, cx: &Context, part: Part, observed: Result<Vec<Pending>, Failure>) -> Result<(), Failure> {
        for Pending { change, mend } in observed? {
            (self.events)(Event::Changing { part, resource: change.resource.clone() });
            if mend(cx)? == Outcome::Made {
                (self.events)(Event::Changed { part, change: change.clone() });
                self.made.add(part, change);
            }
        }
        Ok(())
    }
}
