//! What the log of a run tells: one JSON event per line, as [`super::RunLog`] writes them. Pure: lines in, a
//! [`Run`] out. A log that ends in the middle is that of a run that was killed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A run, as its log tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Verb.
    pub verb: String,
    /// When it began.
    pub began: Timestamp,
    /// How it ended.
    pub end: End,
    /// Seconds from its beginning to its end, or to what was heard of it last.
    pub took: f64,
    /// Changes made.
    pub changed: usize,
    /// Hosts of the inventory.
    pub hosts: usize,
    /// Stages, in the order in which they began.
    pub stages: Vec<Stage>,
    /// Lines that could not be understood.
    pub odd_lines: usize,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// By itself.
    Done,
    /// Early, and why.
    Failed(String),
    /// Nobody knows: its log ends in the middle.
    CutOff,
    /// It goes on right now.
    AtWork,
}

/// A stage of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// Name.
    pub name: String,
    /// Seconds from the beginning of the run to its own.
    pub begins: f64,
    /// Seconds that it took; none where its end is not in the log.
    pub took: Option<f64>,
    /// Changes made in it.
    pub changed: usize,
    /// Whether it succeeded.
    pub ok: bool,
}

#[derive(Debug, Deserialize)]
struct Line {
    time: Timestamp,
    #[serde(flatten)]
    event: Logged,
}

/// As much of [`super::super::Event`] as is shown.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Logged {
    RunStarted {
        verb: String,
        hosts: usize,
    },
    StageStarted {
        stage: String,
    },
    StageFinished {
        stage: String,
        changed: usize,
        took: f64,
        ok: bool,
    },
    RunFailed {
        error: String,
    },
    RunFinished {
        changed: usize,
        failed: usize,
        took: f64,
    },
    LogEnded,
    #[serde(other)]
    Other,
}

impl Run {
    /// Reads the lines of a log; the error says why it is none.
    pub fn read<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Result<Self, String> {
        let mut lines = lines.into_iter().filter(|line| !line.as_ref().trim().is_empty());
        let first = lines.next().ok_or("it is empty")?;
        let (mut run, mut last) = match serde_json::from_str(first.as_ref()) {
            Ok(Line { time, event: Logged::RunStarted { verb, hosts } }) => (Self::began(verb, hosts, time), time),
            Ok(_) => return Err("it does not begin with the beginning of a run".to_owned()),
            Err(_) => return Err("its first line is no event".to_owned()),
        };
        // Most lines by far, and none of them matters.
        for line in lines.filter(|line| !line.as_ref().contains(r#""event":"sent""#)) {
            match serde_json::from_str(line.as_ref()) {
                Ok(Line { time, event }) => {
                    last = time;
                    run.take(time, event);
                }
                Err(_) => run.odd_lines += 1,
            }
        }
        if run.took == 0.0 {
            run.took = seconds(run.began, last);
        }
        Ok(run)
    }

    fn began(verb: String, hosts: usize, began: Timestamp) -> Self {
        Self { verb, began, end: End::CutOff, took: 0.0, changed: 0, hosts, stages: Vec::new(), odd_lines: 0 }
    }

    fn take(&mut self, time: Timestamp, event: Logged) {
        match event {
            Logged::StageStarted { stage } => {
                let begins = seconds(self.began, time);
                self.stages.push(Stage { name: stage, begins, took: None, changed: 0, ok: false });
            }
            Logged::StageFinished { stage, changed, took, ok } => {
                self.changed += changed;
                let open = |one: &&mut Stage| one.name == stage && one.took.is_none();
                if let Some(one) = self.stages.iter_mut().rev().find(open) {
                    (one.took, one.changed, one.ok) = (Some(took), changed, ok);
                }
            }
            Logged::RunFinished { changed, failed, took } => {
                (self.changed, self.took) = (changed, took);
                // What failed is told by the next line.
                if failed == 0 {
                    self.end = End::Done;
                }
            }
            Logged::RunFailed { error } => self.end = End::Failed(error),
            Logged::LogEnded if self.end == End::CutOff => self.end = End::Done,
            Logged::RunStarted { .. } | Logged::LogEnded | Logged::Other => {}
        }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::Event;
    use super::super::RunLog;
    use super::*;

    const WHOLE: &str = r#"
{"cluster":"q","event":"run-started","hosts":2,"log":"x","time":"2026-11-29T04:00:00Z","verb":"upgrade"}
{"event":"stage-started","hosts":["m1","n1"],"stage":"distribute","time":"2026-11-29T04:00:01Z"}
{"bytes":262144,"event":"sent","host":"n1","stage":"distribute","time":"2026-11-29T04:00:01Z","total":71963174}
{"event":"stage-started","hosts":["m1"],"stage":"etcd","time":"2026-11-29T04:00:02Z"}
{"changed":3,"event":"stage-finished","ok":true,"stage":"distribute","time":"2026-11-29T04:00:05Z","took":4.0}
{"changed":1,"event":"stage-finished","ok":false,"stage":"etcd","time":"2026-11-29T04:00:05Z","took":3.5}
{"changed":4,"event":"run-finished","failed":1,"time":"2026-11-29T04:00:06Z","took":6.25}
{"error":"m1: etcd: down","event":"run-failed","time":"2026-11-29T04:00:06Z"}
{"event":"log-ended","time":"2026-11-29T04:00:06Z"}
"#;

    #[test]
    fn a_whole_log_tells_each_stage_and_the_end() {
        let run = Run::read(WHOLE.lines()).unwrap();
        assert_eq!((run.verb.as_str(), run.hosts, run.odd_lines), ("upgrade", 2, 0));
        assert_eq!((&run.end, run.took, run.changed), (&End::Failed("m1: etcd: down".to_owned()), 6.25, 4));
        let stage = |name: &str, begins, took, changed, ok| Stage {
            name: name.to_owned(),
            begins,
            took: Some(took),
            changed,
            ok,
        };
        assert_eq!(run.stages, [stage("distribute", 1.0, 4.0, 3, true), stage("etcd", 2.0, 3.5, 1, false)]);
    }

    #[test]
    fn wherever_it_is_cut_off_it_says_so() {
        let whole = WHOLE.trim();
        let failed = whole.find(r#"{"error""#).unwrap();
        let begun = whole.find('\n').unwrap();
        for end in (begun..failed).filter(|end| whole.is_char_boundary(*end)) {
            let run = Run::read(whole[..end].lines()).unwrap();
            assert_eq!((run.end, run.verb.as_str()), (End::CutOff, "upgrade"), "{}", &whole[..end]);
        }
        let run = Run::read(whole.lines().take(4)).unwrap();
        assert_eq!((run.took, run.stages.len(), run.stages[1].took), (2.0, 2, None));
        assert_eq!(Run::read(whole[..failed - 3].lines()).unwrap().odd_lines, 1);
    }

    #[test]
    fn what_is_no_log_is_refused_and_says_why() {
        for (text, why) in [
            ("", "empty"),
            ("\n\n", "empty"),
            ("dear diary", "first line is no event"),
            ("{}", "first line is no event"),
            (r#"{"event":"run-started","verb":"install","hosts":-1,"time":"yesterday"}"#, "first line is no event"),
            (r#"{"event":"note","text":"x","time":"2026-11-29T04:00:00Z"}"#, "beginning of a run"),
        ] {
            let error = Run::read(text.lines()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn logs_are_read_as_they_are_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = RunLog::create(directory.path(), "install");
        let path = log.path().unwrap().to_owned();
        let (stage, took) = ("etcd".to_owned(), Duration::from_millis(1500));
        log.record(&Event::RunStarted { verb: "install".into(), cluster: "q".into(), hosts: 3, log: None });
        log.record(&Event::StageStarted { stage: stage.clone(), hosts: vec!["m1".into()] });
        log.record(&Event::Sent { stage: stage.clone(), host: "m1".into(), bytes: 1, total: 2 });
        log.record(&Event::StageFinished { stage, changed: 2, took, ok: true });
        let read = || Run::read(std::fs::read_to_string(&path).unwrap().lines()).unwrap();
        assert_eq!((read().end, read().changed), (End::CutOff, 2));
        log.record(&Event::RunFinished { changed: 2, failed: 0, took });
        log.end();
        let run = read();
        assert_eq!((run.end, run.took, run.changed, run.odd_lines), (End::Done, 1.5, 2, 0));
        assert_eq!((run.stages[0].took, run.stages[0].ok), (Some(1.5), true));
    }
}
