//! The moving line of a transfer, on a terminal only.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

/// A line that shows how far a transfer is, until [`Self::end`].
#[derive(Debug)]
pub struct TransferLine(Option<JoinHandle<()>>);

impl TransferLine {
    /// Shows what `read` returns, ten times a second: bytes that were moved, bytes that need not be, and all.
    pub fn start(read: impl Fn() -> (u64, u64, u64) + Send + 'static) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        Self(Some(tokio::spawn(async move {
            let bar = ProgressBar::new(0);
            // Removed with the task.
            let _gone = Clear(bar.clone());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>5}  {wide_bar}  {msg}") {
                bar.set_style(style);
            }
            loop {
                let (moved, found, total) = read();
                if total > 0 {
                    bar.set_length(total);
                    bar.set_position((moved + found).min(total));
                    bar.set_message(format!("{} of {}", HumanBytes(moved), HumanBytes(total.saturating_sub(found))));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })))
    }

    /// Takes the line away.
    pub async fn end(self) {
        if let Some(task) = self.0 {
            task.abort();
            let _ = task.await;
        }
    }
}

struct Clear(ProgressBar);

impl Drop for Clear {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
