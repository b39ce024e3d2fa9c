//! Which process is which. A process id alone may belong to somebody else by the time it is used; with the time its
//! process started, it does not, and only such processes are ever signalled.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{LabError, files};

/// A process, told from every other that had or will have its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcessId {
    pid: i32,
    /// Clock ticks since boot.
    started: u64,
}

impl ProcessId {
    /// The process that has this number now; none when it has ended.
    pub(super) fn of(pid: i32) -> Option<Self> {
        let stat = Stat::of(pid)?;
        (!stat.ended).then_some(Self { pid, started: stat.started })
    }

    /// This process.
    pub(super) fn own() -> Option<Self> {
        Self::of(Pid::this().as_raw())
    }

    pub(super) fn pid(self) -> i32 {
        self.pid
    }

    pub(super) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends `signal` if the process is still the same one.
    pub(super) fn signal(self, signal: Signal) {
        if self.is_alive() {
            // It may end in between; then there is nothing left to do.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Writes it down.
    pub(super) fn record(self, path: &Path) -> Result<(), LabError> {
        files::write(path, format!("{} {}\n", self.pid, self.started), 0o600)
    }

    /// The process that was written down, if it still runs.
    pub(super) fn recorded(path: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(path).ok()?).filter(|process| process.is_alive())
    }

    fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok().filter(|pid| *pid > 1)?, started: started.parse().ok()? })
    }
}

/// Kills the processes of a group that are in a network namespace: what a kernel leaves behind when it dies alone.
/// The namespace is the proof that the number still means that kernel's group. Returns how many there were.
pub(super) fn kill_group(group: i32, namespace: u64) -> usize {
    let mut count = 0;
    for pid in pids() {
        let inside = || fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|found| found.ino() == namespace);
        if Stat::of(pid).is_some_and(|stat| stat.group == group && !stat.ended) && inside() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            count += 1;
        }
    }
    count
}

/// The processes in a network namespace.
pub(super) fn in_namespace(namespace: u64) -> Vec<ProcessId> {
    let inside = |pid: &i32| fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|found| found.ino() == namespace);
    pids().into_iter().filter(inside).filter_map(ProcessId::of).collect()
}

/// Sends `signal` to a process and to everything that it, or what it has started, has started.
pub(super) fn signal_family(pid: u32, signal: Signal) {
    let stats: Vec<(i32, Stat)> = pids().into_iter().filter_map(|pid| Some((pid, Stat::of(pid)?))).collect();
    let mut family = vec![pid.cast_signed()];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(stats.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    // The children first: a parent that sees them end may do so, too, and one that starts others cannot any more.
    for process in family.into_iter().rev().filter_map(ProcessId::of) {
        process.signal(signal);
    }
}

/// The parents of this process, up to the first.
pub(super) fn ancestors() -> Vec<i32> {
    let mut pid = Pid::this().as_raw();
    let mut all = vec![pid];
    while let Some(stat) = Stat::of(pid).filter(|stat| stat.parent > 0 && !all.contains(&stat.parent)) {
        pid = stat.parent;
        all.push(pid);
    }
    all
}

fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The part of /proc/PID/stat that matters here.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ended: bool,
    parent: i32,
    group: i32,
    started: u64,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The program's name, in parentheses, may itself hold spaces and parentheses; the rest follows the last one.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
        Some(Self {
            ended: matches!(*fields.first()?, "Z" | "X" | "x"),
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
pub(super) fn is_running(pid: i32) -> bool {
    ProcessId::of(pid).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_any_program_name() {
        let rest = "S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 2 3";
        for name in ["linux.uml", "a b", "x) S 1 2 (", ")"] {
            let stat = Stat::parse(&format!("42 ({name}) {rest}")).unwrap();
            assert_eq!(stat, Stat { ended: false, parent: 7, group: 42, started: 123_456 });
        }
        assert!(Stat::parse(&format!("42 (x) {}", rest.replacen('S', "Z", 1))).unwrap().ended);
        for bad in ["", "42 (x", "42 (x) S 1", "42 (x) S a b c"] {
            assert_eq!(Stat::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_process_with_another_start_is_another_process() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        let other = ProcessId { started: own.started + 1, ..own };
        assert!(!other.is_alive());
        // Would end this test if it were believed.
        other.signal(Signal::SIGKILL);
    }

    #[test]
    fn only_a_living_process_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let own = ProcessId::own().unwrap();
        own.record(&path).unwrap();
        assert_eq!(ProcessId::recorded(&path), Some(own));
        for other in ["", "junk", "1 0", "-1 5", &format!("{} 1", own.pid)] {
            fs::write(&path, other).unwrap();
            assert_eq!(ProcessId::recorded(&path), None, "{other}");
        }
        assert!(ancestors().contains(&own.pid));
    }

    #[test]
    fn a_group_outside_the_namespace_is_left_alone() {
        let group = Stat::of(Pid::this().as_raw()).unwrap().group;
        // This test's own group, in a namespace that is not this one.
        assert_eq!(kill_group(group, 1), 0);
    }
}
