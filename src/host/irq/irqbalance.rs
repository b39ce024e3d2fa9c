//! irqbalance, told to leave our interrupts alone. It takes numbers, and those are others after each boot: so they stand
//! in a file below /run that its unit reads (a drop-in of ours), and nowhere else.

use std::collections::BTreeSet;
use std::fs;

use super::super::atomic::{self, Attributes};
use super::super::command::Command;
use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::super::systemd;

pub(in crate::host) const UNIT: &str = "irqbalance.service";
const SETTINGS: &str = "/run/kubewright/irqbalance.env";
const UNIT_FILES: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// What the file should say, where it says something else; none where there is no irqbalance.
pub(in crate::host) fn difference(machine: &Machine, ours: &BTreeSet<u32>) -> Result<Option<String>, Failure> {
    if !systemd::is_there(machine)? {
        return Ok(None);
    }
    let mut unit = None;
    for directory in UNIT_FILES {
        unit = unit.or(machine.text(&format!("{directory}/{UNIT}"))?);
    }
    let Some(unit) = unit else { return Ok(None) };
    let Some(variable) = variable(&unit) else {
        let hint = "write `irqbalance: stop` under `kernel.irq`";
        let why = "its unit takes no arguments from a variable, so that nothing can be left out of its work";
        return Err(Failure::new(UNIT, why).hint(hint));
    };
    let mut arguments = String::new();
    for path in environment_files(&unit) {
        arguments = machine.text(path)?.and_then(|text| assigned(&text, variable)).unwrap_or(arguments);
    }
    let banned: String = ours.iter().map(|number| format!(" --banirq={number}")).collect();
    let wanted =
        format!("# Written by kubewright at each boot.\n{variable}=\"{}\"\n", format!("{arguments}{banned}").trim());
    let now = machine.text(SETTINGS)?;
    Ok((now.as_deref() != Some(&wanted)).then_some(wanted))
}

/// Writes it; an irqbalance that runs reads it at once.
pub(in crate::host) fn tell(machine: &Machine, settings: &str) -> Result<(), Failure> {
    let path = machine.root.at(SETTINGS);
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| atomic::write(&path, settings.as_bytes(), Attributes { mode: 0o644, owner: None }));
    written.map_err(|error| Failure::new(format!("writing {SETTINGS}"), error))?;
    restart(machine)
}

/// Whether it has been told.
pub(in crate::host) fn is_told(machine: &Machine) -> Result<bool, Failure> {
    machine.exists(SETTINGS)
}

/// Takes back what it was told.
pub(in crate::host) fn release(machine: &Machine) -> Result<(), Failure> {
    let removed = fs::remove_file(machine.root.at(SETTINGS));
    removed.map_err(|error| Failure::new(format!("removing {SETTINGS}"), error))?;
    restart(machine)
}

/// One that does not run is not started.
fn restart(machine: &Machine) -> Result<(), Failure> {
    let restart = Command::new("systemctl").args(["try-restart", "--", UNIT]);
    machine.system.run(&restart).map(drop).map_err(|error| Failure::command(UNIT, &error))
}

/// The variable in the unit's command line.
fn variable(unit: &str) -> Option<&str> {
    let command = unit.lines().filter_map(|line| line.strip_prefix("ExecStart=")).next_back()?;
    let after = command.split_once('$')?.1.trim_start_matches('{');
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
    Some(&after[..end]).filter(|name| !name.is_empty())
}

fn environment_files(unit: &str) -> impl Iterator<Item = &str> {
    unit.lines().filter_map(|line| line.strip_prefix("EnvironmentFile=")).map(|path| path.trim_start_matches('-'))
}

/// What a file of variables gives `variable`, without its quotes.
fn assigned(text: &str, variable: &str) -> Option<String> {
    let value = |line: &str| line.trim().strip_prefix(variable)?.strip_prefix('=').map(|value| value.trim().to_owned());
    let value = text.lines().filter_map(value).next_back()?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::*;

    const DEBIAN: &str = "[Service]\nEnvironmentFile=-/usr/lib/irqbalance/defaults.env\n\
        EnvironmentFile=-/etc/default/irqbalance\nExecStart=/usr/sbin/irqbalance --foreground $IRQBALANCE_ARGS\n";
    const CENTOS: &str = "[Service]\nEnvironmentFile=/etc/sysconfig/irqbalance\n\
        ExecStart=/usr/sbin/irqbalance --foreground ${OPTIONS}\n";

    fn host(unit: &str) -> Scripted {
        let host = Scripted::new();
        host.put("/run/systemd/system/x", "");
        host.put("/lib/systemd/system/irqbalance.service", unit);
        host
    }

    #[test]
    fn the_hosts_own_arguments_are_kept() {
        let ours = BTreeSet::from([24, 25]);
        let host = host(DEBIAN);
        host.put("/etc/default/irqbalance", "#IRQBALANCE_ARGS=\nIRQBALANCE_ARGS=\"--hintpolicy=exact\"\n");
        let wanted = difference(&host.machine, &ours).unwrap().unwrap();
        assert!(wanted.ends_with("\nIRQBALANCE_ARGS=\"--hintpolicy=exact --banirq=24 --banirq=25\"\n"), "{wanted}");
        host.expect("systemctl try-restart -- irqbalance.service", "");
        tell(&host.machine, &wanted).unwrap();
        host.done();
        assert_eq!(difference(&host.machine, &ours).unwrap(), None);
        assert!(difference(&host.machine, &BTreeSet::from([26])).unwrap().is_some(), "numbers change with a boot");
        host.expect("systemctl try-restart -- irqbalance.service", "");
        release(&host.machine).unwrap();
        host.done();
        assert!(!is_told(&host.machine).unwrap());
    }

    #[test]
    fn other_distributions_have_other_names() {
        let ours = BTreeSet::from([24]);
        let wanted = difference(&host(CENTOS).machine, &ours).unwrap().unwrap();
        assert!(wanted.ends_with("\nOPTIONS=\"--banirq=24\"\n"), "{wanted}");
        let silent = difference(&host("[Service]\nExecStart=/usr/sbin/irqbalance -f\n").machine, &ours).unwrap_err();
        assert!(silent.hint.unwrap().contains("irqbalance: stop"));
        let none = Scripted::new();
        none.put("/run/systemd/system/x", "");
        assert_eq!(difference(&none.machine, &ours).unwrap(), None);
    }
}
