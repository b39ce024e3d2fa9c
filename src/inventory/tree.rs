//! The inventory as a tree in which every key and value knows its place in the file.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// A value.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Bytes of the file to point at. Of a mapping or list: its key, or where it begins.
    pub(super) span: Range<usize>,
    /// What it is.
    pub(super) content: Content,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Text, number, boolean or nothing: what it is depends on what the schema wants there.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping.
    Map(Entries),
}

/// A scalar as written.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    /// The text, escapes resolved.
    pub(super) text: String,
    /// Whether it stands without quotes, so that `true` and `1` are no text.
    pub(super) plain: bool,
    /// Whether a variable of the environment was put in.
    pub(super) substituted: bool,
    /// Where `text` begins in the file, when it stands there letter by letter.
    pub(super) verbatim: Option<usize>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where the key is.
    pub(super) span: Range<usize>,
    /// Its value.
    pub(super) value: Node,
    /// Whether the key has been there before, so that this one counts for nothing.
    pub(super) duplicate: bool,
}

/// The entries of a mapping in the order of the file; each is found by its key at once, however many there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    list: Vec<Entry>,
    /// Where the first of each key is.
    first: HashMap<String, usize>,
}

impl Entries {
    /// Adds an entry at the end.
    pub(super) fn push(&mut self, entry: Entry) {
        self.first.entry(entry.key.clone()).or_insert(self.list.len());
        self.list.push(entry);
    }

    /// The first entry of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.first.get(key).and_then(|index| self.list.get(*index))
    }

    /// All of them.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.list.iter()
    }

    /// All of them, whose values may change; their keys may not.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = (&str, bool, &mut Node)> {
        self.list.iter_mut().map(|entry| (entry.key.as_str(), entry.duplicate, &mut entry.value))
    }
}

impl Content {
    /// What to call it in a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(scalar) if scalar.is_null() => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Scalar {
    /// Whether it stands for nothing: empty, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        self.plain && !self.substituted && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// One step from a value to a value in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// To the value of a key.
    Key(String),
    /// To an element of a list.
    Index(usize),
}

/// The way from the top of the file to a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Path(Vec<Step>);

impl Path {
    /// The way to the value at `dotted`, a chain of keys without dots of their own.
    pub(super) fn of(dotted: &str) -> Self {
        Self::default().down(dotted)
    }

    /// Further down a chain of keys.
    pub(super) fn down(&self, dotted: &str) -> Self {
        dotted.split('.').fold(self.clone(), |path, key| path.key(key))
    }

    /// To the value of `key`, which may have dots.
    pub(super) fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    /// To an element.
    pub(super) fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }

    /// The steps.
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// This path and every path above it.
    pub(super) fn with_ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        (0..=self.0.len()).rev().map(|length| Self(self.0[..length].to_vec()))
    }

    /// Whether `self` leads to `other` or above it.
    pub(super) fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The key of the last step, or the nearest one above.
    pub(super) fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if key.contains(['.', '/']) => write!(f, "[{key:?}]")?,
                Step::Key(key) if number == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Node {
    /// The entry of `key`.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.get(key),
            Content::Scalar(_) | Content::List(_) => None,
        }
    }

    /// The value at `path`.
    pub(super) fn find(&self, path: &Path) -> Option<&Node> {
        path.steps().iter().try_fold(self, |node, step| node.step(step))
    }

    /// Where `path` is, or what is nearest to it from above.
    pub(super) fn nearest(&self, path: &Path) -> Range<usize> {
        let mut node = self;
        for step in path.steps() {
            match node.step(step) {
                Some(below) => node = below,
                None => break,
            }
        }
        node.span.clone()
    }

    /// Where the last key of `path` is, or what is nearest to it from above.
    pub(super) fn nearest_key(&self, path: &Path) -> Range<usize> {
        let Some((Step::Key(key), above)) = path.steps().split_last() else { return self.nearest(path) };
        let above = Path(above.to_vec());
        self.find(&above)
            .and_then(|node| node.entry(key))
            .map_or_else(|| self.nearest(&above), |entry| entry.span.clone())
    }

    fn step(&self, step: &Step) -> Option<&Node> {
        match (step, &self.content) {
            (Step::Key(key), _) => self.entry(key).map(|entry| &entry.value),
            (Step::Index(index), Content::List(items)) => items.get(*index),
            (Step::Index(_), _) => None,
        }
    }
}

impl From<&[Step]> for Path {
    fn from(steps: &[Step]) -> Self {
        Self(steps.to_vec())
    }
}
