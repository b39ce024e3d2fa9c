//! Progress of a run: a live view on a terminal, plain lines elsewhere, JSON lines on request.

mod human;
mod live;

use clap::ValueEnum;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Event, RunLog, Style, print};
use human::Human;

/// How events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// Shows events until the last sender is gone, and writes every one to the log.
pub async fn render(format: Format, mut events: UnboundedReceiver<Event>, mut log: RunLog) {
    let mut human = Human::new(Style::stderr());
    while let Some(event) = events.recv().await {
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
}
