//! Interrupts of network cards, each on its CPU.

use std::fmt::Write as _;

use super::super::irq::{self, Differences, Setting, Survey, Value, Written};
use super::super::protocol::{Action, Failure};
use super::{Context, Observe, Observed, Outcome, Pending};
use crate::cluster::{Irqbalance, Spread};

impl Observe for Spread {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let survey = Survey::new(&cx.machine, self)?;
        let mut differences = survey.differences(&cx.machine)?;
        let (mut pending, mut refused) = (Vec::new(), Vec::new());
        for nic in &survey.nics {
            let cores = survey.cores(nic);
            let change = match card(cx, self, nic.name.clone(), cores) {
                Ok(None) => continue,
                Ok(Some(change)) => change,
                Err(failure) => {
                    refused.push(failure);
                    continue;
                }
            };
            pending.push(change);
            // Its interrupts are others afterwards.
            if differences.iter().all(|found| found.of != nic.name) {
                differences.push(Differences { of: nic.name.clone(), settings: Vec::new() });
            }
        }
        // First, or it would move them away again.
        let interrupts = survey.interrupts();
        let renumbered = !pending.is_empty();
        if self.irqbalance == Irqbalance::Ban
            && !interrupts.is_empty()
            && (renumbered || irq::irqbalance_difference(&cx.machine, &interrupts)?.is_some())
        {
            let summary = "leaves the interrupts of network cards alone";
            pending.push(Pending::deciding("irqbalance", Action::Update, summary, |cx| tell(cx, self)));
        }
        pending.extend(differences.into_iter().map(|found| spread(self, found.of, &found.settings)));
        // Told last: a card whose queues cannot be changed keeps no interrupt from its place.
        pending.extend(refused.into_iter().map(|failure| {
            let summary = format!("cannot be done: {}", failure.why);
            Pending::new(failure.what.clone(), Action::Update, summary, move |_| Err(failure))
        }));
        Ok(pending)
    }
}

/// Tells irqbalance of the interrupts that there are now.
fn tell(cx: &Context, how: &Spread) -> Result<Outcome, Failure> {
    let interrupts = Survey::new(&cx.machine, how)?.interrupts();
    match irq::irqbalance_difference(&cx.machine, &interrupts)? {
        Some(settings) => irq::tell_irqbalance(&cx.machine, &settings).map(|()| Outcome::Made),
        None => Ok(Outcome::NotNeeded),
    }
}

/// Queues and rings, where they are asked for. The program that knows them may only come with this very run.
fn card<'a>(cx: &Context, how: &'a Spread, nic: String, cores: usize) -> Result<Option<Pending<'a>>, Failure> {
    if !irq::asks_for_cards(how) {
        return Ok(None);
    }
    let title = format!("card {nic}");
    let summary = if irq::knows_cards(&cx.machine) {
        let changes = irq::card_changes(&cx.machine, &nic, cores, how)?;
        if changes.is_empty() {
            return Ok(None);
        }
        changes.into_iter().map(|change| change.summary).collect::<Vec<_>>().join(", ")
    } else {
        "queues and rings as asked for, as soon as there is ethtool".to_owned()
    };
    let change = move |cx: &Context| {
        let changes = irq::card_changes(&cx.machine, &nic, cores, how)?;
        changes.iter().try_for_each(|change| change.make(&cx.machine, &nic))?;
        Ok(if changes.is_empty() { Outcome::NotNeeded } else { Outcome::Made })
    };
    Ok(Some(Pending::deciding(title, Action::Update, summary, change)))
}

/// The settings of one card as one change: nobody wants to read forty lines for forty queues.
fn spread<'a>(how: &'a Spread, name: String, differences: &[(Setting, Value)]) -> Pending<'a> {
    let summary = match differences {
        [] => "spread again".to_owned(),
        [(setting, now)] => format!("{} {} → {}", setting.path, now.show(), setting.wanted.show()),
        many => format!("{} settings", many.len()),
    };
    let mut diff = String::new();
    for (setting, now) in differences {
        // Writing to a text cannot fail.
        let _ = writeln!(diff, "{}: {} → {}", setting.path, now.show(), setting.wanted.show());
    }
    let diff = (differences.len() > 1).then(|| diff.trim_end().to_owned());
    let title = format!("interrupts of {name}");
    Pending::deciding(title, Action::Update, summary, move |cx| apply(cx, how, &name)).with_diff(diff)
}

/// Looks again, because a card's interrupts are new when its queues are, and writes what differs.
fn apply(cx: &Context, how: &Spread, name: &str) -> Result<Outcome, Failure> {
    let machine = &cx.machine;
    let (mut failures, mut outcome) = (Vec::new(), Outcome::NotNeeded);
    let differences = Survey::new(machine, how)?.differences(machine)?;
    // What all cards share may only be needed since this one has other queues.
    let differences = differences.into_iter().filter(|found| found.of == name || found.of == irq::SHARED);
    for (setting, _) in differences.flat_map(|found| found.settings) {
        match setting.write(machine) {
            Ok(Written::Done) => outcome = Outcome::Made,
            Ok(Written::Managed(number)) => irq::note_managed(machine, number)?,
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures).map_or(Ok(outcome), Err)
}
