//! The last runs: their logs read, and each stage as a bar where it stands in its run.

use std::path::Path;

use serde::Serialize;

use super::super::log::{End, KeptLog, Run};
use super::judge::State;
use crate::redact::{self, Known};

/// Runs that are shown.
const SHOWN: usize = 10;

/// What the logs of a cluster tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The last runs, the latest first.
    pub runs: Vec<Run>,
    /// Logs that could not be read, each with why.
    pub skipped: Vec<String>,
    /// How many runs that only looked lie between them.
    pub looked: usize,
}

/// A run as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// Verb.
    pub verb: String,
    /// When it began.
    pub began: String,
    /// How it ended.
    pub state: State,
    /// The same in words.
    pub end: &'static str,
    /// Why it failed; empty where it did not, or nobody knows.
    pub why: String,
    /// How long it took.
    pub took: String,
    /// Changes made.
    pub changed: usize,
    /// Hosts of the inventory.
    pub hosts: usize,
    /// A bar for each stage.
    pub bars: Vec<Bar>,
    /// Lines of the log that could not be understood.
    pub odd_lines: usize,
}

/// A stage within its run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// Name.
    pub name: String,
    /// How it ended.
    pub state: State,
    /// Where it begins, and how long it is, of 100.
    pub left: String,
    /// Its length.
    pub width: String,
    /// How long it took.
    pub took: String,
    /// Changes made in it.
    pub changed: usize,
}

impl History {
    /// Reads the logs in `directory`. The run of the process `at_work`, where there is one, goes on.
    pub fn read(directory: &Path, at_work: Option<u32>) -> Self {
        let mut history = Self::default();
        let logs = KeptLog::all(directory).unwrap_or_else(|why| {
            history.skipped.push(why);
            Vec::new()
        });
        for log in logs {
            if log.only_looked() {
                history.looked += 1;
                continue;
            }
            match log.read() {
                Ok(mut run) => {
                    if run.end == End::CutOff && at_work.is_some() && log.process == at_work {
                        run.end = End::AtWork;
                    }
                    history.runs.push(run);
                }
                Err(why) => history.skipped.push(format!("{}: {why}", log.name())),
            }
            if history.runs.len() == SHOWN {
                break;
            }
        }
        history
    }
}

/// A run as it is shown.
pub(super) fn shown(run: &Run) -> Shown {
    let (state, end, why) = match &run.end {
        End::Done => (State::Good, "done", ""),
        End::Failed(why) => (State::Bad, "failed", why.as_str()),
        End::CutOff => (State::Warn, "cut off", ""),
        End::AtWork => (State::Good, "at work", ""),
    };
    let bars = run.stages.iter().map(|stage| {
        let took = stage.took.unwrap_or((run.took - stage.begins).max(0.0));
        let of_run = |seconds: f64| if run.took > 0.0 { (seconds / run.took * 100.0).clamp(0.0, 100.0) } else { 0.0 };
        let left = of_run(stage.begins);
        let state = match (stage.took, stage.ok) {
            (None, _) => State::Warn,
            (_, true) => State::Good,
            (_, false) => State::Bad,
        };
        Bar {
            name: stage.name.clone(),
            state,
            left: format!("{left:.1}"),
            width: format!("{:.1}", of_run(took).min(100.0 - left)),
            took: stage.took.map_or_else(|| "not ended".to_owned(), duration),
            changed: stage.changed,
        }
    });
    Shown {
        verb: run.verb.clone(),
        began: run.began.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        state,
        end,
        // Whoever is shown the page need not be one who may read the logs.
        why: redact::text(why, &Known::default()),
        took: duration(run.took),
        changed: run.changed,
        hosts: run.hosts,
        bars: bars.collect(),
        odd_lines: run.odd_lines,
    }
}

/// `0.3 s`, `42.1 s`, `3 min 07 s`, `1 h 03 min`.
fn duration(seconds: f64) -> String {
    // A whole number of seconds fits, and a float that does not is cut off at the end of the range.
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(
            [0.04, 59.4, 59.9, 187.0, 3780.0].map(duration),
            ["0.0 s", "59.4 s", "1 min 00 s", "3 min 07 s", "1 h 03 min"]
        );
    }

    #[test]
    fn the_last_runs_that_did_something_are_shown_and_rubbish_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let line = |verb: &str| {
            format!("{{\"event\":\"run-started\",\"hosts\":1,\"time\":\"2026-11-29T04:00:00Z\",\"verb\":\"{verb}\"}}\n")
        };
        let write = |name: &str, text: &[u8]| std::fs::write(directory.path().join(name), text).unwrap();
        for minute in 10..30 {
            write(&format!("20261129T04{minute}00Z-install-{minute}.log"), line("install").as_bytes());
            write(&format!("20261129T04{minute}01Z-status-{minute}.log"), line("status").as_bytes());
        }
        write("20261129T050000Z-reset-1.log", b"\xff\xfe\0 no log at all");
        write("20261129T050001Z-upgrade-1.log", b"");
        write("notes.txt", b"dear diary");
        std::fs::create_dir(directory.path().join("20261129T050002Z-install-1.log")).unwrap();
        let history = History::read(directory.path(), Some(28));
        assert_eq!((history.runs.len(), history.looked), (SHOWN, 10));
        assert_eq!((&history.runs[0].end, &history.runs[1].end), (&End::CutOff, &End::AtWork));
        let skipped = [
            "20261129T050002Z-install-1.log: it is no regular file",
            "20261129T050001Z-upgrade-1.log: it is empty",
            "20261129T050000Z-reset-1.log: its first line is no event",
        ];
        assert_eq!(history.skipped, skipped);
        assert_eq!(History::read(&directory.path().join("nowhere"), None), History::default());
    }

    #[test]
    fn errors_of_runs_are_shown_without_secrets() {
        let log = concat!(
            r#"{"event":"run-started","hosts":1,"time":"2026-11-29T04:00:00Z","verb":"install"}"#,
            "\n",
            r#"{"error":"m1: login with password=grape-97\nAuthorization: Bearer x7","event":"run-failed","time":"2026-11-29T04:00:06Z"}"#,
        );
        let shown = shown(&Run::read(log.lines()).unwrap());
        assert_eq!(shown.why, "m1: login with password=[redacted]\nAuthorization: [redacted]");
    }
}
