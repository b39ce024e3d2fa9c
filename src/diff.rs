//! Unified diffs of texts. What of them is shown, and how they are called, is decided where they are shown.

use std::fmt;

use imara_diff::{Algorithm, BasicLineDiffPrinter, Diff, InternedInput, Token, UnifiedDiffConfig, UnifiedDiffPrinter};

/// The hunks between two texts, with three lines of context or a few more; empty where they are equal.
pub fn unified(old: &str, new: &str) -> String {
    let input = InternedInput::new(old, new);
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let printer = Printer(BasicLineDiffPrinter(&input.interner));
    diff.unified_diff(&printer, UnifiedDiffConfig::default(), &input).to_string()
}

/// With headers as `diff -u` has them: lines that are none begin at 0, and a single one is not counted.
struct Printer<'a>(BasicLineDiffPrinter<'a, str>);

impl UnifiedDiffPrinter for Printer<'_> {
    fn display_header(
        &self,
        mut f: impl fmt::Write,
        old: u32,
        new: u32,
        old_lines: u32,
        new_lines: u32,
    ) -> fmt::Result {
        let range = |start: u32, lines: u32| match lines {
            0 => format!("{start},0"),
            1 => format!("{}", start + 1),
            _ => format!("{},{lines}", start + 1),
        };
        writeln!(f, "@@ -{} +{} @@", range(old, old_lines), range(new, new_lines))
    }

    fn display_context_token(&self, f: impl fmt::Write, token: Token) -> fmt::Result {
        self.0.display_context_token(f, token)
    }

    fn display_hunk(&self, f: impl fmt::Write, before: &[Token], after: &[Token]) -> fmt::Result {
        self.0.display_hunk(f, before, after)
    }
}
