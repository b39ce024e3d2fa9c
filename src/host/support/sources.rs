//! Everything that is collected on a host, as one list.

use std::path::PathBuf;
use std::time::Duration;

use super::super::command::Command;
use super::super::machine::Machine;
use super::super::protocol::Failure;
use super::super::{facts, probe};
use super::{Collect, journal, pods, tail};

/// Where a source comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    /// What the installer knows of a host.
    Facts,
    /// Subjects and ends of certificates.
    Certificates,
    /// States of the units that matter.
    Units,
    /// What a program prints.
    Program(&'static [&'static str]),
    /// What the kernel tells.
    Kernel(&'static str),
    /// The journals of our units, a source each.
    Journals,
    /// The logs of pods in kube-system, a source for each log.
    Pods,
}

const SOURCES: &[(&str, From)] = &[
    ("facts.json", From::Facts),
    ("certificates.txt", From::Certificates),
    ("units.txt", From::Units),
    ("units-of-all.txt", From::Program(&["systemctl", "list-units", "--all", "--plain", "--no-pager", "--no-legend"])),
    ("containers.txt", From::Program(&["crictl", "ps", "--all"])),
    ("kernel.log", From::Program(&["dmesg"])),
    ("clock.txt", From::Program(&["timedatectl", "status"])),
    ("disks.txt", From::Program(&["df", "-T"])),
    ("inodes.txt", From::Program(&["df", "-i"])),
    ("addresses.txt", From::Program(&["ip", "address"])),
    ("routes.txt", From::Program(&["ip", "route", "show", "table", "all"])),
    ("sockets.txt", From::Program(&["ss", "-lntu"])),
    ("mounts.txt", From::Kernel("/proc/mounts")),
    ("memory.txt", From::Kernel("/proc/meminfo")),
    ("load.txt", From::Kernel("/proc/loadavg")),
    ("logs/units/", From::Journals),
    ("logs/pods/", From::Pods),
];

/// How long a program may take: one that hangs must not cost what comes after it.
const DEADLINE: Duration = Duration::from_secs(20);
/// Programs that the cluster image brings.
const PROGRAMS: &str = "/opt/kubewright/bin";

/// One thing to read.
enum Source {
    Facts,
    Certificates,
    Units,
    Program(&'static [&'static str]),
    Kernel(&'static str),
    Journal(String),
    Log(PathBuf),
}

/// The names of all sources of this host, those of logs that were written in the last `seconds`.
pub(in super::super) fn names(machine: &Machine, seconds: u64) -> Result<Vec<String>, Failure> {
    Ok(listed(machine, seconds)?.into_iter().map(|(name, _)| name).collect())
}

/// The end of a source, as it is: secrets in it.
pub(super) fn read(machine: &Machine, wanted: &Collect) -> Result<String, Failure> {
    let listed = listed(machine, wanted.seconds)?;
    let found = listed.into_iter().find(|(name, _)| *name == wanted.source);
    let gone = || Failure::new(format!("collecting {}", wanted.source), "it is no longer there");
    let text = match found.ok_or_else(gone)?.1 {
        Source::Facts => serde_json::to_string_pretty(&facts::gather(machine)?).unwrap_or_default() + "\n",
        Source::Certificates => certificates(machine)?,
        Source::Units => journal::states(machine)?,
        Source::Program(words) => program(machine, words)?,
        Source::Kernel(path) => return tail::kernel(machine, path, wanted.bytes),
        Source::Journal(unit) => journal::journal(machine, &unit, wanted.seconds, wanted.bytes)?,
        Source::Log(path) => return pods::log(&path, wanted.bytes),
    };
    Ok(tail::of_text(&text, wanted.bytes))
}

fn listed(machine: &Machine, seconds: u64) -> Result<Vec<(String, Source)>, Failure> {
    let mut listed = Vec::new();
    for (name, from) in SOURCES {
        let one = |source| (String::from(*name), source);
        match from {
            From::Facts => listed.push(one(Source::Facts)),
            From::Certificates => listed.push(one(Source::Certificates)),
            From::Units => listed.push(one(Source::Units)),
            From::Program(words) => listed.push(one(Source::Program(words))),
            From::Kernel(path) => listed.push(one(Source::Kernel(path))),
            From::Journals => {
                let units = journal::units(machine)?;
                listed.extend(units.into_iter().map(|unit| (format!("{name}{unit}.log"), Source::Journal(unit))));
            }
            From::Pods => {
                let logs = pods::logs(machine, seconds)?;
                listed.extend(logs.into_iter().map(|(log, path)| (format!("{name}{log}"), Source::Log(path))));
            }
        }
    }
    Ok(listed)
}

fn certificates(machine: &Machine) -> Result<String, Failure> {
    let certificates = probe::certificates(machine)?;
    let line = |one: &super::super::protocol::CertificateDates| {
        format!("{} {} until {}\n", one.path, one.common_name, one.not_after)
    };
    Ok(certificates.iter().map(line).collect())
}

fn program(machine: &Machine, words: &[&str]) -> Result<String, Failure> {
    let Some((program, arguments)) = words.split_first() else { return Ok(String::new()) };
    let command =
        Command::new(*program).args(arguments.iter().copied()).deadline(DEADLINE).also_in(machine.root.at(PROGRAMS));
    let output = machine.system.run(&command).map_err(|error| Failure::command("collecting", &error))?;
    Ok(output.text())
}
