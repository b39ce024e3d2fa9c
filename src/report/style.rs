//! Colour, only on a terminal and never against `NO_COLOR`.

use std::io::IsTerminal;

/// Whether output may be coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// ANSI colours.
    Colour,
    /// Text only.
    Plain,
}

impl Style {
    /// What standard output wants.
    pub fn stdout() -> Self {
        Self::of(std::io::stdout().is_terminal())
    }

    /// What standard error wants.
    pub fn stderr() -> Self {
        Self::of(std::io::stderr().is_terminal())
    }

    fn of(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if terminal && !refused { Self::Colour } else { Self::Plain }
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }

    /// Good, added.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Bad, removed.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Changed, waiting.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Headings.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Less important.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}
