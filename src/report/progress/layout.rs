//! The board as lines that fit a terminal. Pure, so that every size is tested without one.

use std::time::Duration;

use indicatif::HumanBytes;

use super::board::{Board, Doing, HostRow, StageRow};
use super::elapsed;

/// Columns of the name of a stage, and of a host.
const NAME: usize = 14;
/// Columns of a transfer's bar.
const BAR: usize = 20;

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// The lines of `board` at `now`: stages first, then hosts, as many as fit; those that work before those that do not. At
/// most half of a tall terminal, so that what was printed before stays in sight.
pub(super) fn lines(board: &Board, now: Duration, left: Option<Duration>, size: Size) -> Vec<String> {
    let room = (size.height / 2).max(size.height.min(20)).saturating_sub(2).max(1);
    let mut lines: Vec<String> = board.stages.iter().map(|row| stage(row, now)).collect();
    // Between two stages, this machine works out what comes next.
    if let (true, Some(verb)) = (lines.is_empty(), &board.verb) {
        lines.push(format!("{verb:<NAME$} {:>7}", elapsed(now)));
    }
    if let (Some(left), Some(first)) = (left, lines.first_mut()) {
        first.push_str(&format!("  (about {} left, as an earlier run took)", whole_seconds(left)));
    }
    lines.truncate(room);
    let room = room - lines.len();
    let is_one = board.stages.len() == 1;
    lines.extend(hosts(&board.hosts, now, room, is_one));
    lines.into_iter().map(|line| fit(&line, size.width)).collect()
}

fn stage(row: &StageRow, now: Duration) -> String {
    let took = elapsed(now.saturating_sub(row.began));
    let count = if row.hosts > 0 { format!("{}/{} hosts", row.done, row.hosts) } else { String::new() };
    let waits = row.waits.as_deref().unwrap_or_default();
    let between = if count.is_empty() || waits.is_empty() { "" } else { ", " };
    format!("{:<NAME$} {took:>7}  {count}{between}{waits}", row.name)
}

/// One line for each host, or, where there is no room for all, for those that do something, and one for the rest.
fn hosts(rows: &[HostRow], now: Duration, room: usize, is_one_stage: bool) -> Vec<String> {
    let line = |row: &HostRow| {
        let stage = if is_one_stage { String::new() } else { format!("{:<NAME$} ", row.stage) };
        format!("  {:<width$} {stage}{}", row.name, doing(&row.doing, now), width = NAME - 2)
    };
    if rows.len() <= room {
        return rows.iter().map(line).collect();
    }
    let is_busy = |row: &&HostRow| !matches!(row.doing, Doing::Waits | Doing::Done);
    let shown = room.saturating_sub(1);
    let mut lines: Vec<String> = rows.iter().filter(is_busy).take(shown).map(line).collect();
    if room > 0 {
        let busy = rows.iter().filter(is_busy).count();
        let count = |doing: &Doing| rows.iter().filter(|row| row.doing == *doing).count();
        let parts = [
            (busy.saturating_sub(lines.len()), "at work"),
            (count(&Doing::Waits), "waiting"),
            (count(&Doing::Done), "done"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        lines.push(format!("  … {} more: {}", rows.len() - lines.len(), parts.join(", ")));
    }
    lines
}

fn doing(doing: &Doing, now: Duration) -> String {
    match doing {
        Doing::Waits => "waiting".to_owned(),
        Doing::Done => "done".to_owned(),
        Doing::Failed => "failed".to_owned(),
        Doing::Works { on, since } => {
            let took = now.saturating_sub(*since);
            // What is over in a moment is not timed: figures that flicker tell nothing.
            if took < Duration::from_secs(2) { on.clone() } else { format!("{on} ({})", elapsed(took)) }
        }
        Doing::Gets { bytes, total, rate } => {
            let filled = if *total == 0 { BAR } else { (BAR as u64 * (*bytes).min(*total) / total) as usize };
            let bar = format!("{}{}", "█".repeat(filled), "░".repeat(BAR - filled));
            let rate = rate.per_second(now).map_or_else(String::new, |rate| format!(", {}/s", HumanBytes(rate)));
            format!("{bar} {} of {}{rate}", HumanBytes(*bytes), HumanBytes(*total))
        }
    }
}

/// `42s`, `2m05s`: tenths of something that is about so much would only flicker.
fn whole_seconds(left: Duration) -> String {
    let seconds = left.as_secs();
    if seconds < 60 { format!("{seconds}s") } else { elapsed(Duration::from_secs(seconds)) }
}

/// Cut to the width, with a sign that it was; nothing that a terminal would take for a command.
fn fit(line: &str, width: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    if line.chars().count() <= width {
        return line.chars().map(plain).collect();
    }
    let mut short: String = line.chars().map(plain).take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::super::super::Event;
    use super::*;

    const SMALL: Size = Size { width: 80, height: 24 };
    const LARGE: Size = Size { width: 200, height: 50 };

    fn board(hosts: usize) -> Board {
        let mut board = Board::default();
        let names: Vec<String> = (1..=hosts).map(|number| format!("n{number:03}")).collect();
        let stage = || "distribute".to_owned();
        let at = Duration::from_secs;
        board.see(&Event::StageStarted { stage: stage(), hosts: names.clone() }, at(1));
        for (index, host) in names.into_iter().enumerate() {
            let event = match index % 5 {
                0 => Event::HostDone { stage: stage(), host },
                1 => Event::Working { stage: stage(), host, on: "image registry.k8s.io/kube-proxy:v1.36.4".into() },
                2 => Event::Sent { stage: stage(), host, bytes: 48 << 20, total: 190 << 20 },
                _ => continue,
            };
            board.see(&event, at(2));
            if let Event::Sent { host, .. } = event {
                board.see(&Event::Sent { stage: stage(), host, bytes: 96 << 20, total: 190 << 20 }, at(3));
            }
        }
        board
    }

    fn drawn(board: &Board, size: Size) -> String {
        lines(board, Duration::from_secs(4), Some(Duration::from_secs(125)), size).join("\n")
    }

    #[test]
    fn a_run_never_looks_as_if_it_had_ended() {
        let mut board = Board::default();
        assert!(lines(&board, Duration::ZERO, None, SMALL).is_empty());
        let (verb, cluster) = ("plan".to_owned(), "prod".to_owned());
        board.see(&Event::RunStarted { verb, cluster, hosts: 2, log: None }, Duration::ZERO);
        assert_eq!(drawn(&board, SMALL), "plan              4.0s  (about 2m05s left, as an earlier run took)");
        let asking = |done| Event::Asking { what: "connect".into(), done, of: 2 };
        board.see(&asking(1), Duration::ZERO);
        assert!(drawn(&board, SMALL).starts_with("connect           4.0s  1/2 hosts"));
    }

    #[test]
    fn few_hosts_have_a_line_each() {
        insta::assert_snapshot!("few_hosts_80x24", drawn(&board(5), SMALL));
        insta::assert_snapshot!("one_host_40x5", drawn(&board(1), Size { width: 40, height: 5 }));
    }

    #[test]
    fn many_hosts_are_summed_up() {
        insta::assert_snapshot!("many_hosts_80x24", drawn(&board(200), SMALL));
        insta::assert_snapshot!("many_hosts_200x50", drawn(&board(200), LARGE));
    }

    #[test]
    fn stages_that_run_together_are_told_apart() {
        let mut board = board(2);
        board.see(&Event::StageStarted { stage: "etcd".into(), hosts: vec!["m1".into()] }, Duration::from_secs(2));
        let missing = vec!["m2: no leader".to_owned(), "m3: no leader".to_owned()];
        board.see(&Event::Waiting { stage: "etcd".into(), gate: "etcd".into(), missing }, Duration::from_secs(3));
        insta::assert_snapshot!("two_stages_80x24", drawn(&board, SMALL));
    }

    #[test]
    fn no_line_is_wider_or_more_than_the_terminal_and_nothing_commands_it() {
        let mut board = board(300);
        let on = "\u{1b}[2J\u{7}".repeat(100);
        board.see(&Event::Working { stage: "distribute".into(), host: "n001".into(), on }, Duration::from_secs(3));
        for (width, height) in [(80, 24), (200, 50), (20, 5), (1, 1), (0, 0), (500, 200)] {
            let lines = lines(&board, Duration::from_secs(4), None, Size { width, height });
            assert!(lines.len() <= height.max(1), "{height}: {}", lines.len());
            for line in lines {
                assert!(line.chars().count() <= width.max(1), "{width}: {line}");
                assert!(!line.contains(char::is_control), "{line:?}");
            }
        }
    }
}
