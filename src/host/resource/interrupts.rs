//! Interrupts of network cards, each on its CPU.

use std::fmt::Write as _;

use super::super::irq::{self, CardChange, Setting, Survey, Value, Written};
use super::super::protocol::{Action, Failure};
use super::{Context, Observe, Observed, Outcome, Pending};
use crate::cluster::{Irqbalance, Spread};

impl Observe for Spread {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let survey = Survey::new(&cx.machine, self)?;
        let mut differences = survey.differences(&cx.machine)?;
        let mut pending = Vec::new();
        for nic in &survey.nics {
            let changes = irq::card_changes(&cx.machine, &nic.name, survey.cores(nic), self)?;
            if !changes.is_empty() {
                // Its interrupts are others afterwards.
                if differences.iter().all(|(name, _)| *name != nic.name) {
                    differences.push((nic.name.clone(), Vec::new()));
                }
                pending.push(card(nic.name.clone(), changes));
            }
        }
        pending.extend(differences.into_iter().map(|(name, settings)| spread(self, name, &settings)));
        if self.irqbalance == Irqbalance::Ban
            && !survey.interrupts().is_empty()
            && let Some(settings) = irq::irqbalance_difference(&cx.machine, &survey.interrupts())?
        {
            let summary = format!("leaves {} interrupts alone", survey.interrupts().len());
            pending.push(Pending::deciding("irqbalance", Action::Update, summary, move |cx| {
                // Numbers may have changed with the queues.
                let ours = Survey::new(&cx.machine, self)?.interrupts();
                let settings = irq::irqbalance_difference(&cx.machine, &ours)?.unwrap_or(settings);
                irq::tell_irqbalance(&cx.machine, &settings).map(|()| Outcome::Made)
            }));
        }
        Ok(pending)
    }
}

fn card<'a>(nic: String, changes: Vec<CardChange>) -> Pending<'a> {
    let summary = changes.iter().map(|change| change.summary.as_str()).collect::<Vec<_>>().join(", ");
    Pending::new(format!("card {nic}"), Action::Update, summary, move |cx| {
        changes.iter().try_for_each(|change| change.make(&cx.machine, &nic))
    })
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
    for (setting, _) in differences.into_iter().filter(|(known, _)| known == name).flat_map(|(_, settings)| settings) {
        match setting.write(machine) {
            Ok(Written::Done) => outcome = Outcome::Made,
            Ok(Written::Managed(number)) => irq::note_managed(machine, number)?,
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures).map_or(Ok(outcome), Err)
}
