//! systemd through systemctl: one look at all units of a request, starts that do not block for ever, and what is
//! owed after files changed.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::command::Command;
use super::machine::Machine;
use super::protocol::{Action, Failure, Probed};
use super::resource::{Context, Pending};
use crate::desired::state::Resource;

/// Where units and their drop-ins are written.
const UNIT_FILES: &str = "/etc/systemd/system/";
/// How long a unit may take to start or stop.
pub(super) const DEADLINE: Duration = Duration::from_secs(180);
/// How long a `Type=notify` unit is waited for while it is starting: an etcd member only becomes active with a
/// quorum, which may need hosts that are prepared after this one. A gate proves its health, not this wait.
const SETTLE: Duration = Duration::from_secs(15);
const PROPERTIES: &str = "Id,Names,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Type,Job";

/// What systemd says of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct UnitState {
    pub(super) load: String,
    pub(super) active: String,
    pub(super) sub: String,
    pub(super) file: String,
    pub(super) need_reload: bool,
    pub(super) kind: String,
    /// A start, stop or restart is under way.
    pub(super) job: bool,
}

impl UnitState {
    pub(super) fn is_running(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }

    /// On its way up, without having crashed.
    pub(super) fn is_starting(&self) -> bool {
        self.active == "activating" && self.sub != "auto-restart"
    }
}

/// Whether process 1 is systemd; a directory that stands for a root has nothing that runs.
pub(super) fn is_there(machine: &Machine) -> Result<bool, Failure> {
    machine.exists("/run/systemd/system")
}

/// The blocks that `systemctl show` prints, by every name of their unit.
pub(super) fn parse(text: &str) -> BTreeMap<String, UnitState> {
    let mut units = BTreeMap::new();
    for block in text.split("\n\n") {
        let (mut names, mut unit) = (Vec::new(), UnitState::default());
        for (key, value) in block.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "Id" | "Names" => names.extend(value.split_whitespace().map(str::to_owned)),
                "LoadState" => unit.load = value.into(),
                "ActiveState" => unit.active = value.into(),
                "SubState" => unit.sub = value.into(),
                "UnitFileState" => unit.file = value.into(),
                "NeedDaemonReload" => unit.need_reload = value == "yes",
                "Type" => unit.kind = value.into(),
                "Job" => unit.job = !matches!(value, "" | "0"),
                _ => {}
            }
        }
        units.extend(names.into_iter().map(|name| (name, unit.clone())));
    }
    units
}

/// Asks systemd about `names` with one process.
pub(super) fn show<'a>(
    machine: &Machine,
    what: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, UnitState>, Failure> {
    let command = Command::new("systemctl").args(["show", "-p", PROPERTIES, "--"]).args(names);
    let output = machine.system.run(&command).map_err(|error| Failure::command(what, &error))?;
    Ok(parse(&output.text()))
}

impl Context {
    /// The units of this request, looked at once until something changes them.
    pub(super) fn units(&self) -> Result<Rc<BTreeMap<String, UnitState>>, Failure> {
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
    pub(super) fn unit_file_changed(&self, path: &str) {
        if unit_of(path).is_some() {
            self.wrote_unit_files.set(true);
            self.unit_files_changed.set(true);
            *self.units.borrow_mut() = None;
        }
    }

    /// Runs systemctl for `what`; what was seen of units is stale afterwards.
    pub(super) fn systemctl(&self, what: &str, arguments: &[&str]) -> Result<(), Failure> {
        *self.units.borrow_mut() = None;
        let command = Command::new("systemctl").args(arguments.iter().copied()).deadline(DEADLINE);
        self.run(what, &command).map(drop)
    }

    /// Whether `name` starts at boot, by the links on disk: systemd remembers its own answer until it is reloaded.
    pub(super) fn is_wanted(&self, name: &str) -> Result<bool, Failure> {
        for directory in self.machine.names(UNIT_FILES)? {
            let wants = directory.ends_with(".wants") || directory.ends_with(".requires");
            if wants && self.machine.exists(&format!("{UNIT_FILES}{directory}/{name}"))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The unit that reads the file at `path`: itself, or a drop-in.
pub(super) fn unit_of(path: &str) -> Option<&str> {
    let first = path.strip_prefix(UNIT_FILES)?.split('/').next()?;
    let name = first.strip_suffix(".d").unwrap_or(first);
    // `swap.d` is about all units of that type.
    (name.contains('.') && !is_template(name)).then_some(name)
}

/// Whether `name` stands for units and is none itself: systemctl refuses to be asked about it.
pub(super) fn is_template(name: &str) -> bool {
    name.contains("@.")
}

/// A unit whose files are not what systemd has read. A new unit needs no reload, and that matters: on a slow host a
/// reload takes seconds.
fn stale(cx: &Context) -> Result<Option<&str>, Failure> {
    let units = cx.units()?;
    for name in &cx.mentioned {
        let Some(unit) = units.get(name) else { continue };
        // Before systemd 248, a unit that another one mentions stays unknown once it was looked for in vain.
        let unknown = unit.load == "not-found" && cx.machine.exists(&format!("{UNIT_FILES}{name}"))?;
        if unit.need_reload || unknown {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// The reload that somebody else's change, or that of a killed run, has made necessary.
pub(super) fn reload<'a>(cx: &Context) -> Result<Vec<Pending<'a>>, Failure> {
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
pub(super) fn reload_written(cx: &Context) -> Result<(), Failure> {
    if cx.unit_files_changed.take() && stale(cx)?.is_some() {
        cx.systemctl("systemd", &["daemon-reload"])?;
    }
    Ok(())
}

/// Restarts and reloads that files of a part ask for, of units that no resource of the part or of a `later` one starts
/// itself.
pub(super) fn restarts<'a>(
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
    let files = resources.iter().filter_map(|resource| match resource {
        Resource::File(file) => Some(file),
        _ => None,
    });
    let asked = files.flat_map(|file| {
        let reloads = file.reloads.iter().map(|name| (name, reload_unit as fn(&str, &str) -> Pending<'a>));
        file.restarts.iter().map(|name| (name, restart as fn(&str, &str) -> Pending<'a>)).chain(reloads)
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
pub(super) fn restart<'a>(name: &str, cause: &str) -> Pending<'a> {
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
pub(super) fn bring_up(cx: &Context, name: &str, verb: &str) -> Result<(), Failure> {
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

/// How often systemd has restarted `name` by itself; the journal only where it has.
pub(super) fn restarts_of(machine: &Machine, name: &str) -> Result<Probed, Failure> {
    let command = Command::new("systemctl").args(["show", "-p", "NRestarts", "--value", "--", name]);
    let what = format!("unit {name}");
    let output = machine.system.run(&command).map_err(|error| Failure::command(&what, &error))?;
    let restarts = output.text().trim().parse().unwrap_or(0);
    let last_lines = if restarts == 0 { String::new() } else { journal(machine, name) };
    Ok(Probed::Unit { restarts, last_lines })
}

/// The unit's last lines; the failure that they explain matters more than a journal that cannot be read.
fn journal(machine: &Machine, name: &str) -> String {
    let command = Command::new("journalctl").args(["-u", name, "-n", "20", "--no-pager", "-o", "cat"]);
    match machine.system.run(&command.deadline(Duration::from_secs(20))) {
        Ok(output) => output.text().trim_end().to_owned(),
        Err(error) => format!("(none: {error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_shows_is_read_by_every_name() {
        let units = parse(
            "Id=etcd.service\nNames=etcd.service etcd2.service\nLoadState=loaded\nActiveState=activating\n\
             SubState=start\nUnitFileState=enabled\nNeedDaemonReload=no\nType=notify\nJob=812\n\n\
             Id=nope.service\nNames=nope.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n\
             UnitFileState=\nNeedDaemonReload=no\n",
        );
        let etcd = UnitState {
            load: "loaded".into(),
            active: "activating".into(),
            sub: "start".into(),
            file: "enabled".into(),
            need_reload: false,
            kind: "notify".into(),
            job: true,
        };
        assert_eq!(units["etcd.service"], etcd);
        assert_eq!(units["etcd2.service"], etcd);
        assert_eq!(units["nope.service"].load, "not-found");
        assert!(parse("").is_empty());
    }

    #[test]
    fn restarts_are_told_with_the_last_lines() {
        let host = super::super::testing::Scripted::new();
        let ask = "systemctl show -p NRestarts --value -- kubelet.service";
        host.expect(ask, "0\n");
        let well = Probed::Unit { restarts: 0, last_lines: String::new() };
        assert_eq!(restarts_of(&host.machine, "kubelet.service").unwrap(), well);
        host.expect(ask, "4\n");
        host.expect("journalctl -u kubelet.service -n 20 --no-pager -o cat", "no such flag\n");
        let crashing = Probed::Unit { restarts: 4, last_lines: "no such flag".into() };
        assert_eq!(restarts_of(&host.machine, "kubelet.service").unwrap(), crashing);
        host.done();
    }

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
