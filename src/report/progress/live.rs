//! The part of a terminal that moves: one line per running stage. Absent when standard error is no terminal.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

pub(super) struct Live {
    lines: MultiProgress,
    stages: BTreeMap<String, ProgressBar>,
}

impl Live {
    pub(super) fn new() -> Option<Self> {
        std::io::stderr().is_terminal().then(|| Self { lines: MultiProgress::new(), stages: BTreeMap::new() })
    }

    /// Shows `text` on the line of `stage`; an empty text keeps what is there.
    pub(super) fn show(&mut self, stage: &str, text: &str) {
        let bar = self.stages.entry(stage.to_owned()).or_insert_with(|| {
            let bar = self.lines.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:<14} {elapsed:>7}  {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(stage.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if !text.is_empty() {
            bar.set_message(text.to_owned());
        }
    }

    pub(super) fn end(&mut self, stage: &str) {
        if let Some(bar) = self.stages.remove(stage) {
            bar.finish_and_clear();
        }
    }

    /// Prints a lasting line above the moving ones.
    pub(super) fn line(&self, text: &str) {
        self.lines.suspend(|| super::super::print_error(text));
    }

    pub(super) fn clear(mut self) {
        for (_, bar) in std::mem::take(&mut self.stages) {
            bar.finish_and_clear();
        }
    }
}
