//! Progress of a run: a live view on a terminal, plain lines elsewhere, JSON lines on request.

mod board;
mod estimate;
mod human;
mod layout;
mod live;

use std::thread::JoinHandle;
use std::time::Duration;

use clap::ValueEnum;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Event, RunLog, Style, print};
use human::Human;

/// How events are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    #[value(aliases = ["table", "text"])]
    Human,
    /// One JSON object per line.
    Json,
}

/// How much is told while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing: errors and results only.
    Quiet,
    /// Stages, waves, failures.
    Stages,
    /// Every change, too.
    Changes,
}

/// Pause between two frames of what moves.
const FRAME: Duration = Duration::from_millis(100);

/// Shows events until the last sender is gone, and writes every one to the log: on a thread of its own, since what is drawn
/// must not wait for what is computed. Whoever joins it waits for the last event.
///
/// # Errors
///
/// The system has no room for another thread.
pub fn render(
    format: Format,
    detail: Detail,
    events: UnboundedReceiver<Event>,
    log: RunLog,
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let show = move || runtime.block_on(show(format, detail, events, log));
    std::thread::Builder::new().name("progress".to_owned()).spawn(show)
}

async fn show(format: Format, detail: Detail, mut events: UnboundedReceiver<Event>, mut log: RunLog) {
    let mut human = Human::new(Style::stderr(), detail);
    let mut frames = tokio::time::interval(FRAME);
    frames.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = frames.tick(), if format == Format::Human => {
                human.tick();
                continue;
            }
        };
        let Some(event) = event else { break };
        log.record(&event);
        match format {
            Format::Json => {
                if let Ok(line) = serde_json::to_string(&event) {
                    print(&line);
                }
            }
            Format::Human => human.show(&event),
        }
    }
    human.finish();
    log.end();
}

/// `0.3s`, `42.1s`, `3m07s`.
fn elapsed(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.1}s")
    } else {
        format!("{}m{:02}s", took.as_secs() / 60, took.as_secs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(elapsed(Duration::from_millis(340)), "0.3s");
        assert_eq!(elapsed(Duration::from_secs(187)), "3m07s");
    }
}
