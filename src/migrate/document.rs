//! YAML of other tools, as a tree in which every value knows its line. More is let pass than in an inventory of ours:
//! several documents, tags, merge keys and duplicate keys, of which the last counts, as their own readers have it.

use std::collections::BTreeMap;
use std::fmt;

use granit_parser::{Event, Parser, ScalarStyle, Tag, options};

use super::draft::{At, Problem};

/// Most values in one file, aliases counted as often as they are used.
const LIMIT: usize = 2_000_000;

/// Deepest nesting of values.
const DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(in crate::migrate) struct Node {
    /// The line of its key, or its own.
    pub(in crate::migrate) at: At,
    /// What it is.
    pub(in crate::migrate) value: Value,
}

/// What a value is.
#[derive(Clone)]
pub(in crate::migrate) enum Value {
    /// Nothing.
    Null,
    /// Text, number or boolean: what it is depends on who asks.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, each key once.
    Map(Vec<(String, Node)>),
    /// Something encrypted, which is never shown.
    Secret,
}

/// Values may be secrets: not even a test that fails shows them.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "nothing",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Secret => "a secret",
        })
    }
}

impl Node {
    /// The value of `key`.
    pub(in crate::migrate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value at the end of a chain of keys: `spec.network.podCIDR`.
    pub(in crate::migrate) fn at_path(&self, dotted: &str) -> Option<&Self> {
        dotted.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// Its keys and values, where it is a mapping.
    pub(in crate::migrate) fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Its elements, where it is a list.
    pub(in crate::migrate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// Its text, where it is a single value.
    pub(in crate::migrate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of a list, or the only one.
    pub(in crate::migrate) fn texts(&self) -> Vec<String> {
        match &self.value {
            Value::Text(text) => vec![text.clone()],
            _ => self.items().iter().filter_map(Self::text).map(str::to_owned).collect(),
        }
    }

    /// A number, in quotes or not.
    pub(in crate::migrate) fn number<N: std::str::FromStr>(&self) -> Option<N> {
        self.text()?.trim().parse().ok()
    }

    /// A boolean in any of the ways of YAML 1.1, which these tools understand.
    pub(in crate::migrate) fn switch(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" => Some(true),
            "false" | "no" | "off" | "n" | "0" => Some(false),
            _ => None,
        }
    }

    /// Whether there is nothing in it.
    pub(in crate::migrate) fn is_empty(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Text(text) => text.trim().is_empty(),
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            Value::Secret => false,
        }
    }
}

/// The documents of a file. What is no YAML is the error; the text itself is not in it, because it may be secret.
pub(in crate::migrate) fn read(file: &str, text: &str) -> Result<Vec<Node>, Problem> {
    let options = options! { emit_comments: false, flow_nesting_limit: DEPTH, block_nesting_limit: DEPTH };
    let mut builder = Builder { file, open: Vec::new(), anchors: BTreeMap::new(), count: 0, documents: Vec::new() };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => builder.event(event, span.start.line())?,
            Err(error) => {
                let at = At::line(file, error.marker().line());
                let hint =
                    "look at this line and the one before: brackets, quotes, indentation, or a `{{` without quotes";
                return Err(Problem::at(at, "is not valid YAML from here on", hint));
            }
        }
    }
    Ok(builder.documents)
}

struct Builder<'t> {
    file: &'t str,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, usize)>,
    count: usize,
    documents: Vec<Node>,
}

/// A mapping or list that has begun and not ended.
struct Open {
    at: At,
    anchor: usize,
    before: usize,
    secret: bool,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    /// The entries, and a key that waits for its value; none where the key is no text.
    Map(Vec<(String, Node)>, Option<(Option<String>, At)>),
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), Problem> {
        let at = At::line(self.file, line);
        let secret = event.tag().is_some_and(is_vault);
        let begin = |anchor, before, kind| Open { at: at.clone(), anchor, before, secret, kind };
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let value = if secret { Value::Secret } else { scalar(&text, style) };
                self.add(Node { at, value }, anchor, 1)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open.push(begin(anchor, self.count, Kind::List(Vec::new())));
                Ok(())
            }
            Event::MappingStart(_, anchor, _) => {
                self.open.push(begin(anchor, self.count, Kind::Map(Vec::new(), None)));
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(id) => {
                // An alias of what it is part of stands for nothing.
                let (node, size) = self.anchors.get(&id).cloned().unwrap_or((Node { at, value: Value::Null }, 1));
                self.add(node, 0, size)
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(Open { at, anchor, before, secret, kind }) = self.open.pop() else { return Ok(()) };
        let value = match kind {
            _ if secret => Value::Secret,
            Kind::List(items) => Value::List(items),
            Kind::Map(entries, _) => Value::Map(merged(entries)),
        };
        let size = 1 + self.count - before;
        self.count = before;
        self.add(Node { at, value }, anchor, size)
    }

    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Problem> {
        self.count = self.count.saturating_add(size);
        if self.count > LIMIT {
            let what = format!("more than {LIMIT} values, once aliases are put in");
            return Err(Problem::at(node.at, what, "is this the right file?"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open { kind: Kind::List(items), .. }) => items.push(node),
            Some(Open { kind: Kind::Map(entries, pending), .. }) => match pending.take() {
                None => *pending = Some((node.text().map(str::to_owned), node.at)),
                Some((None, _)) => {}
                Some((Some(key), at)) => {
                    entries.retain(|(other, _)| *other != key || key == "<<");
                    entries.push((key, Node { at, ..node }));
                }
            },
        }
        Ok(())
    }
}

/// Ansible's own tag for what it has encrypted.
fn is_vault(tag: &Tag) -> bool {
    tag.to_string().contains("vault")
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match style {
        ScalarStyle::Plain if matches!(text, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        _ => Value::Text(text.to_owned()),
    }
}

/// The entries with those of merge keys put in; what a mapping says itself wins.
fn merged(entries: Vec<(String, Node)>) -> Vec<(String, Node)> {
    if entries.iter().all(|(key, _)| key != "<<") {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(key, _)| key == "<<");
    for (_, merge) in merges {
        let sources = if merge.items().is_empty() { std::slice::from_ref(&merge) } else { merge.items() };
        for (key, value) in sources.iter().flat_map(Node::entries) {
            if own.iter().all(|(other, _)| other != key) {
                own.push((key.clone(), value.clone()));
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Node {
        read("a.yml", text).unwrap().remove(0)
    }

    #[test]
    fn every_value_knows_its_line() {
        let root = one("a: 1\nb:\n  c: &x [yes, 'no']\n  d:\ne: *x\n");
        assert_eq!(root.at_path("b.c").unwrap().at.to_string(), "a.yml:3");
        assert_eq!(root.at_path("b.d").unwrap().at.to_string(), "a.yml:4");
        assert!(root.at_path("b.d").unwrap().is_empty());
        assert_eq!(root.get("e").unwrap().texts(), ["yes", "no"]);
        assert_eq!(root.get("a").unwrap().number(), Some(1));
        assert_eq!(root.get("e").unwrap().items()[0].switch(), Some(true));
    }

    #[test]
    fn what_other_tools_let_pass_is_let_pass() {
        let root = one("a: 1\na: 2\nm: &m {x: 1, y: 2}\nn: {<<: *m, y: 3}\n? [k]\n: v\n");
        assert_eq!(root.get("a").unwrap().text(), Some("2"));
        assert_eq!(root.at_path("n.x").unwrap().text(), Some("1"));
        assert_eq!(root.at_path("n.y").unwrap().text(), Some("3"));
        assert_eq!(read("a", "a: 1\n---\nb: 2\n").unwrap().len(), 2);
        assert!(read("a", "").unwrap().is_empty());
    }

    #[test]
    fn what_is_encrypted_is_never_shown() {
        let root = one("key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nplain: !unsafe 'x'\n");
        assert!(matches!(root.get("key").unwrap().value, Value::Secret));
        assert_eq!(root.get("plain").unwrap().text(), Some("x"));
        assert!(!format!("{root:?}").contains("6162"));
        let problem = read("a.yml", "ok: 1\npassword: {{ hunter2 }\n").unwrap_err();
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
        assert!(problem.to_string().starts_with("a.yml:"), "{problem}");
    }

    #[test]
    fn aliases_cannot_blow_up() {
        let mut text = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
        for level in 1..20 {
            let alias = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", ")));
        }
        assert!(read("a", &text).unwrap_err().to_string().contains("more than 2000000"));
    }
}
