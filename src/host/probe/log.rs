//! The last words of something that does not run as it should.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::machine::{Machine, found};
use super::super::protocol::{Failure, LogOf, Probed};
use super::super::systemd;

const PODS: &str = "/var/log/pods";
/// How much of a file's end is read.
const READ: u64 = 64 << 10;
/// Most lines that are told.
const LINES: usize = 15;
/// Most bytes of them, and of one of them.
const BYTES: usize = 4096;
const LINE: usize = 1024;

pub(super) fn probe(machine: &Machine, of: &LogOf) -> Result<Probed, Failure> {
    let lines = match of {
        LogOf::Unit { name } => last(systemd::journal(machine, name).lines().map(str::to_owned).collect()),
        LogOf::Container { pod, container } => {
            let last_words = || said(&logs(machine, pod, container)?);
            last_words().map_err(|error| unreadable(pod, container, error))?
        }
    };
    Ok(Probed::Log { lines })
}

/// The API knows this of containers, too; but the kubelet of a master cannot tell it while its own API server is what
/// crashes.
pub(super) fn restarts(machine: &Machine, of: &LogOf) -> Result<Probed, Failure> {
    match of {
        LogOf::Unit { name } => systemd::restarts_of(machine, name),
        LogOf::Container { pod, container } => {
            let look = || {
                let logs = logs(machine, pod, container)?;
                let restarts = logs.first().map_or(0, |log| number(&log.path));
                let lines = if restarts == 0 { Vec::new() } else { said(&logs)? };
                Ok(Probed::Restarts { restarts, last_lines: lines.join("\n") })
            };
            look().map_err(|error| unreadable(pod, container, error))
        }
    }
}

fn unreadable(pod: &str, container: &str, error: io::Error) -> Failure {
    Failure::new(format!("reading the log of {container} in pod {pod}"), error)
}

/// The last words in the newest of `logs` that has any: a container that is about to start has said nothing yet, and one
/// that crashes may never say anything.
fn said(logs: &[Log]) -> io::Result<Vec<String>> {
    logs.iter().find(|log| log.bytes > 0).map_or_else(|| Ok(Vec::new()), |log| tail(&log.path))
}

/// The kubelet numbers the logs of a container by its restarts.
fn number(path: &Path) -> u32 {
    path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok()).unwrap_or(0)
}

fn tail(path: &Path) -> io::Result<Vec<String>> {
    Ok(last(messages(&end(path)?)))
}

/// One log of a container.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Log {
    modified: SystemTime,
    path: PathBuf,
    bytes: u64,
}

/// The logs of a container of a pod in kube-system, the newest one first: those of the pod's latest incarnation. What an
/// earlier one said is not why this one does not run.
fn logs(machine: &Machine, pod: &str, container: &str) -> io::Result<Vec<Log>> {
    let mut logs = Vec::new();
    for name in machine.names(PODS).map_err(io::Error::other)? {
        if !name.starts_with(&format!("kube-system_{pod}_")) {
            continue;
        }
        let directory = machine.root.at(format!("{PODS}/{name}/{container}"));
        let Some(entries) = found(fs::read_dir(&directory))? else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|end| end != "log") {
                continue;
            }
            if let Some(meta) = found(fs::metadata(&path))? {
                logs.push(Log { modified: meta.modified()?, path, bytes: meta.len() });
            }
        }
    }
    logs.sort_by(|one: &Log, other| other.cmp(one));
    let latest = logs.first().and_then(|log| log.path.parent().map(Path::to_owned));
    logs.retain(|log| log.path.parent() == latest.as_deref());
    Ok(logs)
}

/// The end of a file, from the beginning of a line on.
fn end(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(READ);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match text.split_once('\n') {
        Some((_, whole)) if start > 0 => whole.to_owned(),
        _ => text,
    })
}

/// The messages in a log as the runtime writes it: time, stream, `F` or `P` for a part of a line, message.
fn messages(log: &str) -> Vec<String> {
    let (mut messages, mut begun) = (Vec::new(), String::new());
    for line in log.lines() {
        let mut fields = line.splitn(4, ' ');
        let (tag, message) = match (fields.next(), fields.next(), fields.next(), fields.next()) {
            (Some(_), Some("stdout" | "stderr"), Some(tag), message) => (tag, message.unwrap_or_default()),
            _ => ("F", line),
        };
        begun.push_str(message);
        if !tag.split(':').any(|tag| tag == "P") {
            messages.push(std::mem::take(&mut begun));
        }
    }
    if !begun.is_empty() {
        messages.push(begun);
    }
    messages
}

/// What of `lines` is told: the last ones that are not blank, each of a bearable length.
fn last(lines: Vec<String>) -> Vec<String> {
    let mut left = BYTES;
    let mut told = Vec::new();
    for line in lines.iter().rev().map(|line| line.trim_end()).filter(|line| !line.is_empty()).take(LINES) {
        let mut length = line.len().min(LINE);
        while !line.is_char_boundary(length) {
            length -= 1;
        }
        let Some(rest) = left.checked_sub(length) else { break };
        left = rest;
        told.push(if length < line.len() { format!("{}…", &line[..length]) } else { line.to_owned() });
    }
    told.reverse();
    told
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::testing::Scripted;
    use super::*;

    #[test]
    fn what_the_runtime_adds_is_taken_away() {
        let log = "2026-11-24T10:00:00.1Z stderr F Error: no such flag\n\
                   2026-11-24T10:00:00.2+08:00 stdout P half of a \n\
                   2026-11-24T10:00:00.3+08:00 stdout F line\n\
                   2026-11-24T10:00:00.4Z stderr F \n\
                   not of that form\n\
                   2026-11-24T10:00:00.5Z stderr P cut off";
        assert_eq!(messages(log), ["Error: no such flag", "half of a line", "", "not of that form", "cut off"]);
    }

    #[test]
    fn only_the_last_lines_are_told() {
        let numbered: Vec<String> = (0..40).map(|number| format!("line {number}  ")).collect();
        let told = last(numbered);
        assert_eq!((told.len(), told[0].as_str(), told[14].as_str()), (15, "line 25", "line 39"));
        let long = last(vec!["é".repeat(3000); 9]);
        assert_eq!(long.len(), 4);
        assert!(long[0].len() <= LINE + '…'.len_utf8() && long[0].ends_with('…'));
        assert_eq!(last(vec![String::new(), "a".into(), " ".into()]), ["a"]);
    }

    #[test]
    fn the_newest_log_of_the_latest_incarnation_is_read() {
        let host = Scripted::new();
        let path =
            |uid: &str, file: &str| format!("/var/log/pods/kube-system_kube-apiserver-m1_{uid}/kube-apiserver/{file}");
        let since = SystemTime::now() - Duration::from_secs(600);
        for (age, path, message) in [
            (9, path("old", "0.log"), "the old one runs"),
            (3, path("new", "1.log"), "the new one crashes"),
            (2, path("new", "0.log.20261124"), "rotated"),
            (1, path("new", "2.log"), ""),
            (0, "/var/log/pods/kube-system_kube-apiserver-m10_x/kube-apiserver/0.log".to_owned(), "another pod"),
        ] {
            let line = if message.is_empty() { String::new() } else { format!("2026Z stderr F {message}\n") };
            host.put(&path, &line);
            let file = File::options().write(true).open(host.at(&path)).unwrap();
            file.set_modified(since - Duration::from_secs(age)).unwrap();
        }
        let of = |pod: &str| LogOf::Container { pod: pod.into(), container: "kube-apiserver".into() };
        let told = probe(&host.machine, &of("kube-apiserver-m1")).unwrap();
        assert_eq!(told, Probed::Log { lines: vec!["the new one crashes".into()] });
        let told = restarts(&host.machine, &of("kube-apiserver-m1")).unwrap();
        assert_eq!(told, Probed::Restarts { restarts: 2, last_lines: "the new one crashes".into() });
        // One that never says anything is restarted all the same.
        host.put(&path("silent", "3.log"), "");
        let told = restarts(&host.machine, &of("kube-apiserver-m1")).unwrap();
        assert_eq!(told, Probed::Restarts { restarts: 3, last_lines: String::new() });
        let told = probe(&host.machine, &of("kube-apiserver-m1")).unwrap();
        assert_eq!(told, Probed::Log { lines: Vec::new() });
        assert_eq!(probe(&host.machine, &of("kube-scheduler-m1")).unwrap(), Probed::Log { lines: Vec::new() });
        assert_eq!(probe(&Scripted::new().machine, &of("x")).unwrap(), Probed::Log { lines: Vec::new() });
    }

    #[test]
    fn only_the_end_of_a_long_log_is_read() {
        let host = Scripted::new();
        let lines: String = (0..20_000).map(|number| format!("2026Z stdout F line {number}\n")).collect();
        host.put("/x", &lines);
        let end = end(&host.at("/x")).unwrap();
        assert!(end.len() < 64 << 10 && end.starts_with("2026Z stdout F line "), "{}", &end[..40]);
        assert_eq!(last(messages(&end))[14], "line 19999");
    }

    #[test]
    fn a_unit_tells_by_its_journal() {
        let host = Scripted::new();
        host.expect("journalctl -u kubelet.service -n 20 --no-pager -o cat", "one\n\ntwo\n");
        let told = probe(&host.machine, &LogOf::Unit { name: "kubelet.service".into() }).unwrap();
        assert_eq!(told, Probed::Log { lines: vec!["one".into(), "two".into()] });
        host.done();
    }
}
