//! Events as lines for people. What lasts is printed as a line; what is going on right now is left to [`Live`].

use std::path::Path;
use std::time::{Duration, Instant};

use super::super::plan::mark;
use super::super::{Event, Style, print_error};
use super::board::Board;
use super::estimate::Estimate;
use super::layout::{self, Size};
use super::live::Live;
use super::{Detail, elapsed};

pub(super) struct Human {
    style: Style,
    detail: Detail,
    live: Option<Live>,
    board: Board,
    estimate: Estimate,
    began: Instant,
    /// When something was printed last.
    told: Instant,
}

/// Longest silence where nothing moves: a log that stands still looks like a run that does.
const SILENCE: Duration = Duration::from_secs(60);

impl Human {
    pub(super) fn new(style: Style, detail: Detail) -> Self {
        let live = if detail == Detail::Quiet { None } else { Live::new() };
        let (board, estimate) = (Board::default(), Estimate::default());
        Self { style, detail, live, board, estimate, began: Instant::now(), told: Instant::now() }
    }

    pub(super) fn show(&mut self, event: &Event) {
        let now = self.began.elapsed();
        self.board.see(event, now);
        match event {
            Event::RunStarted { verb, hosts, log: Some(log), .. } if self.detail != Detail::Quiet => {
                // Those of earlier runs lie beside it.
                let directory = Path::new(log).parent().unwrap_or(Path::new("."));
                self.estimate = Estimate::from_logs(directory, verb, *hosts);
            }
            event => self.estimate.see(event, now),
        }
        if let Some(line) = line(event, self.style, self.detail) {
            self.line(&line);
        }
    }

    /// Draws what goes on; where nothing can be drawn, says from time to time that something does.
    pub(super) fn tick(&mut self) {
        let now = self.began.elapsed();
        let left = self.estimate.left(now);
        if let Some(live) = &mut self.live {
            live.draw(&layout::lines(&self.board, now, left, Live::size()));
        } else if self.told.elapsed() >= SILENCE && !self.board.stages.is_empty() {
            // Wide enough for any reason to wait.
            let size = Size { width: 400, height: self.board.stages.len() + 2 };
            for line in layout::lines(&self.board, now, left, size).iter().take(self.board.stages.len()) {
                self.line(&format!("… {line}"));
            }
        }
    }

    fn line(&mut self, text: &str) {
        self.told = Instant::now();
        match &self.live {
            Some(live) => live.line(text),
            None if self.detail == Detail::Quiet => {}
            None => print_error(text),
        }
    }

    pub(super) fn finish(mut self) {
        if let Some(live) = &mut self.live {
            live.clear();
        }
    }
}

/// The lasting line of an event; most have none.
fn line(event: &Event, style: Style, detail: Detail) -> Option<String> {
    Some(match event {
        Event::RunStarted { verb, cluster, hosts, .. } => {
            let hosts = if *hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") };
            style.bold(&format!("{verb} {cluster}: {hosts}"))
        }
        Event::WaveStarted { stage, number, of, hosts } => {
            style.dim(&format!("  {stage} {number}/{of}: {}", hosts.join(", ")))
        }
        Event::StageFinished { stage, changed, took, ok } => {
            let mark = if *ok { style.green("✓") } else { style.red("✗") };
            let changed = match (changed, ok) {
                (0, true) => style.dim("unchanged"),
                (0, false) => "failed".to_owned(),
                (changed, true) => format!("{changed} changed"),
                (changed, false) => format!("failed, {changed} changed"),
            };
            format!("{mark} {stage:<14} {:>7}  {changed}", elapsed(*took))
        }
        Event::HostFailed { stage, host, failure } => {
            // The end of the run has all of it, with what to do next.
            let failure = failure.to_string();
            let first = failure.lines().next().unwrap_or_default();
            format!("{} {}: {first}", style.red("✗"), style.bold(&format!("{host} ({stage})")))
        }
        Event::Changed { host, change, .. } if detail == Detail::Changes => {
            let summary = if change.summary.is_empty() { String::new() } else { format!(": {}", change.summary) };
            format!("  {host:<12} {} {}{summary}", mark(change.action, style), change.resource)
        }
        Event::FellBack { host, failure, .. } if detail == Detail::Changes => format!("  {host:<12} {failure}"),
        Event::Note { text } => text.clone(),
        // The stage tells of them together; the log has each.
        Event::Asking { .. }
        | Event::StageStarted { .. }
        | Event::Working { .. }
        | Event::Sent { .. }
        | Event::Waiting { .. }
        | Event::HostDone { .. }
        | Event::FellBack { .. }
        | Event::Changed { .. }
        | Event::RunFailed { .. }
        | Event::RunFinished { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::protocol::{Action, Change};

    #[test]
    fn changes_are_told_where_somebody_wants_to_see_them() {
        let change = Change {
            resource: "file /etc/hosts".into(),
            action: Action::Update,
            summary: "content".into(),
            diff: None,
        };
        let event = Event::Changed { stage: "prepare".into(), host: "m1".into(), change };
        assert_eq!(line(&event, Style::Plain, Detail::Stages), None);
        assert_eq!(line(&event, Style::Plain, Detail::Changes).unwrap(), "  m1           ~ file /etc/hosts: content");
    }
}
