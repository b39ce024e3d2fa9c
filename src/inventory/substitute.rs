//! `${NAME}` and `${NAME:-default}` in values. The file is parsed first, so that what a variable holds is always one
//! value and never YAML; `$${` stands for `${`.

use std::ops::Range;

use super::problems::Problems;
use super::tree::{Content, Node, Path, Scalar};

/// Looks up a variable of the environment.
pub(super) type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Substitutes in every value of the tree.
pub(super) fn apply(node: &mut Node, path: &Path, environment: &Environment<'_>, problems: &mut Problems) {
    let span = node.span.clone();
    match &mut node.content {
        Content::Map(entries) => {
            for (key, _, value) in entries.values_mut().filter(|(_, duplicate, _)| !duplicate) {
                apply(value, &path.key(key), environment, problems);
            }
        }
        Content::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                apply(item, &path.index(index), environment, problems);
            }
        }
        Content::Scalar(scalar) => {
            for fault in in_scalar(scalar, environment) {
                let place = scalar.verbatim.map(|start| start + fault.span.start..start + fault.span.end);
                let fault_text = super::problems::Fault::new(fault.message, fault.hint);
                problems.push(place.unwrap_or_else(|| span.clone()), path, fault_text);
            }
        }
    }
}

fn in_scalar(scalar: &mut Scalar, environment: &Environment<'_>) -> Vec<Fault> {
    if !scalar.text.contains("${") {
        return Vec::new();
    }
    let (text, substituted, faults) = substitute(&scalar.text, environment);
    if faults.is_empty() {
        scalar.text = text;
        scalar.substituted |= substituted;
    }
    faults
}

/// What is wrong with one reference.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    span: Range<usize>,
    message: String,
    hint: String,
}

/// The text with every reference replaced, whether there was any, and what is wrong.
fn substitute(text: &str, environment: &Environment<'_>) -> (String, bool, Vec<Fault>) {
    let (mut out, mut substituted, mut faults) = (String::new(), false, Vec::new());
    let mut position = 0;
    while let Some(found) = text[position..].find("${") {
        let start = position + found;
        if text[..start].ends_with('$') && start > position {
            // `$${`: one of the dollars has been seen already.
            out.push_str(&text[position..start - 1]);
            out.push_str("${");
            position = start + 2;
            continue;
        }
        out.push_str(&text[position..start]);
        let inside = &text[start + 2..];
        let Some(length) = inside.find('}') else {
            faults.push(Fault {
                span: start..text.len(),
                message: "`${` without a closing `}`".into(),
                hint: "close it, or write `$${` for a literal `${`".into(),
            });
            return (out, substituted, faults);
        };
        let end = start + 2 + length + 1;
        match reference(&inside[..length], environment) {
            Ok(value) => {
                out.push_str(&value);
                substituted = true;
            }
            Err((message, hint)) => faults.push(Fault { span: start..end, message, hint }),
        }
        position = end;
    }
    out.push_str(&text[position..]);
    (out, substituted, faults)
}

fn reference(inside: &str, environment: &Environment<'_>) -> Result<String, (String, String)> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err((
            format!("{name:?} is not the name of an environment variable"),
            "write `${NAME}` or `${NAME:-default}`, or `$${` for a literal `${`".into(),
        ));
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err((
            format!("the default of `{name}` refers to another variable"),
            "a default is plain text: write the value itself".into(),
        ));
    }
    match (environment(name), default) {
        // As in the shell, `:-` covers the empty variable, too.
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err((
            format!("the environment variable `{name}` is not set"),
            format!("set it, or write `${{{name}:-default}}`"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "A" => Some("1".into()),
            "EMPTY" => Some(String::new()),
            "TRICK" => Some("${A}".into()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced() {
        for (text, result) in [
            ("${A}", "1"),
            ("x${A}y${A}", "x1y1"),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}", "d"),
            ("${NO:-}", ""),
            ("${NO:-a:-b}", "a:-b"),
            ("$A $$ $", "$A $$ $"),
            ("$${A}", "${A}"),
            ("$${A", "${A"),
            ("${A}$${A}", "1${A}"),
            ("$$${A}", "$${A}"),
            ("${TRICK}", "${A}"),
        ] {
            let (out, _, faults) = substitute(text, &environment);
            assert_eq!((out.as_str(), faults), (result, vec![]), "{text}");
        }
    }

    #[test]
    fn faults_name_their_place() {
        for (text, span, why) in [
            ("a${NO}b", 1..6, "`NO` is not set"),
            ("${A", 0..3, "without a closing"),
            ("${}", 0..3, "\"\" is not the name"),
            ("${1A}", 0..5, "not the name"),
            ("${A-b}", 0..6, "not the name"),
            ("${NO:-${A}}", 0..10, "refers to another"),
        ] {
            let (_, _, faults) = substitute(text, &environment);
            assert_eq!(faults.len(), 1, "{text}");
            assert_eq!(faults[0].span, span, "{text}");
            assert!(faults[0].message.contains(why), "{text}: {}", faults[0].message);
        }
        assert_eq!(substitute("${NO} ${ALSO}", &environment).2.len(), 2);
    }

    proptest! {
        #[test]
        fn text_without_references_stays(text in "[^{]*") {
            prop_assert_eq!(substitute(&text, &environment), (text, false, vec![]));
        }

        #[test]
        fn escaped_text_comes_out_as_it_was(text in "[a-z${}:-]{0,20}") {
            let escaped = text.replace("${", "$${");
            prop_assert_eq!(substitute(&escaped, &environment), (text, false, vec![]));
        }

        #[test]
        fn a_value_is_never_looked_into(value in any::<String>()) {
            let (out, substituted, faults) = substitute("<${V}>", &|_: &str| Some(value.clone()));
            prop_assert_eq!(out, format!("<{value}>"));
            prop_assert!(substituted && faults.is_empty());
        }
    }
}
