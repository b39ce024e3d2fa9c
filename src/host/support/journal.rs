//! The units of a cluster: their states, and what they have said.

use std::time::Duration;

use super::super::command::Command;
use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::super::systemd;

/// Whoever has made them.
const UNITS: &[&str] = &["etcd", "containerd", "kubelet", "haproxy", "keepalived"];
/// How ours are called.
const OURS: &str = "kubewright-";
const STATE: &str = "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,NRestarts,NeedDaemonReload,\
                     ActiveEnterTimestamp,InactiveEnterTimestamp";
/// A journal that is read from a slow disk.
const DEADLINE: Duration = Duration::from_secs(40);
/// Fewer bytes than most lines have: so many lines are surely enough.
const LINE: u64 = 64;

/// Units of the host that matter, those that were written by whoever installs.
pub(super) fn units(machine: &Machine) -> Result<Vec<String>, Failure> {
    let mut units: Vec<String> = UNITS.iter().map(|unit| format!("{unit}.service")).collect();
    let ours = |name: &String| name.starts_with(OURS) && name.ends_with(".service") && !systemd::is_template(name);
    units.extend(machine.names(systemd::UNIT_FILES)?.into_iter().filter(ours));
    Ok(units)
}

/// How each of them is.
pub(super) fn states(machine: &Machine) -> Result<String, Failure> {
    let command = Command::new("systemctl").args(["show", "--no-pager", "-p", STATE, "--"]).args(units(machine)?);
    let output = machine.system.run(&command).map_err(|error| Failure::command("collecting", &error))?;
    Ok(output.text())
}

/// What a unit has said in the last `seconds`, about `bytes` of it.
pub(super) fn journal(machine: &Machine, unit: &str, seconds: u64, bytes: u64) -> Result<String, Failure> {
    let since = format!("--since=-{seconds}s");
    let lines = (bytes / LINE).max(1).to_string();
    let command =
        Command::new("journalctl").args(["-u", unit, &since, "-n", &lines, "--no-pager", "-q", "-o", "short-iso"]);
    let output = machine.system.run(&command.deadline(DEADLINE));
    Ok(output.map_err(|error| Failure::command("collecting", &error))?.text())
}
