//! Takes secrets out of text that leaves its host: logs, what programs print, configuration. Pure functions over lines:
//! each rule marks what it knows of a line, and what is marked is struck out. Too much struck out costs a word of a log,
//! too little a cluster: where a rule cannot tell, it strikes. Nothing here reads or writes anything.

mod assigned;
mod block;
mod known;
mod lines;
mod marks;
mod names;
mod token;
mod value;

#[cfg(test)]
mod tests;

pub use known::{Known, values_in};
pub use marks::STRUCK;

use std::borrow::Cow;

use assigned::Named;
use lines::{About, Below, message};
use marks::Marks;

/// `text` without secrets: those that look like one, those that are called one, and those in `known`.
pub fn text(text: &str, known: &Known) -> String {
    let mut redactor = Redactor::of(text, known);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        out.push_str(&redactor.line(bare));
        out.push_str(&line[bare.len()..]);
    }
    out
}

/// Every text in a document, as [`text`] does it. What stands below a key that names a secret, and the value of a
/// variable that does, is struck out whatever it looks like.
pub fn json(document: &mut serde_json::Value, known: &Known) {
    use serde_json::Value;
    match document {
        Value::String(value) => *value = text(value, known),
        Value::Array(items) => items.iter_mut().for_each(|item| json(item, known)),
        Value::Object(entries) => {
            let named = entries.get("name").and_then(Value::as_str).is_some_and(|name| names::strength(name).is_some());
            for (key, value) in entries {
                let secret = names::strength(key).is_some() || (named && key == "value");
                match value {
                    Value::String(inner) if secret && !value::is_harmless(inner) => *value = STRUCK.into(),
                    value => json(value, known),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What has to be remembered from line to line.
struct Redactor<'k> {
    known: &'k Known,
    block: block::State,
    below: Option<Below>,
    about: About,
    /// What the line before has named.
    named: Named,
    /// The line before was nothing but base64.
    wrapped: bool,
}

impl<'k> Redactor<'k> {
    fn of(text: &str, known: &'k Known) -> Self {
        Self {
            known,
            block: block::State::at_beginning(text),
            below: None,
            about: About::of(text),
            named: Named::Nothing,
            wrapped: false,
        }
    }

    fn line<'l>(&mut self, line: &'l str) -> Cow<'l, str> {
        let mut marks = Marks::default();
        let start = message(line);
        let own = &line[start..];
        block::mark(line, &mut self.block, &mut marks);
        self.known.mark(line, &mut marks);
        if self.about == About::Secret {
            lines::mark_data(line, &mut marks);
        }
        if self.below.as_ref().is_some_and(|below| below.holds(own)) {
            marks.add(start + lines::indent(own)..line.len());
        } else if !own.trim().is_empty() {
            self.below = lines::opens(own, self.about);
        }
        self.named = assigned::mark(line, start, self.named, &mut marks);
        token::mark(line, &mut marks);
        let encoded = own.trim();
        let is_encoded = !encoded.is_empty() && encoded.bytes().all(token::is_base64);
        if self.wrapped && is_encoded {
            marks.add(start..line.len());
        }
        // As programs break it into lines.
        let is_full = matches!(encoded.len(), 64 | 76);
        self.wrapped = is_encoded && is_full && (self.wrapped || token::is_random(encoded));
        marks.apply(line)
    }
}
