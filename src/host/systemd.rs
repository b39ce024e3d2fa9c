//! systemd through systemctl: what it says of units, and what their files are called.

use std::collections::BTreeMap;
use std::time::Duration;

use super::command::Command;
use super::machine::Machine;
use super::protocol::{Failure, Probed};

/// Where units and their drop-ins are written.
pub(super) const UNIT_FILES: &str = "/etc/systemd/system/";
/// How long a unit may take to start or stop.
pub(super) const DEADLINE: Duration = Duration::from_secs(180);
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

/// Has systemd do something.
pub(super) fn systemctl(machine: &Machine, what: &str, words: &[&str]) -> Result<(), Failure> {
    let command = Command::new("systemctl").args(words.iter().copied()).deadline(DEADLINE);
    machine.system.run(&command).map(drop).map_err(|error| Failure::command(what, &error))
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

/// How often systemd has restarted `name` by itself; the journal only where it has.
pub(super) fn restarts_of(machine: &Machine, name: &str) -> Result<Probed, Failure> {
    let command = Command::new("systemctl").args(["show", "-p", "NRestarts", "--value", "--", name]);
    let what = format!("unit {name}");
    let output = machine.system.run(&command).map_err(|error| Failure::command(&what, &error))?;
    let restarts = output.text().trim().parse().unwrap_or(0);
    let last_lines = if restarts == 0 { String::new() } else { journal(machine, name) };
    Ok(Probed::Restarts { restarts, last_lines })
}

/// The unit's last lines; the failure that they explain matters more than a journal that cannot be read.
pub(super) fn journal(machine: &Machine, name: &str) -> String {
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
        let well = Probed::Restarts { restarts: 0, last_lines: String::new() };
        assert_eq!(restarts_of(&host.machine, "kubelet.service").unwrap(), well);
        host.expect(ask, "4\n");
        host.expect("journalctl -u kubelet.service -n 20 --no-pager -o cat", "no such flag\n");
        let crashing = Probed::Restarts { restarts: 4, last_lines: "no such flag".into() };
        assert_eq!(restarts_of(&host.machine, "kubelet.service").unwrap(), crashing);
        host.done();
    }
}
