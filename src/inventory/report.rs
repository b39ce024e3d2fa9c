//! All errors of an inventory, in the order of the file.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::problems::{Problem, Problems};
use super::source::Source;
use super::tree::Node;

/// All errors of an inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    file: String,
    source: Source,
    findings: Vec<Marked>,
}

/// One error, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// File, or `<stdin>`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The field: `spec.hosts[0].address`.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Marked {
    finding: Finding,
    span: Range<usize>,
    related: Vec<(Range<usize>, String)>,
    /// How many more errors of the same kind there are at this place.
    more: usize,
}

/// How a report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// With escape sequences for a terminal.
    Colour,
}

impl Report {
    pub(super) fn new(file: &str, text: &str, root: Option<&Node>, problems: Problems) -> Self {
        let source = Source::new(text, root);
        let mut problems = problems.into_list();
        problems.sort_by_key(|problem| problem.span.start);
        let mut findings: Vec<Marked> = Vec::new();
        for problem in problems {
            // One range of hosts can break the same rule a thousand times at one place.
            match findings
                .iter_mut()
                .rev()
                .take_while(|other| other.span.start == problem.span.start)
                .find(|other| other.span == problem.span && other.finding.hint == problem.fault.hint)
            {
                Some(same) => same.more += 1,
                None => findings.push(Marked::new(file, &source, problem)),
            }
        }
        for marked in findings.iter_mut().filter(|marked| marked.more > 0) {
            marked.finding.message.push_str(&format!(" (and {} more like it)", marked.more));
        }
        Self { file: file.to_owned(), source, findings }
    }

    /// The errors in the order of the file.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|marked| &marked.finding)
    }

    /// The report as text: every error with its line, and how many there are.
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Colour => Renderer::styled(),
        };
        let mut text = String::new();
        for marked in &self.findings {
            text.push_str(&renderer.render(&[self.group(marked)]));
            text.push_str("\n\n");
        }
        let count = self.findings.len();
        text.push_str(&format!("{count} error{} in {}\n", if count == 1 { "" } else { "s" }, self.file));
        text
    }

    fn group<'a>(&'a self, marked: &'a Marked) -> Group<'a> {
        let mut group = Level::ERROR.primary_title(marked.finding.message.as_str()).element(self.snippet(
            &marked.span,
            AnnotationKind::Primary,
            None,
        ));
        for (span, label) in &marked.related {
            group = group.element(self.snippet(span, AnnotationKind::Context, Some(label)));
        }
        group.element(Level::HELP.message(marked.finding.hint.as_str()))
    }

    /// One line and nothing around it: what is near may be nobody's business.
    fn snippet<'a>(
        &'a self,
        span: &Range<usize>,
        kind: AnnotationKind,
        label: Option<&'a str>,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let line = self.source.line(span.start);
        let start = span.start.saturating_sub(line.start).min(line.text.len());
        let end = span.end.saturating_sub(line.start).clamp(start, line.text.len());
        let annotation = kind.span(start..end).label(label);
        Snippet::source(line.text).path(self.file.as_str()).line_start(line.number).annotation(annotation)
    }
}

impl Marked {
    fn new(file: &str, source: &Source, problem: Problem) -> Self {
        let finding = Finding {
            file: file.to_owned(),
            line: source.line(problem.span.start).number,
            column: source.column(problem.span.start),
            field: problem.path.to_string(),
            message: problem.fault.message,
            hint: problem.fault.hint,
        };
        Self { finding, span: problem.span, related: problem.related, more: 0 }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}
