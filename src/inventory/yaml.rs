//! YAML to a tree with positions, strictly: one document, no duplicate keys, no tags, a bounded number of values.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, options};

use super::problems::{Fault, Problems};
use super::syntax;
use super::tree::{Content, Entries, Entry, Node, Path, Scalar};

/// Most values in one file, aliases counted as often as they are used.
const LIMIT: usize = 200_000;

/// Deepest nesting of values.
const DEPTH: usize = 32;

/// Parses `text`. Duplicate keys go to `problems`; what keeps the file from being read at all is the error.
pub(super) fn read(text: &str, problems: &mut Problems) -> Result<Node, (Range<usize>, Fault)> {
    let options = options! {
        emit_comments: false,
        disallow_directives: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder { text, problems, open: Vec::new(), anchors: BTreeMap::new(), count: 0, root: None };
    for event in parser {
        match event {
            Ok((event, span)) => builder.event(event, range(&span, text))?,
            Err(error) => return Err(broken(&error, text)),
        }
    }
    match builder.root {
        Some(Node { content: Content::Scalar(scalar), .. }) if scalar.is_null() => Err(empty()),
        Some(root) => Ok(root),
        None => Err(empty()),
    }
}

fn empty() -> (Range<usize>, Fault) {
    (0..0, Fault::new("the inventory is empty", "`kubewright init` prints one to start from"))
}

fn broken(error: &ScanError, text: &str) -> (Range<usize>, Fault) {
    let start = floor(text, error.marker().byte_offset().unwrap_or(0));
    let end = text[start..].chars().next().filter(|c| *c != '\n').map_or(start, |c| start + c.len_utf8());
    (start..end, syntax::explain(error, &text[..start], &text[start..]))
}

/// The bytes of a span, trailing blanks left out.
fn range(span: &granit_parser::Span, text: &str) -> Range<usize> {
    let start = floor(text, span.start.byte_offset().unwrap_or(0));
    let end = floor(text, span.end.byte_offset().unwrap_or(start)).max(start);
    start..start + text[start..end].trim_end().len()
}

fn floor(text: &str, mut offset: usize) -> usize {
    offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

struct Builder<'t> {
    text: &'t str,
    problems: &'t mut Problems,
    open: Vec<Open>,
    anchors: BTreeMap<usize, (Node, usize)>,
    count: usize,
    root: Option<Node>,
}

/// A mapping or list that has begun and not ended.
struct Open {
    span: Range<usize>,
    anchor: usize,
    /// How many values there were before it.
    before: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map(Entries, Option<(String, Range<usize>)>),
}

type Step = Result<(), (Range<usize>, Fault)>;

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Step {
        if let Some(tag) = event.tag() {
            let hint = "remove the tag; quotes make a value text";
            return Err((span, Fault::new(format!("tags such as `{tag}` are not supported"), hint)));
        }
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                let hint = "one file describes one cluster: move the rest to a file of its own";
                Err((span, Fault::new("a second YAML document begins here", hint)))
            }
            Event::Scalar(text, style, anchor, _) => {
                let node = self.scalar(&text, style, span);
                self.add(node, anchor, 1)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(span, anchor, Kind::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.begin(span, anchor, Kind::Map(Entries::default(), None)),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some((node, size)) => self.add(node, 0, size),
                None => Err((span, Fault::new("this alias refers to what it is part of", "write the value itself"))),
            },
            _ => Ok(()),
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: Range<usize>) -> Node {
        let source = &self.text[span.clone()];
        let plain = style == ScalarStyle::Plain;
        // The parser says `~` for a value that is not there.
        let text = if plain && source.is_empty() { "" } else { text };
        let verbatim = match style {
            ScalarStyle::Plain => (source == text).then_some(span.start),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                (source.get(1..source.len().saturating_sub(1)) == Some(text)).then_some(span.start + 1)
            }
            _ => None,
        };
        let scalar = Scalar { text: text.to_owned(), plain, substituted: false, verbatim };
        Node { span: first_line(&self.text[span.clone()], span), content: Content::Scalar(scalar) }
    }

    fn begin(&mut self, span: Range<usize>, anchor: usize, kind: Kind) -> Step {
        if let Some(Open { kind: Kind::Map(_, None), .. }) = self.open.last() {
            return Err((span, Fault::new("a mapping or list cannot be a key", "keys are plain words")));
        }
        // What an alias brings may nest deeper than the parser has seen.
        if self.open.len() >= DEPTH {
            return Err((span, Fault::new("nested too deeply", "an inventory needs no more than eight levels")));
        }
        self.open.push(Open { span, anchor, before: self.count, kind });
        Ok(())
    }

    fn end(&mut self) -> Step {
        let Some(Open { span, anchor, before, kind }) = self.open.pop() else { return Ok(()) };
        let span = match self.open.last() {
            // A mapping or list is pointed at by its key.
            Some(Open { kind: Kind::Map(_, Some((_, key))), .. }) => key.clone(),
            _ => first_token(self.text, &span),
        };
        let content = match kind {
            Kind::List(items) => Content::List(items),
            Kind::Map(entries, _) => Content::Map(entries),
        };
        let size = 1 + self.count - before;
        self.count = before;
        self.add(Node { span, content }, anchor, size)
    }

    fn add(&mut self, mut node: Node, anchor: usize, size: usize) -> Step {
        self.count = self.count.saturating_add(size);
        if self.count > LIMIT {
            let message = format!("the inventory has more than {LIMIT} values once its aliases are put in");
            return Err((node.span, Fault::new(message, "use ranges for hosts, and aliases sparingly")));
        }
        let mut duplicate = None;
        match self.open.last_mut() {
            None => self.root = Some(node.clone()),
            Some(Open { kind: Kind::List(items), .. }) => items.push(node.clone()),
            Some(Open { kind: Kind::Map(entries, pending), .. }) => match pending.take() {
                None => match &node.content {
                    Content::Scalar(key) => *pending = Some((key.text.clone(), node.span.clone())),
                    Content::List(_) | Content::Map(_) => {
                        return Err((
                            node.span,
                            Fault::new("a mapping or list cannot be a key", "keys are plain words"),
                        ));
                    }
                },
                Some((key, span)) => {
                    if node.span.is_empty() {
                        node.span = span.clone();
                    }
                    let first = entries.get(&key).map(|first| first.span.clone());
                    duplicate = first.clone().map(|first| (span.clone(), key.clone(), first));
                    entries.push(Entry { key, span, value: node.clone(), duplicate: first.is_some() });
                }
            },
        }
        if let Some((span, key, first)) = duplicate {
            // The first value stands, and is checked like any other.
            let path = self.path().key(&key);
            let fault = Fault::new(format!("duplicate key `{key}`"), "keep one of the two");
            self.problems.note(span, &path, fault, vec![(first, "first here".to_owned())]);
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node, size));
        }
        Ok(())
    }
}

impl Builder<'_> {
    /// The way to the innermost mapping or list that is open.
    fn path(&self) -> Path {
        let above = self.open.len().saturating_sub(1);
        self.open.iter().take(above).fold(Path::default(), |path, open| match &open.kind {
            Kind::List(items) => path.index(items.len()),
            Kind::Map(_, Some((key, _))) => path.key(key),
            Kind::Map(_, None) => path,
        })
    }
}

/// The part of a span on its first line.
fn first_line(source: &str, span: Range<usize>) -> Range<usize> {
    let length = source.lines().next().map_or(0, str::len);
    span.start..span.start + length
}

/// The first word of a mapping or list, so that a message points at its beginning and not at all of it.
fn first_token(text: &str, span: &Range<usize>) -> Range<usize> {
    let rest = text.get(span.start..).unwrap_or_default();
    let length = rest.find(|c: char| c.is_whitespace() || c == ':' || c == ',').unwrap_or(rest.len()).max(1);
    span.start..floor(text, span.start + length).max(span.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Node {
        let mut problems = Problems::default();
        let node = read(text, &mut problems).unwrap();
        assert!(problems.is_empty());
        node
    }

    fn fault(text: &str) -> String {
        read(text, &mut Problems::default()).unwrap_err().1.message
    }

    #[test]
    fn every_value_knows_its_place() {
        let text = "a: [1, \"zwölf\"]\nb:\n  c: plain text # note\n  d:\n";
        let root = value(text);
        for (path, shown) in [
            (Path::of("a").index(0), "1"),
            (Path::of("a").index(1), "\"zwölf\""),
            (Path::of("b.c"), "plain text"),
            (Path::of("b.d"), "d"),
            (Path::of("b"), "b"),
            (Path::of("b.nothing"), "b"),
        ] {
            assert_eq!(&text[root.nearest(&path)], shown, "{path}");
        }
    }

    #[test]
    fn aliases_stand_for_their_anchors() {
        let root = value("a: &x {k: v}\nb: *x\n");
        assert!(root.find(&Path::of("b.k")).is_some());
        assert!(fault("a: &x [*x]\n").contains("part of"));
        assert!(fault("a: *x\n").contains("anchor"));
    }

    #[test]
    fn aliases_cannot_blow_up() {
        let mut text = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
        for level in 1..20 {
            let alias = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", ")));
        }
        assert!(fault(&text).contains("more than 200000 values"));
    }

    #[test]
    fn what_is_no_single_plain_document_is_refused() {
        for (text, why) in [
            ("", "is empty"),
            ("# only a comment\n", "is empty"),
            ("---\n", "is empty"),
            ("a: 1\n---\nb: 2\n", "a second YAML document"),
            ("a: !!str 1\n", "tags such as"),
            ("? [a, b]\n: 1\n", "cannot be a key"),
            ("%YAML 1.1\n---\na: 1\n", "directive"),
        ] {
            assert!(fault(text).contains(why), "{text:?}: {}", fault(text));
        }
        assert!(fault(&"[".repeat(1000)).contains("deep"), "{}", fault(&"[".repeat(1000)));
    }
}
