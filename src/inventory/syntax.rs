//! What the YAML parser says, in words that help.

use granit_parser::{ErrorKind, ScanError};

use super::problems::Fault;

/// Explains a syntax error that comes after `before`, at the beginning of `after`.
pub(super) fn explain(error: &ScanError, before: &str, after: &str) -> Fault {
    use ErrorKind as Kind;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = after.find('\n').unwrap_or(after.len());
    let line = format!("{}{}", &before[line_start..], &after[..line_end]);
    match error.kind() {
        Kind::TabNotAllowed
        | Kind::TabInBlockIndentation
        | Kind::TabInIndentation
        | Kind::TabInPlainScalar
        | Kind::TabAtBlockScalarStart => {
            Fault::new("a tab is used for indentation", "YAML wants spaces: replace the tab by spaces")
        }
        _ if before[line_start..].trim().is_empty() && before[line_start..].contains('\t') => {
            Fault::new("a tab is used for indentation", "YAML wants spaces: replace the tab by spaces")
        }
        Kind::UnknownAnchor => {
            Fault::new("this alias has no anchor before it", "define it with `&name`, or quote the `*`")
        }
        Kind::RecursionLimitExceeded => {
            Fault::new("nested too deeply", "an inventory needs no more than eight levels; is a bracket missing?")
        }
        Kind::DirectiveDisallowed => {
            Fault::new("YAML directives are not supported", "remove the line that begins with `%`")
        }
        Kind::UnclosedQuotedScalar => Fault::new("a quote is not closed", "add the closing quote"),
        Kind::UnexpectedCharacter { character } => {
            Fault::new(format!("a value cannot begin with {character:?}"), "put the value in quotes")
        }
        kind => match unclosed(before) {
            Some(what) => Fault::new(
                format!("not valid YAML: a {what} before this line is not closed"),
                format!("close the {what}, or put the value in quotes"),
            ),
            None => Fault::new(format!("not valid YAML: {kind}"), hint(kind, &line)),
        },
    }
}

/// What the last line of `before` that ends there opens and does not close.
fn unclosed(before: &str) -> Option<&'static str> {
    let (lines, _) = before.rsplit_once('\n')?;
    let line = lines.lines().rev().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let count = |c| line.matches(c).count();
    if count('"') % 2 == 1 {
        Some("quote")
    } else if count('{') > count('}') || count('[') > count(']') {
        Some("bracket")
    } else {
        None
    }
}

/// Whether a bracket follows a word, as in `m[1-3]` and `10.1.0.[11-13]`.
fn has_range(line: &str) -> bool {
    let before = line.match_indices('[').map(|(bracket, _)| line[..bracket].chars().last());
    before.flatten().any(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | ']'))
}

fn hint(kind: &ErrorKind, line: &str) -> &'static str {
    let flow = line.contains('{') && line.contains(':');
    if flow && line.contains("${") {
        "between { } or [ ], a value with `${…}` must be in quotes"
    } else if flow && has_range(line) {
        "between { } or [ ], a value with a range such as m[1-3] must be in quotes"
    } else if line.contains(": [") && line.contains(']') {
        "a value that begins with `[` must be in quotes unless it is a list"
    } else if matches!(kind, ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement) {
        "a value that contains `: ` must be in quotes; or the indentation is wrong"
    } else {
        "look at the indentation, brackets and quotes of this line and the one before"
    }
}
