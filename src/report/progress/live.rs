//! The part of a terminal that moves. Absent when standard error is no terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use super::layout::Size;

/// What the terminal is taken for when it does not say.
const USUAL: Size = Size { width: 80, height: 24 };

pub(super) struct Live {
    /// All lines are the message of one bar: they are drawn, and taken away, at once.
    block: Option<ProgressBar>,
}

impl Live {
    pub(super) fn new() -> Option<Self> {
        std::io::stderr().is_terminal().then_some(Self { block: None })
    }

    /// The terminal's size now: windows are resized.
    pub(super) fn size() -> Size {
        let size = terminal_size::terminal_size_of(std::io::stderr());
        size.map_or(USUAL, |(width, height)| Size { width: width.0.into(), height: height.0.into() })
    }

    /// Draws `lines` in the place of those before.
    pub(super) fn draw(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return self.clear();
        }
        let block = self.block.get_or_insert_with(|| {
            let block = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                block.set_style(style);
            }
            block
        });
        block.set_message(lines.join("\n"));
        block.tick();
    }

    /// Prints a lasting line above the moving ones.
    pub(super) fn line(&self, text: &str) {
        match &self.block {
            Some(block) => block.suspend(|| super::super::print_error(text)),
            None => super::super::print_error(text),
        }
    }

    /// Takes the moving lines away.
    pub(super) fn clear(&mut self) {
        if let Some(block) = self.block.take() {
            block.finish_and_clear();
        }
    }
}
