//! A unit of the distribution that gets into the way: stopped, disabled, and kept from starting by whoever asks for it
//! (D-Bus, a socket, another unit). A drop-in does that rather than a mask, which cannot stand where an administrator
//! has put a file of his own. How the unit was before is noted first, so that it can be given back exactly.

use std::fs;

use super::super::atomic::{self, Attributes};
use super::super::command::Command;
use super::super::machine::{Machine, STATE, found};
use super::super::protocol::{Action, Failure};
use super::super::systemd::{self, UnitState};
use super::{Context, Observed, Pending};
use crate::desired::state::ForeignUnit;

const UNIT_FILES: &str = "/etc/systemd/system";
const DROP_IN: &str = "kubewright.conf";
/// The root directory is always there, so this never holds.
pub(super) const NEVER: &str = "\
# Written by kubewright: this unit gets into the way of the cluster. `kubewright reset` gives it back.
[Unit]
ConditionPathExists=!/
";
const ENABLED: &str = "enabled";
const RUNNING: &str = "running";

/// Notes of how units were before, one file each.
pub(in crate::host) fn notes() -> String {
    format!("{STATE}/stopped")
}

/// What keeps the unit called `name` from starting.
pub(super) fn drop_in(name: &str) -> String {
    format!("{UNIT_FILES}/{name}.d/{DROP_IN}")
}

/// The unit runs, or might.
pub(super) fn observe<'a>(unit: &'a ForeignUnit, cx: &Context) -> Observed<'a> {
    let name = &unit.name;
    let state = cx.units()?.get(name).cloned().unwrap_or_default();
    let (runs, wanted) = (runs(&state), cx.is_wanted(name)?);
    // One that is not there, or that the administrator has masked, does not start.
    if matches!(state.load.as_str(), "" | "not-found") || (state.load == "masked" && !runs) {
        return Ok(Vec::new());
    }
    let held = cx.machine.text(&drop_in(name))?.is_some_and(|text| text == NEVER);
    if !runs && !wanted && held {
        return Ok(Vec::new());
    }
    let (action, summary) = match runs {
        true => (Action::Stop, format!("{} → stopped, and kept from starting", state.active)),
        false => (Action::Update, "kept from starting".to_owned()),
    };
    Ok(vec![Pending::new(format!("unit {name}"), action, summary, move |cx| stop(cx, name, runs, wanted))])
}

fn runs(state: &UnitState) -> bool {
    !matches!(state.active.as_str(), "" | "inactive" | "failed")
}

fn stop(cx: &Context, name: &str, runs: bool, wanted: bool) -> Result<(), Failure> {
    let what = format!("unit {name}");
    note(&cx.machine, name, runs, wanted)?;
    if runs {
        cx.systemctl(&what, &["stop", "--", name])?;
    }
    forbid(cx, name)?;
    if wanted {
        cx.run(&what, &Command::new("systemctl").args(["disable", "--no-reload", "--", name]))?;
    }
    Ok(())
}

/// Keeps a unit from starting, whoever wrote its file.
pub(super) fn forbid(cx: &Context, name: &str) -> Result<(), Failure> {
    let path = drop_in(name);
    let place = cx.machine.root.at(&path);
    cx.make_parents(&path, &place)?;
    let written = atomic::write(&place, NEVER.as_bytes(), Attributes { mode: 0o644, owner: None });
    cx.unit_file_changed(&path);
    written.map_err(|error| Failure::new(format!("writing {path}"), error))
}

/// The first note counts: what is seen later has been through our hands.
fn note(machine: &Machine, name: &str, runs: bool, wanted: bool) -> Result<(), Failure> {
    let path = format!("{}/{name}", notes());
    if machine.exists(&path)? {
        return Ok(());
    }
    let words = [(wanted, ENABLED), (runs, RUNNING)].into_iter().filter(|(is, _)| *is);
    let text: String = words.map(|(_, word)| format!("{word}\n")).collect();
    let place = machine.own_directory(&notes())?.join(name);
    let written = atomic::write(&place, text.as_bytes(), Attributes { mode: 0o600, owner: None });
    written.map_err(|error| Failure::new(format!("noting how {name} was in {path}"), error))
}

/// Names of the units of which there are notes.
pub(in crate::host) fn noted(machine: &Machine) -> Result<Vec<String>, Failure> {
    Ok(machine.names(&notes())?.into_iter().filter(|name| !atomic::is_ours(name)).collect())
}

/// The unit is to be as it was, where it was ever stopped.
pub(super) fn observe_back<'a>(unit: &'a ForeignUnit, cx: &Context) -> Observed<'a> {
    let name = &unit.name;
    let Some(note) = cx.machine.text(&format!("{}/{name}", notes()))? else { return Ok(Vec::new()) };
    Ok(vec![Pending::new(format!("unit {name}"), Action::Update, told(&note), move |cx| {
        *cx.units.borrow_mut() = None;
        give_back(&cx.machine, name)
    })])
}

/// What giving back comes to.
pub(in crate::host) fn told(note: &str) -> String {
    let words: Vec<&str> = note.lines().collect();
    if words.is_empty() { "may start again".to_owned() } else { format!("given back: {}", words.join(", ")) }
}

/// Makes a unit as its note says; the note goes last.
pub(in crate::host) fn give_back(machine: &Machine, name: &str) -> Result<(), Failure> {
    let what = format!("unit {name}");
    let path = format!("{}/{name}", notes());
    let note = machine.text(&path)?.unwrap_or_default();
    let run = |words: &[&str]| systemd::systemctl(machine, &what, words);
    let remove = |path: &str| {
        let removed = found(fs::remove_file(machine.root.at(path)));
        removed.map(drop).map_err(|error| Failure::new(format!("removing {path}"), error))
    };
    remove(&drop_in(name))?;
    // Somebody else's drop-ins may be beside it.
    let _ = fs::remove_dir(machine.root.at(format!("{UNIT_FILES}/{name}.d")));
    let state = systemd::show(machine, &what, [name])?.remove(name).unwrap_or_default();
    if !matches!(state.load.as_str(), "" | "not-found") {
        let was = |word: &str| note.lines().any(|line| line == word);
        if state.need_reload {
            run(&["daemon-reload"])?;
        }
        if was(ENABLED) {
            run(&["enable", "--no-reload", "--", name])?;
        }
        if was(RUNNING) && !runs(&state) {
            run(&["start", "--", name])?;
        }
    }
    remove(&path)
}
