//! The units of a request: one look at all of them, starts that do not block for ever, and what is owed to them after
//! files changed.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::super::command::Command;
use super::super::protocol::{Action, Failure};
use super::super::systemd::{DEADLINE, UNIT_FILES, UnitState, is_there, journal, show, unit_of};
use super::{Context, Pending};
use crate::desired::state::Resource;

/// How long a `Type=notify` unit is waited for while it is starting: an etcd member only becomes active with a
/// quorum, which may need hosts that are prepared after this one. A gate proves its health, not this wait.
const SETTLE: Duration = Duration::from_secs(15);

impl Context {
    /// The units of this request, looked at once until something changes them.
    pub(in crate::host) fn units(&self) -> Result<Rc<BTreeMap<String, UnitState>>, Failure> {
        if let Some(units) = &*self.units.borrow() {
            return Ok(Rc::clone(units));
        }
        let units = if self.mentioned.is_empty() || !is_there(&self.machine)? {
            Rc::default()
        } else {
            Rc::new(show(&self.machine, "units", self.mentioned.iter().map(String::as_str))?)
        };
        *self.units.borrow_mut() = Some(Rc::clone(&units));
        Ok(units)
    }

    /// Something at `path` changed; systemd may have read it.
    pub(in crate::host) fn unit_file_changed(&self, path: &str) {
        if unit_of(path).is_some() {
            self.wrote_unit_files.set(true);
            self.unit_files_changed.set(true);
            *self.units.borrow_mut() = None;
        }
    }

    /// Runs systemctl for `what`; what was seen of units is stale afterwards.
    pub(in crate::host) fn systemctl(&self, what: &str, arguments: &[&str]) -> Result<(), Failure> {
        *self.units.borrow_mut() = None;
        let command = Command::new("systemctl").args(arguments.iter().copied()).deadline(DEADLINE);
        self.run(what, &command).map(drop)
    }

    /// Whether `name` starts at boot, by the links on disk: systemd remembers its own answer until it is reloaded.
    pub(in crate::host) fn is_wanted(&self, name: &str) -> Result<bool, Failure> {
        for directory in self.machine.names(UNIT_FILES)? {
            let wants = directory.ends_with(".wants") || directory.ends_with(".requires");
            if wants && self.machine.exists(&format!("{UNIT_FILES}{directory}/{name}"))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A unit whose files are not what systemd has read. A new unit needs no reload, and that matters: on a slow host a
/// reload takes seconds.
fn stale(cx: &Context) -> Result<Option<&str>, Failure> {
    let units = cx.units()?;
    for name in &cx.mentioned {
        let Some(unit) = units.get(name) else { continue };
        // Before systemd 248, a unit that another one mentions stays unknown once it was looked for in vain; and one
        // that failed is remembered beyond its file, as an error, in any version.
        let unknown = ["not-found", "error"].contains(&unit.load.as_str());
        let unknown = unknown && cx.machine.exists(&format!("{UNIT_FILES}{name}"))?;
        if unit.need_reload || unknown {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// The reload that somebody else's change, or that of a killed run, has made necessary.
pub(in crate::host) fn reload<'a>(cx: &Context) -> Result<Vec<Pending<'a>>, Failure> {
    // What this run writes itself is reloaded where units start, and is no change of its own.
    if cx.reload_told.get() || cx.wrote_unit_files.get() {
        return Ok(Vec::new());
    }
    let Some(name) = stale(cx)? else { return Ok(Vec::new()) };
    cx.reload_told.set(true);
    let summary = format!("daemon-reload: files of {name} changed");
    Ok(vec![Pending::new("systemd", Action::Update, summary, |cx| cx.systemctl("systemd", &["daemon-reload"]))])
}

/// Reloads what this run has written, where systemd must read it again.
pub(in crate::host) fn reload_written(cx: &Context) -> Result<(), Failure> {
    if cx.unit_files_changed.take() && stale(cx)?.is_some() {
        cx.systemctl("systemd", &["daemon-reload"])?;
    }
    Ok(())
}

/// Restarts and reloads that files of a part ask for, of units that no resource of the part or of a `later` one starts
/// itself.
pub(in crate::host) fn restarts<'a>(
    cx: &Context,
    resources: &[Resource],
    later: impl Iterator<Item = &'a Resource>,
) -> Result<Vec<Pending<'a>>, Failure> {
    let unit = |resource: &'a Resource| match resource {
        Resource::Unit(unit) => Some(unit.name.as_str()),
        _ => None,
    };
    let declared: Vec<&str> = later.filter_map(unit).collect();
    let mut pending = Vec::new();
    let asked = resources.iter().flat_map(|resource| {
        let (restarts, reloads): (&[String], &[String]) = match resource {
            Resource::File(file) => (&file.restarts, &file.reloads),
            Resource::Attribute(attribute) => (&attribute.restarts, &[]),
            _ => (&[], &[]),
        };
        let reloads = reloads.iter().map(|name| (name, reload_unit as fn(&str, &str) -> Pending<'a>));
        restarts.iter().map(|name| (name, restart as fn(&str, &str) -> Pending<'a>)).chain(reloads)
    });
    for (name, pending_of) in asked {
        let Some(cause) = cx.owes(name).filter(|_| !declared.contains(&name.as_str())) else { continue };
        if cx.units()?.get(name).is_some_and(|unit| unit.active != "inactive") {
            cx.told(name);
            pending.push(pending_of(name, &cause));
        }
    }
    Ok(pending)
}

/// A restart that is owed; the note goes when it is done.
pub(in crate::host) fn restart<'a>(name: &str, cause: &str) -> Pending<'a> {
    let unit = name.to_owned();
    Pending::new(format!("unit {name}"), Action::Restart, format!("restarts: {cause}"), move |cx| {
        bring_up(cx, &unit, "restart")
    })
}

/// A reload that is owed to a unit that is not ours; the note goes when it is done.
fn reload_unit<'a>(name: &str, cause: &str) -> Pending<'a> {
    let unit = name.to_owned();
    Pending::new(format!("unit {name}"), Action::Update, format!("reads its files again: {cause}"), move |cx| {
        bring_up(cx, &unit, "reload")
    })
}

/// Starts or restarts a unit and waits for the outcome; afterwards no restart is owed.
pub(in crate::host) fn bring_up(cx: &Context, name: &str, verb: &str) -> Result<(), Failure> {
    let what = format!("unit {name}");
    reload_written(cx)?;
    cx.systemctl(&what, &["--no-block", verb, "--", name])?;
    wait(cx, &what, name)?;
    cx.settle(name)
}

fn wait(cx: &Context, what: &str, name: &str) -> Result<(), Failure> {
    let system = &cx.machine.system;
    let since = system.elapsed();
    let mut pause = Duration::from_millis(100);
    loop {
        let unit = show(&cx.machine, what, [name])?.remove(name).unwrap_or_default();
        let waited = system.elapsed().saturating_sub(since);
        match verdict(&unit, waited) {
            Verdict::Up => return Ok(()),
            Verdict::Wait => {}
            Verdict::Down(why) => {
                let tail = journal(&cx.machine, name);
                let hint = format!("see journalctl -u {name} on the host");
                return Err(Failure::new(what, format!("{why}; its last lines:\n{tail}")).hint(hint));
            }
        }
        system.pause(pause);
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Up,
    Wait,
    Down(String),
}

fn verdict(unit: &UnitState, waited: Duration) -> Verdict {
    let state = format!("{} ({})", unit.active, unit.sub);
    match unit.active.as_str() {
        // Where it stood before the job began says nothing.
        _ if unit.job && !unit.is_starting() && waited < DEADLINE => Verdict::Wait,
        _ if unit.is_running() => Verdict::Up,
        "failed" => Verdict::Down(format!("it failed: {state}")),
        "activating" if unit.is_starting() && unit.kind.starts_with("notify") && waited >= SETTLE => Verdict::Up,
        "inactive" if unit.kind == "oneshot" => Verdict::Up,
        "inactive" if unit.load == "not-found" => Verdict::Down("systemd knows no such unit".into()),
        "inactive" if waited >= Duration::from_secs(3) => Verdict::Down(format!("it stopped again by itself: {state}")),
        "activating" if !unit.is_starting() && waited >= SETTLE * 4 => {
            Verdict::Down(format!("it keeps crashing: {state}"))
        }
        _ if waited >= DEADLINE => Verdict::Down(format!("it is still {state} after {} s", DEADLINE.as_secs())),
        _ => Verdict::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_ends_as_the_unit_tells() {
        let unit = |active: &str, sub: &str, kind: &str, job: bool| UnitState {
            active: active.into(),
            sub: sub.into(),
            kind: kind.into(),
            job,
            ..UnitState::default()
        };
        let seconds = Duration::from_secs;
        let table = [
            (unit("active", "running", "notify", false), 0, "up"),
            (unit("active", "running", "notify", true), 0, "wait"),
            (unit("deactivating", "stop-sigterm", "notify", true), 90, "wait"),
            (unit("deactivating", "stop-sigterm", "notify", true), 180, "down"),
            (unit("inactive", "dead", "notify", true), 1, "wait"),
            (unit("inactive", "dead", "simple", false), 4, "down"),
            (unit("inactive", "dead", "oneshot", false), 0, "up"),
            (unit("failed", "failed", "notify", true), 0, "wait"),
            (unit("failed", "failed", "notify", false), 0, "down"),
            (unit("activating", "start", "notify", true), 14, "wait"),
            (unit("activating", "start", "notify", true), 15, "up"),
            (unit("activating", "start", "oneshot", true), 15, "wait"),
            (unit("activating", "start", "oneshot", true), 180, "down"),
            (unit("activating", "auto-restart", "notify", false), 15, "wait"),
            (unit("activating", "auto-restart", "notify", false), 60, "down"),
        ];
        for (unit, waited, expected) in table {
            let verdict = match verdict(&unit, seconds(waited)) {
                Verdict::Up => "up",
                Verdict::Wait => "wait",
                Verdict::Down(_) => "down",
            };
            assert_eq!(verdict, expected, "{unit:?} after {waited} s");
        }
    }
}
