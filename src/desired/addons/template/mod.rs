//! Fills templates that others have written: within limits, and what is wrong is told by line and name.

mod limits;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

use crate::cluster::nearest;
use crate::desired::render::{environment, printable};

/// Most steps: thousands for each of a thousand nodes, and a second or two of a processor.
const STEPS: u64 = 20_000_000;
/// Deepest nesting of loops and blocks.
const DEPTH: usize = 100;
/// Room for that depth, and for what an expression nests.
const STACK: usize = 32 << 20;
/// Most bytes that are printed, into the file or into what other parts of the template use.
const PRINTED: usize = 16 << 20;

/// Why a template cannot be filled.
pub(super) struct TemplateFault {
    /// The line.
    pub(super) line: Option<usize>,
    /// What is wrong. Never shows values.
    pub(super) message: String,
}

/// Whether a line may be of a template.
pub(super) fn looks_like_one(line: &str) -> bool {
    line.contains("{{") || line.contains("{%")
}

/// The text of a template with `values` filled in.
pub(super) fn fill(path: &Path, text: &str, values: &Value) -> Result<String, TemplateFault> {
    if let Some((line, message)) = limits::refused(text) {
        return Err(TemplateFault { line: Some(line), message });
    }
    let name = path.display().to_string();
    let work = || render(&name, text, values.clone()).map_err(|error| fault(&error, values));
    let lost = |message: String| TemplateFault { line: None, message };
    std::thread::scope(|scope| {
        // A stack of its own: the caller's may be that of a small worker.
        let filled = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let filled = filled.map_err(|error| lost(format!("no thread to fill it in: {error}")))?;
        filled.join().unwrap_or_else(|_| Err(lost("the template engine failed; this is a defect of kubewright".into())))
    })
}

fn render(name: &str, text: &str, values: Value) -> Result<String, Error> {
    let mut environment = environment()?;
    limits::limit(&mut environment);
    // Undefined names are told by it.
    environment.set_debug(true);
    environment.set_fuel(Some(STEPS));
    environment.set_recursion_limit(DEPTH);
    let printed = Arc::new(AtomicUsize::new(0));
    environment.set_formatter(move |out, _, value| {
        let text = printable(value)?;
        if printed.fetch_add(text.len(), Ordering::Relaxed) + text.len() > PRINTED {
            return Err(too_long());
        }
        Ok(out.write_str(&text)?)
    });
    let mut filled = Limited(Vec::new());
    let template = environment.template_from_named_str(name, text)?;
    if let Err(error) = template.render_captured_to(values, &mut filled) {
        return Err(if filled.is_full() { too_long() } else { error });
    }
    String::from_utf8(filled.0).map_err(|_| Error::new(ErrorKind::WriteFailure, "it is no text"))
}

fn too_long() -> Error {
    Error::new(ErrorKind::WriteFailure, format!("what it makes is larger than {} MiB", PRINTED >> 20))
}

/// Takes no more than [`PRINTED`].
struct Limited(Vec<u8>);

impl Limited {
    fn is_full(&self) -> bool {
        self.0.len() > PRINTED
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        if self.is_full() { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn fault(error: &Error, values: &Value) -> TemplateFault {
    let detail = error.detail().unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::OutOfFuel => {
            format!("it does not end within {STEPS} steps; look for a loop over too much")
        }
        ErrorKind::UnknownFunction if detail.starts_with("namespace ") => limits::NO_NAMESPACE.to_owned(),
        ErrorKind::UndefinedError => undefined(detail, values),
        ErrorKind::WriteFailure => detail.to_owned(),
        kind if detail.is_empty() => kind.to_string(),
        kind => format!("{kind}: {detail}"),
    };
    TemplateFault { line: error.line(), message }
}

/// Names what is not there, and what was probably meant.
fn undefined(detail: &str, values: &Value) -> String {
    let Some(expression) = detail.split('`').nth(1) else { return format!("undefined value: {detail}") };
    if let Some((list, _)) = expression.split_once('[') {
        return format!(
            "`{expression}` is undefined{}",
            choice(&lookup(values, list).map_or(vec![], |found| keys(&found)))
        );
    }
    let (parent, last) = expression.rsplit_once('.').map_or((None, expression), |(parent, last)| (Some(parent), last));
    let found = parent.map_or_else(|| Some(values.clone()), |parent| lookup(values, parent));
    let known = match (&found, parent) {
        (Some(found), Some(parent)) if matches!(found.kind(), ValueKind::Seq | ValueKind::Iterable) => {
            return format!("`{expression}` is undefined; `{parent}` is a list: take its items one by one with `for`");
        }
        (Some(found), _) => keys(found),
        // Of a loop, most likely over nodes.
        (None, Some(parent)) if !parent.contains('.') => {
            lookup(values, "nodes").and_then(|nodes| nodes.get_item_by_index(0).ok()).map_or(vec![], |node| keys(&node))
        }
        (None, _) => Vec::new(),
    };
    let hint = match nearest(last, known.iter().map(String::as_str)) {
        Some(near) => {
            let parent = parent.map(|parent| format!("{parent}.")).unwrap_or_default();
            format!("; did you mean `{parent}{near}`?")
        }
        None => choice(&known),
    };
    format!("`{expression}` is undefined{hint}")
}

/// What there is, as far as that is known.
fn choice(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) }
}

fn lookup(values: &Value, path: &str) -> Option<Value> {
    let found = path.split('.').try_fold(values.clone(), |value, key| value.get_attr(key).ok())?;
    (!found.is_undefined()).then_some(found)
}

fn keys(value: &Value) -> Vec<String> {
    if value.kind() != ValueKind::Map {
        return Vec::new();
    }
    value.try_iter().map(|keys| keys.map(|key| key.to_string()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let values = context! {
            cluster => context! { name => "prod", domain => "cluster.local" },
            nodes => vec![context! { name => "n1", address => "10.0.0.1", rack => "r1" }],
            images => context! { pause => "a/pause:1" },
            secret => "hunter2\n",
        };
        fill(Path::new("a.yaml"), text, &values)
            .map_err(|fault| format!("{}: {}", fault.line.unwrap_or(0), fault.message))
    }

    #[test]
    fn undefined_names_are_told_with_the_nearest() {
        assert_eq!(filled("{{ cluster.name }}").unwrap(), "prod");
        for (text, expected) in [
            ("\n{{ cluster.nmae }}", "2: `cluster.nmae` is undefined; did you mean `cluster.name`?"),
            ("{{ clutser.name }}", "1: `clutser` is undefined; did you mean `cluster`?"),
            ("{{ frobnicate }}", "1: `frobnicate` is undefined; there are cluster, nodes, images, secret"),
            (
                "{% for node in nodes %}\n{{ node.adress }}\n{% endfor %}",
                "2: `node.adress` is undefined; did you mean `node.address`?",
            ),
            ("{{ nodes.a }}", "1: `nodes.a` is undefined; `nodes` is a list: take its items one by one with `for`"),
            (
                "{% if cluster.doman == 'a' %}{% endif %}",
                "1: `cluster.doman` is undefined; did you mean `cluster.domain`?",
            ),
        ] {
            assert_eq!(filled(text).unwrap_err(), expected, "{text}");
        }
        for text in ["{% set p = 'x' %}{{ images[p] }}", "{{ images['x'] }}"] {
            let error = filled(text).unwrap_err();
            assert!(error.ends_with("there are pause") || error.ends_with("is undefined"), "{error}");
        }
        let error = filled("{{ secret }}").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_would_not_end_ends() {
        let range = "{% for a in range(50000) %}{% for b in range(50000) %}{% endfor %}{% endfor %}";
        let long = "{% for a in range(90000) %}{{ 'x' * 1000 }}{% endfor %}";
        let text = format!("{{% for a in range(90000) %}}{}{{% endfor %}}", "x".repeat(1000));
        for (text, expected) in [
            (range, "1: it does not end within 20000000 steps"),
            ("a\n{%- macro m() %}{{ m() }}{% endmacro %}", "2: templates of add-ons have no `{% macro %}`"),
            (long, "what it makes is larger than 16 MiB"),
            (text.as_str(), "what it makes is larger than 16 MiB"),
        ] {
            let error = filled(text).unwrap_err();
            assert!(error.contains(expected), "{text:.80}: {error}");
        }
        let nested = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
        assert!(filled(&nested).is_err());
    }

    #[test]
    fn values_do_not_grow() {
        let grown = |start: &str, step: &str| {
            format!(
                "{{% set ns = namespace(x={start}) %}}{{% for i in range(64) %}}{{% set ns.x = {step} %}}{{% endfor %}}\
                 {{{{ ns.x|length }}}}"
            )
        };
        let none = "templates of add-ons have no ";
        for (text, expected) in [
            (grown("'aaaaaaaaaa'", "ns.x + ns.x"), format!("{none}namespace()")),
            (grown("[1]", "ns.x + ns.x"), format!("{none}namespace()")),
            (grown("'a'", "ns.x|replace('a', 'aaaa')"), format!("{none}namespace()")),
            ("{% for x in [['a']] recursive -%}{{ loop([x + x]) }}{% endfor %}".into(), format!("{none}`recursive`")),
            ("{% set x %}{% for i in range(9) %}a{% endfor %}{% endset %}".into(), format!("{none}`{{% set NAME %}}`")),
            ("{% set x | replace('a', '=') %}a{% endset %}".into(), format!("{none}`{{% set NAME %}}`")),
            ("{% filter upper %}a{% endfilter %}".into(), format!("{none}`{{% filter %}}`")),
            ("{{ ('a' * 9000000)|replace('a', 'b' * 9000000) }}".into(), "larger than 16 MiB".into()),
            ("{{ (range(90000) * 1000)|join('b' * 9000) }}".into(), "larger than 16 MiB".into()),
            ("{{ 'a'|indent(999999999999, first=true) }}".into(), "larger than 16 MiB".into()),
            ("{{ 'a'|indented(999999999999) }}".into(), "larger than 16 MiB".into()),
            ("{{ '%999999999999d'|format(1) }}".into(), "unknown filter".into()),
        ] {
            let error = filled(&text).unwrap_err();
            assert!(error.contains(&expected), "{text}: {error}");
        }
        // What a loop sets ends with each pass.
        let text = "{% set x = 'a' %}{% for i in range(90) %}{% set x = x + x %}{{ x|length }}{% endfor %}";
        assert_eq!(filled(text).unwrap(), "2".repeat(90));
        for (text, expected) in [
            ("{{ nodes|join(',', attribute='name') }}", "n1"),
            ("{{ ['a', 1]|join }}", "a1"),
            ("{{ 'a-b'|replace('-', '_') }}", "a_b"),
            ("{% set a, b = (1, 2) %}{{ a + b }}", "3"),
            ("{{ 'a'|indent(2, first=true) }}", "  a"),
        ] {
            assert_eq!(filled(text).unwrap(), expected, "{text}");
        }
    }
}
