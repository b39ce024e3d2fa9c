//! How much longer a run takes, told by earlier runs of the same verb on as many hosts. It takes the time from whoever
//! calls, and tells nothing rather than something unlikely.

use std::path::Path;
use std::time::Duration;

use super::super::Event;
use super::super::log::{End, KeptLog, Run};

/// Earlier runs that are compared; more would not be more alike.
const COMPARED: usize = 5;
/// Logs that are read to find them.
const READ: usize = 15;
/// An earlier run that was at the same point this much earlier or later, in seconds, may still be alike.
const SLACK: f64 = 5.0;

/// What earlier runs tell of this one.
#[derive(Debug, Default)]
pub(super) struct Estimate {
    past: Vec<Run>,
    /// The stage that ended last, and when.
    last: Option<(String, Duration)>,
}

impl Estimate {
    /// From the logs in `directory`: the last runs of `verb` on `hosts` hosts that came to their end. Logs that cannot be
    /// read tell nothing.
    pub(super) fn from_logs(directory: &Path, verb: &str, hosts: usize) -> Self {
        let logs = KeptLog::all(directory).unwrap_or_default();
        let logs = logs.iter().filter(|log| log.verb == verb).take(READ);
        Self::from_runs(logs.filter_map(|log| log.read().ok()).filter(|run| run.hosts == hosts))
    }

    fn from_runs(runs: impl Iterator<Item = Run>) -> Self {
        Self { past: runs.filter(|run| run.end == End::Done).take(COMPARED).collect(), last: None }
    }

    /// Takes note of an event at `now`, counted from the run's begin.
    pub(super) fn see(&mut self, event: &Event, now: Duration) {
        if let Event::StageFinished { stage, .. } = event {
            self.last = Some((stage.clone(), now));
        }
    }

    /// What is left at `now`, as in the earlier run that was nearest to where this one is. None before the first stage has
    /// ended, where no earlier run is alike, and where this one takes longer.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        let (stage, at) = self.last.as_ref()?;
        let at = at.as_secs_f64();
        let apart = |then: &(f64, &Run)| (then.0 - at).abs();
        let (then, run) = self
            .past
            .iter()
            .filter_map(|run| Some((ended(run, stage)?, run)))
            .min_by(|a, b| apart(a).total_cmp(&apart(b)))
            .filter(|then| apart(then) <= SLACK.max(at / 2.0))?;
        let left = run.took - then - (now.as_secs_f64() - at);
        (left >= 1.0).then(|| Duration::from_secs_f64(left))
    }
}

/// Seconds from the begin of a run to the end of a stage.
fn ended(run: &Run, stage: &str) -> Option<f64> {
    let stage = run.stages.iter().rev().find(|one| one.name == stage)?;
    Some(stage.begins + stage.took?)
}

#[cfg(test)]
mod tests {
    use super::super::super::RunLog;
    use super::super::super::log::Stage;
    use super::*;

    /// A run of stages one after the other, each with what it took.
    fn run(stages: &[(&str, f64)]) -> Run {
        let mut begins = 0.0;
        let mut told = Vec::new();
        for (name, took) in stages {
            told.push(Stage { name: (*name).to_owned(), begins, took: Some(*took), changed: 0, ok: true });
            begins += took;
        }
        let began = jiff::Timestamp::UNIX_EPOCH;
        let verb = "install".to_owned();
        Run { verb, began, end: End::Done, took: begins, changed: 0, hosts: 3, stages: told, odd_lines: 0 }
    }

    fn finished(stage: &str) -> Event {
        Event::StageFinished { stage: stage.to_owned(), changed: 0, took: Duration::ZERO, ok: true }
    }

    fn past() -> Estimate {
        let nothing_to_do = run(&[("distribute", 0.5), ("etcd", 0.5), ("workers", 1.0)]);
        let bare_hosts = run(&[("distribute", 30.0), ("etcd", 20.0), ("workers", 60.0)]);
        Estimate::from_runs([nothing_to_do, bare_hosts].into_iter())
    }

    #[test]
    fn the_earlier_run_that_is_alike_tells() {
        let at = Duration::from_secs;
        let mut estimate = past();
        assert_eq!(estimate.left(at(10)), None, "before the first stage has ended, all runs are alike");
        estimate.see(&finished("distribute"), at(35));
        assert_eq!(estimate.left(at(35)), Some(at(80)));
        assert_eq!(estimate.left(at(45)), Some(at(70)));
        assert_eq!(estimate.left(at(300)), None, "it takes longer than any before");
        estimate.see(&finished("etcd"), at(50));
        assert_eq!(estimate.left(at(50)), Some(at(60)));
        let mut estimate = past();
        estimate.see(&finished("distribute"), at(1));
        assert_eq!(estimate.left(at(1)), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_is_not_alike_tells_nothing() {
        let mut estimate = past();
        estimate.see(&finished("distribute"), Duration::from_secs(14));
        assert_eq!(estimate.left(Duration::from_secs(14)), None);
        estimate.see(&finished("calico"), Duration::from_secs(30));
        assert_eq!(estimate.left(Duration::from_secs(30)), None, "a stage that no earlier run had");
        let failed = Run { end: End::Failed("x".into()), ..run(&[("etcd", 5.0), ("workers", 60.0)]) };
        let mut estimate = Estimate::from_runs([failed].into_iter());
        estimate.see(&finished("etcd"), Duration::from_secs(5));
        assert_eq!(estimate.left(Duration::from_secs(5)), None);
    }

    #[test]
    fn logs_of_the_verb_and_of_as_many_hosts_are_read() {
        let directory = tempfile::tempdir().unwrap();
        for (verb, hosts) in [("install", 3), ("install", 4), ("upgrade", 3)] {
            let mut log = RunLog::create(directory.path(), verb);
            log.record(&Event::RunStarted { verb: verb.into(), cluster: "q".into(), hosts, log: None });
            log.record(&Event::StageStarted { stage: "etcd".into(), hosts: Vec::new() });
            log.record(&finished("etcd"));
            log.record(&Event::RunFinished { changed: 0, failed: 0, took: Duration::from_secs(hosts as u64) });
            let path = log.path().unwrap().to_owned();
            log.end();
            // Names of one second and one process are the same.
            std::fs::rename(&path, path.with_file_name(format!("2026-{verb}-{hosts}.log"))).unwrap();
        }
        std::fs::write(directory.path().join("2027-install-9.log"), b"\xff rubbish").unwrap();
        let mut estimate = Estimate::from_logs(directory.path(), "install", 3);
        assert_eq!(estimate.past.len(), 1);
        estimate.see(&finished("etcd"), Duration::ZERO);
        assert_eq!(estimate.left(Duration::ZERO).map(|left| left.as_secs()), Some(2));
        assert!(Estimate::from_logs(&directory.path().join("nowhere"), "install", 3).past.is_empty());
    }
}
