//! All errors of an inventory, in the order of the file.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::problems::{Problem, Problems};
use super::source::{Columns, Source};
use super::tree::Node;

/// Longer lines are shown in part.
const LONGEST_LINE: usize = 400;

/// Nobody reads more at once, and those of one slip tend to be alike.
const MOST_SHOWN: usize = 100;

/// All errors of an inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    file: String,
    source: Source,
    findings: Vec<Marked>,
    names_addons: bool,
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
        let mut first: HashMap<(usize, usize, String), usize> = HashMap::new();
        let mut columns = source.columns();
        for problem in problems {
            // One range of hosts can break the same rule a thousand times at one place.
            let key = (problem.span.start, problem.span.end, problem.fault.hint.clone());
            if let Some(same) = first.get(&key).and_then(|index| findings.get_mut(*index)) {
                same.more += 1;
                continue;
            }
            first.insert(key, findings.len());
            findings.push(Marked::new(file, &mut columns, problem));
        }
        for marked in findings.iter_mut().filter(|marked| marked.more > 0) {
            marked.finding.message.push_str(&format!(" (and {} more like it)", marked.more));
        }
        Self { file: file.to_owned(), source, findings, names_addons: text.contains("addons") }
    }

    /// What else there is to look at once the inventory is right.
    pub fn left_out(&self) -> Option<&'static str> {
        self.names_addons.then_some("the files of add-ons were not looked at yet: they are once the inventory is right")
    }

    /// The errors in the order of the file.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|marked| &marked.finding)
    }

    /// The report as text: the first errors with their lines, and how many there are.
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Colour => Renderer::styled(),
        };
        let mut text = String::new();
        for marked in self.findings.iter().take(MOST_SHOWN) {
            text.push_str(&renderer.render(&[self.group(marked)]));
            text.push_str("\n\n");
        }
        let count = self.findings.len();
        if let Some(hidden) = count.checked_sub(MOST_SHOWN).filter(|hidden| *hidden > 0) {
            text.push_str(&format!("and {hidden} more; `kubewright validate -o json` tells all of them\n\n"));
        }
        text.push_str(&format!("{count} error{} in {}\n", if count == 1 { "" } else { "s" }, self.file));
        text
    }

    fn group<'a>(&'a self, marked: &'a Marked) -> Group<'a> {
        let mut elements = self.snippet(&marked.span, AnnotationKind::Primary, None);
        for (span, label) in &marked.related {
            elements.extend(self.snippet(span, AnnotationKind::Context, Some(label)));
        }
        let title = Level::ERROR.primary_title(marked.finding.message.as_str());
        title.elements(elements).element(Level::HELP.message(marked.finding.hint.as_str()))
    }

    /// One line and nothing around it: what is near may be nobody's business. A file may be one line, too; of a long one
    /// only what is near is shown.
    fn snippet<'a>(&'a self, span: &Range<usize>, kind: AnnotationKind, label: Option<&'a str>) -> Vec<Element<'a>> {
        let line = self.source.line(span.start);
        let start = span.start.saturating_sub(line.start).min(line.text.len());
        let end = span.end.saturating_sub(line.start).clamp(start, line.text.len());
        let path = self.file.as_str();
        if line.text.len() <= LONGEST_LINE {
            let annotation = kind.span(start..end).label(label);
            return vec![Snippet::source(line.text).path(path).line_start(line.number).annotation(annotation).into()];
        }
        let window = window(line.text, start, end);
        let annotation = kind.span(start - window.start..end.min(window.end) - window.start).label(label);
        let (_, column) = self.source.columns().place(span.start);
        let origin = Origin::path(path).line(line.number).char_column(column);
        let text = line.text.get(window).unwrap_or_default();
        vec![origin.into(), Snippet::source(text).line_start(line.number).annotation(annotation).into()]
    }
}

/// What is shown of a line that is too long: what stands between `start` and `end`, and a little around it.
fn window(line: &str, start: usize, end: usize) -> Range<usize> {
    let floor = |mut at: usize| {
        while !line.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let around = LONGEST_LINE / 4;
    let last = end.min(start + LONGEST_LINE / 2).saturating_add(around).min(line.len());
    floor(start.saturating_sub(around))..floor(last)
}

impl Marked {
    fn new(file: &str, columns: &mut Columns<'_>, problem: Problem) -> Self {
        let (line, column) = columns.place(problem.span.start);
        let finding = Finding {
            file: file.to_owned(),
            line,
            column,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::problems::Fault;
    use crate::inventory::tree::Path;

    #[test]
    fn of_a_long_line_only_what_is_near_is_shown() {
        let text = format!("a: {}bad{}", "é".repeat(1000), "x".repeat(100_000));
        let start = 3 + 2000;
        let mut problems = Problems::default();
        problems.push(start..start + 3, &Path::of("a"), Fault::new("it is bad", "write good"));
        let shown = Report::new("c.yaml", &text, None, problems).to_string();
        assert!(shown.contains("c.yaml:1:1004") && shown.contains("éébadxx"), "{shown}");
        assert!(shown.len() < 2000, "{shown}");
    }

    #[test]
    fn that_addons_were_not_looked_at_is_told_where_there_are_some() {
        let left_out = |text: &str| Report::new("c.yaml", text, None, Problems::default()).left_out();
        assert!(left_out("spec:\n  addons: [{name: a, path: a.yaml}]\n").is_some_and(|told| told.contains("once")));
        assert_eq!(left_out("spec: {}\n"), None);
    }
}
