//! No swap, now and after a reboot. What is taken away is marked, so that a reset can bring it back.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::super::atomic::{self, Attributes};
use super::super::command::Command;
use super::super::machine::{Machine, STATE, found};
use super::super::proc;
use super::super::protocol::{Action, Failure};
use super::text::unified;
use super::{Context, Observed, Pending, stopped};

const FSTAB: &str = "/etc/fstab";
const MARK: &str = "# kubewright swap: ";

/// Names of the swap units that were masked, one a line.
pub(in crate::host) fn masked() -> String {
    format!("{STATE}/masked-swap")
}

/// What swapped before the first run, with its priority: `PRIORITY PATH`, one a line.
pub(in crate::host) fn before() -> String {
    format!("{STATE}/swaps-before")
}

/// What still swaps, now or after a reboot.
pub(super) fn observe<'a>(cx: &Context) -> Observed<'a> {
    let mut pending = Vec::new();
    let fstab = cx.machine.text(FSTAB)?.unwrap_or_default();
    let without = comment_out(&fstab);
    if without != fstab {
        let diff = Some(unified(FSTAB, &fstab, &without));
        let summary = "swap is not mounted at boot";
        let mend = move |cx: &Context| rewrite(&cx.machine, &without);
        pending.push(Pending::new("swap in /etc/fstab", Action::Update, summary, mend).with_diff(diff));
    }
    let swaps = proc::swaps(&cx.machine.text("/proc/swaps")?.unwrap_or_default());
    if !swaps.is_empty() {
        let summary = format!("off: {}", swaps.join(", "));
        pending.push(Pending::new("swap", Action::Stop, summary, move |cx| off(cx, &swaps)));
    }
    Ok(pending)
}

fn off(cx: &Context, swaps: &[String]) -> Result<(), Failure> {
    remember(cx)?;
    mask(cx)?;
    for swap in swaps {
        // Pages come back into memory one by one.
        let command = Command::new("swapoff").arg(swap).deadline(Duration::from_secs(600));
        let still = |cx: &Context| Ok(proc::swaps(&cx.machine.text("/proc/swaps")?.unwrap_or_default()));
        if still(cx)?.contains(swap) {
            cx.run(&format!("swap {swap}"), &command).map_err(|failure| match failure.hint {
                Some(_) => failure,
                None => failure.hint("free some memory: what is swapped out must fit into it"),
            })?;
        }
    }
    Ok(())
}

/// Remembers what swaps now, beside what is known from an earlier run.
fn remember(cx: &Context) -> Result<(), Failure> {
    let mut text = cx.machine.text(&before())?.unwrap_or_default();
    let swaps = proc::swap_priorities(&cx.machine.text("/proc/swaps")?.unwrap_or_default());
    // Compressed memory is made anew by the service that made it.
    for (path, priority) in swaps.into_iter().filter(|(path, _)| !path.starts_with("/dev/zram")) {
        if !noted(&text).any(|(_, known)| known == path) {
            text.push_str(&format!("{priority} {path}\n"));
        }
    }
    cx.machine.own_directory(STATE)?;
    let attributes = Attributes { mode: 0o600, owner: None };
    let noted = atomic::write(&cx.machine.root.at(before()), text.as_bytes(), attributes);
    noted.map_err(|error| Failure::new(format!("swap: writing {}", before()), error))
}

/// Priorities and paths of what [`remember`] has written.
fn noted(text: &str) -> impl Iterator<Item = (i32, &str)> {
    text.lines().filter_map(|line| line.split_once(' ')).filter_map(|(number, path)| Some((number.parse().ok()?, path)))
}

/// Turns on what swapped before the first run; the note goes last.
pub(in crate::host) fn turn_on(machine: &Machine) -> Result<(), Failure> {
    let text = machine.text(&before())?.unwrap_or_default();
    let on = proc::swaps(&machine.text("/proc/swaps")?.unwrap_or_default());
    let mut failures = Vec::new();
    for (priority, path) in noted(&text).filter(|(_, path)| !on.iter().any(|on| on == path)) {
        let command = Command::new("swapon");
        // Those below zero are given by the kernel itself, in order.
        let command = if priority < 0 { command } else { command.args(["-p", &priority.to_string()]) };
        let run = machine.system.run(&command.args(["--", path]));
        failures.extend(run.err().map(|error| Failure::command(&format!("swap {path}"), &error)));
    }
    if let Some(failure) = Failure::all(failures) {
        return Err(failure);
    }
    let removed = found(fs::remove_file(machine.root.at(before())));
    removed.map(drop).map_err(|error| Failure::new(format!("removing {}", before()), error))
}

/// Masks the units that would swap again: systemd also makes them from partition types, without any file.
fn mask(cx: &Context) -> Result<(), Failure> {
    let list = Command::new("systemctl").args(["list-units", "--type=swap", "--all", "--plain", "--no-legend"]);
    let listed = cx.run("swap", &list)?.text();
    let unit = |line: &'_ str| {
        let mut words = line.split_whitespace();
        // What somebody else has masked is not ours to give back.
        words.next().filter(|_| words.next() != Some("masked")).map(str::to_owned)
    };
    let units: Vec<String> = listed.lines().filter_map(unit).collect();
    let units: Vec<&str> = units.iter().map(String::as_str).collect();
    if units.is_empty() {
        return Ok(());
    }
    let known = cx.machine.text(&masked())?.unwrap_or_default();
    let mut all: Vec<&str> = known.lines().chain(units.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    cx.machine.own_directory(STATE)?;
    let attributes = Attributes { mode: 0o600, owner: None };
    let noted = atomic::write(&cx.machine.root.at(masked()), (all.join("\n") + "\n").as_bytes(), attributes);
    noted.map_err(|error| Failure::new(format!("swap: writing {}", masked()), error))?;
    // A mask cannot stand where an administrator has put a file of his own.
    let own = |unit: &&str| cx.machine.root.at(format!("/etc/systemd/system/{unit}")).is_file();
    let (own, units): (Vec<&str>, Vec<&str>) = units.into_iter().partition(own);
    own.into_iter().try_for_each(|unit| stopped::forbid(cx, unit))?;
    if units.is_empty() {
        return Ok(());
    }
    // Not `--now`: stopping a swap unit of a file that fstab no longer has would fail; swapoff follows.
    let command = Command::new("systemctl").args(["mask", "--no-reload", "--"]).args(units);
    cx.run("swap", &command).map(drop)
}

/// The swap that an earlier run turned off is to be on again.
pub(super) fn observe_back<'a>(cx: &Context) -> Observed<'a> {
    let mut pending = Vec::new();
    if !cx.machine.text(&masked())?.unwrap_or_default().is_empty() {
        pending.push(Pending::new("swap units", Action::Update, "unmasked", |cx| unmask(&cx.machine)));
    }
    let fstab = cx.machine.text(FSTAB)?.unwrap_or_default();
    let restored = restore(&fstab);
    if restored != fstab {
        let diff = Some(unified(FSTAB, &fstab, &restored));
        let mend = move |cx: &Context| rewrite(&cx.machine, &restored);
        pending.push(Pending::new("swap in /etc/fstab", Action::Update, "brought back", mend).with_diff(diff));
    }
    if cx.machine.exists(&before())? {
        pending.push(Pending::new("swap", Action::Start, "on again", |cx| turn_on(&cx.machine)));
    }
    Ok(pending)
}

/// Unmasks the units that [`mask`] has noted; the note goes last.
pub(in crate::host) fn unmask(machine: &Machine) -> Result<(), Failure> {
    let units = machine.text(&masked())?.unwrap_or_default();
    for unit in units.lines() {
        found(fs::remove_file(machine.root.at(stopped::drop_in(unit))))
            .map_err(|error| Failure::new(format!("removing {}", stopped::drop_in(unit)), error))?;
        let _ = fs::remove_dir(machine.root.at(format!("/etc/systemd/system/{unit}.d")));
    }
    let command = Command::new("systemctl").args(["unmask", "--no-reload", "--"]).args(units.lines());
    machine.system.run(&command).map_err(|error| Failure::command("swap units", &error))?;
    let removed = found(fs::remove_file(machine.root.at(masked())));
    removed.map(drop).map_err(|error| Failure::new(format!("removing {}", masked()), error))
}

/// Every swap line becomes a comment that remembers it.
fn comment_out(fstab: &str) -> String {
    let swaps = |line: &str| {
        let mut fields = line.split_whitespace();
        let first = fields.next();
        first.is_some_and(|first| !first.starts_with('#')) && fields.nth(1) == Some("swap")
    };
    let line = |line: &str| if swaps(line) { format!("{MARK}{line}") } else { line.to_owned() };
    fstab.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The original of [`comment_out`].
pub(in crate::host) fn restore(fstab: &str) -> String {
    fstab.split('\n').map(|line| line.strip_prefix(MARK).unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Replaces /etc/fstab, keeping its mode and owner.
pub(in crate::host) fn rewrite(machine: &Machine, content: &str) -> Result<(), Failure> {
    let path = machine.root.at(FSTAB);
    // A link stays a link: the file that it leads to changes.
    let path = fs::canonicalize(&path).unwrap_or(path);
    let written = fs::metadata(&path).and_then(|meta| {
        let attributes = Attributes { mode: meta.mode() & 0o7777, owner: Some((meta.uid(), meta.gid())) };
        atomic::write(&path, content.as_bytes(), attributes)
    });
    written.map_err(|error| Failure::new("writing /etc/fstab", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_lines_are_marked_and_restored() {
        let fstab = "UUID=a / ext4 defaults 0 1\n# UUID=b none swap sw 0 0\nUUID=c\tnone\tswap\tsw\t0\t0\n/swap /x swapfs - 0 0\n";
        let without = comment_out(fstab);
        insta::assert_snapshot!(without.replace('\t', " "), @"
        UUID=a / ext4 defaults 0 1
        # UUID=b none swap sw 0 0
        # kubewright swap: UUID=c none swap sw 0 0
        /swap /x swapfs - 0 0
        ");
        assert_eq!(comment_out(&without), without);
        assert_eq!(restore(&without), fstab);
        assert_eq!(comment_out(""), "");
    }
}
