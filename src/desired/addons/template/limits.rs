//! What templates of add-ons go without: all by which a value could grow from one pass of a loop, or of a call, to the
//! next. Steps are counted; bytes of a value are not.

use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};

use super::{PRINTED, too_long};
use crate::desired::render::indented;

/// Statements that call themselves, or keep what a loop prints.
const STATEMENTS: [&str; 8] = ["macro", "call", "block", "extends", "include", "import", "from", "filter"];
/// Filters whose output may be any number of times their input.
const FILTERS: [&str; 3] = ["format", "slice", "batch"];

/// What is told of the function that is taken away.
pub(super) const NO_NAMESPACE: &str = "templates of add-ons have no namespace(): what a loop sets ends with each pass, so \
                                       that nothing grows without bound";

/// Takes from an environment what makes values without bound.
pub(super) fn limit(environment: &mut Environment<'_>) {
    environment.remove_global("namespace");
    for name in FILTERS {
        environment.remove_filter(name);
    }
    environment.add_filter("replace", replace);
    environment.add_filter("join", join);
    environment.add_filter("indent", indent);
    environment.add_filter("indented", block);
}

/// The first statement that templates of add-ons have not: its line, and why not.
pub(super) fn refused(text: &str) -> Option<(usize, String)> {
    let line = |offset: usize| text[..offset].matches('\n').count() + 1;
    let begins = text.match_indices("{%").find_map(|(offset, _)| {
        let rest = &text[offset + 2..];
        let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let why = match name {
            "set" if keeps_a_block(rest) => "`{% set NAME %}` with a block; write `{% set NAME = VALUE %}`".to_owned(),
            name if STATEMENTS.contains(&name) => format!("`{{% {name} %}}`; write out what it would do"),
            _ => return None,
        };
        Some((line(offset), why))
    });
    let ends = || {
        let recursive = |offset: usize| text[..offset].trim_end_matches(['-', '+']).trim_end().ends_with("recursive");
        let offset = text.match_indices("%}").map(|(offset, _)| offset).find(|offset| recursive(*offset))?;
        Some((line(offset), "`recursive` loops; write one loop in another".to_owned()))
    };
    begins.or_else(ends).map(|(line, why)| (line, format!("templates of add-ons have no {why}")))
}

/// Whether a `set` takes what stands up to its `endset`: no `=` comes after its names.
fn keeps_a_block(rest: &str) -> bool {
    let of_names = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.,()".contains(c);
    !rest.trim_start_matches(of_names).starts_with('=')
}

/// Refuses a text that `more`, added `times`, would make too long.
fn bounded(text: &str, times: usize, more: usize) -> Result<(), Error> {
    let length = times.saturating_mul(more).saturating_add(text.len());
    if length > PRINTED { Err(too_long()) } else { Ok(()) }
}

fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    bounded(text, text.matches(from).count(), to.len())?;
    Ok(text.replace(from, to))
}

fn join(items: &Value, joiner: Option<&str>, options: Kwargs) -> Result<String, Error> {
    let attribute: Option<&str> = options.get("attribute")?;
    options.assert_all_used()?;
    let mut text = String::new();
    for (index, item) in items.try_iter()?.enumerate() {
        let item = match attribute {
            Some(name) => item.get_attr(name)?,
            None => item,
        };
        if item.is_undefined() {
            return Err(Error::new(ErrorKind::UndefinedError, "an item of what is joined"));
        }
        let (before, item) = (if index == 0 { "" } else { joiner.unwrap_or_default() }, item.to_string());
        bounded(&text, 1, before.len().saturating_add(item.len()))?;
        text.push_str(before);
        text.push_str(&item);
    }
    Ok(text)
}

fn indent(text: &str, width: Option<usize>, options: Kwargs) -> Result<String, Error> {
    let width = width.or(options.get("width")?).unwrap_or(4);
    let first = options.get::<Option<bool>>("first")?.unwrap_or_default();
    let blank = options.get::<Option<bool>>("blank")?.unwrap_or_default();
    options.assert_all_used()?;
    bounded(text, text.lines().count(), width)?;
    let indented = |(index, line): (usize, &str)| match (index == 0 && !first) || (line.is_empty() && !blank) {
        true => line.to_owned(),
        false => format!("{}{line}", " ".repeat(width)),
    };
    Ok(text.lines().enumerate().map(indented).collect::<Vec<_>>().join("\n"))
}

fn block(text: &str, width: usize) -> Result<Value, Error> {
    bounded(text, text.lines().count(), width).map(|()| indented(text, width))
}
