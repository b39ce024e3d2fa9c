//! What goes on in a run right now, put together from its events: stages, hosts, bytes. It draws nothing, and takes the
//! time from whoever calls.

use std::time::Duration;

use super::super::Event;

/// How far back the rate of a transfer looks.
const WINDOW: Duration = Duration::from_secs(3);

/// All that goes on.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// The verb, once it has begun.
    pub(super) verb: Option<String>,
    /// Stages that run, the first one first.
    pub(super) stages: Vec<StageRow>,
    /// Hosts of these stages, in the order in which they were first named, so that none moves about.
    pub(super) hosts: Vec<HostRow>,
}

/// A stage that runs.
#[derive(Debug)]
pub(super) struct StageRow {
    pub(super) name: String,
    pub(super) began: Duration,
    pub(super) hosts: usize,
    pub(super) done: usize,
    /// What its gate lacks.
    pub(super) waits: Option<String>,
}

/// A host of a stage that runs.
#[derive(Debug)]
pub(super) struct HostRow {
    pub(super) name: String,
    pub(super) stage: String,
    pub(super) doing: Doing,
}

/// What a host is at.
#[derive(Debug, PartialEq)]
pub(super) enum Doing {
    /// Its turn has not come, or it looks before it changes something.
    Waits,
    /// It works on something.
    Works { on: String, since: Duration },
    /// It gets bytes.
    Gets { bytes: u64, total: u64, rate: Rate },
    /// Its part of the stage is done.
    Done,
    /// It failed.
    Failed,
}

/// Bytes per second, over the last seconds.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Rate {
    /// Times and bytes, oldest first: the first is about [`WINDOW`] old.
    marks: Vec<(Duration, u64)>,
}

impl Rate {
    fn add(&mut self, now: Duration, bytes: u64) {
        // One mark in a tenth of a second is enough; events come by the thousand.
        match self.marks.last_mut() {
            Some((at, last)) if now.saturating_sub(*at) < Duration::from_millis(100) => *last = bytes,
            _ => self.marks.push((now, bytes)),
        }
        let old = self.marks.iter().rposition(|(at, _)| now.saturating_sub(*at) >= WINDOW).unwrap_or(0);
        self.marks.drain(..old);
    }

    /// Bytes per second at `now`; none before there is something to tell it from.
    pub(super) fn per_second(&self, now: Duration) -> Option<u64> {
        let ((began, first), (_, last)) = (self.marks.first()?, self.marks.last()?);
        let seconds = now.saturating_sub(*began).as_secs_f64();
        (seconds >= 0.5).then(|| (last.saturating_sub(*first) as f64 / seconds) as u64)
    }
}

impl Board {
    /// Takes note of an event at `now`, counted from the run's begin.
    pub(super) fn see(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Asking { what, done, of } => match self.stage(what) {
                Some(_) if done == of => self.stages.retain(|row| row.name != *what),
                Some(row) => row.done = *done,
                None if done == of => {}
                None => {
                    let (name, done, hosts) = (what.clone(), *done, *of);
                    self.stages.push(StageRow { name, began: now, hosts, done, waits: None });
                }
            },
            Event::StageStarted { stage, hosts } => {
                let (name, hosts_of) = (stage.clone(), hosts.len());
                self.stages.push(StageRow { name, began: now, hosts: hosts_of, done: 0, waits: None });
                for host in hosts {
                    self.host(stage, host).doing = Doing::Waits;
                }
            }
            Event::Working { stage, host, on } => {
                self.host(stage, host).doing = Doing::Works { on: on.clone(), since: now };
            }
            Event::Sent { stage, host, bytes, total } => {
                let row = self.host(stage, host);
                let mut rate = match &mut row.doing {
                    Doing::Gets { rate, .. } => std::mem::take(rate),
                    _ => Rate::default(),
                };
                rate.add(now, *bytes);
                row.doing = Doing::Gets { bytes: *bytes, total: *total, rate };
            }
            Event::FellBack { stage, host, failure } => {
                let on = failure.to_string().lines().next().unwrap_or_default().to_owned();
                self.host(stage, host).doing = Doing::Works { on, since: now };
            }
            Event::Waiting { stage, gate, missing } => {
                let more = missing.len().saturating_sub(1);
                let more = if more > 0 { format!(" (+{more} more)") } else { String::new() };
                let first = missing.first().map_or("", String::as_str);
                if let Some(row) = self.stage(stage) {
                    row.waits = Some(format!("waiting for {gate}: {first}{more}"));
                }
            }
            Event::HostDone { stage, host } => {
                self.host(stage, host).doing = Doing::Done;
                if let Some(row) = self.stage(stage) {
                    row.done += 1;
                }
            }
            Event::HostFailed { stage, host, .. } => self.host(stage, host).doing = Doing::Failed,
            Event::StageFinished { stage, .. } => {
                self.stages.retain(|row| row.name != *stage);
                self.hosts.retain(|row| row.stage != *stage);
            }
            Event::WaveStarted { stage, .. } => {
                if let Some(row) = self.stage(stage) {
                    row.waits = None;
                }
            }
            Event::RunStarted { verb, .. } => self.verb = Some(verb.clone()),
            Event::Changed { .. } | Event::RunFailed { .. } | Event::Note { .. } | Event::RunFinished { .. } => {}
        }
    }

    fn stage(&mut self, name: &str) -> Option<&mut StageRow> {
        self.stages.iter_mut().find(|row| row.name == name)
    }

    /// The row of a host in a stage. A host may have a part in two stages at once, and then has two rows.
    fn host(&mut self, stage: &str, name: &str) -> &mut HostRow {
        let found = self.hosts.iter().position(|row| row.name == name && row.stage == stage);
        let index = found.unwrap_or_else(|| {
            self.hosts.push(HostRow { name: name.to_owned(), stage: stage.to_owned(), doing: Doing::Waits });
            self.hosts.len() - 1
        });
        &mut self.hosts[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let mut rate = Rate::default();
        assert_eq!(rate.per_second(Duration::ZERO), None);
        // Ten seconds at 100 bytes a second, then four without any.
        for tenth in 0..=100 {
            rate.add(Duration::from_millis(tenth * 100), tenth * 10);
        }
        let now = Duration::from_secs(10);
        assert!((95..=105).contains(&rate.per_second(now).unwrap()), "{:?}", rate.per_second(now));
        assert!(rate.marks.len() < 35, "{}", rate.marks.len());
        for tenth in 101..=140 {
            rate.add(Duration::from_millis(tenth * 100), 1000);
        }
        assert_eq!(rate.per_second(Duration::from_secs(14)), Some(0));
    }

    #[test]
    fn hosts_that_are_asked_are_counted_until_all_have_answered() {
        let mut board = Board::default();
        let asking = |done| Event::Asking { what: "connect".into(), done, of: 2 };
        board.see(&asking(0), Duration::ZERO);
        board.see(&asking(1), Duration::ZERO);
        assert!(matches!(board.stages.as_slice(), [StageRow { hosts: 2, done: 1, .. }]), "{board:?}");
        board.see(&asking(2), Duration::ZERO);
        assert!(board.stages.is_empty());
        board.see(&Event::Asking { what: "connect".into(), done: 0, of: 0 }, Duration::ZERO);
        assert!(board.stages.is_empty(), "nobody is asked");
    }

    #[test]
    fn a_stage_takes_its_hosts_with_it() {
        let mut board = Board::default();
        let (stage, host) = (|| "etcd".to_owned(), || "m1".to_owned());
        board.see(&Event::StageStarted { stage: stage(), hosts: vec![host(), "m2".into()] }, Duration::ZERO);
        board.see(&Event::HostDone { stage: stage(), host: host() }, Duration::ZERO);
        assert_eq!((board.stages[0].done, &board.hosts[0].doing), (1, &Doing::Done));
        board.see(&Event::StageFinished { stage: stage(), changed: 0, took: Duration::ZERO, ok: true }, Duration::ZERO);
        assert!(board.stages.is_empty() && board.hosts.is_empty());
    }
}
