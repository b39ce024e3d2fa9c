//! The file as reports show it: line by line, secrets struck out.

use std::ops::Range;

use super::tree::{Content, Node};

/// The text of an inventory, fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// A line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// Its number, from 1.
    pub(super) number: usize,
    /// Where it begins.
    pub(super) start: usize,
    /// What it says.
    pub(super) text: &'t str,
}

impl Source {
    /// Strikes out what stands under a key that names a secret. Without a tree, which a file that is no YAML does not
    /// have, that is the rest of every line with such a key.
    pub(super) fn new(text: &str, root: Option<&Node>) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        match root {
            Some(root) => strike(root, false, &mut bytes),
            None => strike_lines(text, &mut bytes),
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Self { text, lines }
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The line in which `offset` is.
    pub(super) fn line(&self, offset: usize) -> Line<'_> {
        let number = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(number - 1).copied().unwrap_or_default();
        let text = self.text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        Line { number, start, text }
    }

    /// Lines and columns of places that come in the order of the file.
    pub(super) fn columns(&self) -> Columns<'_> {
        Columns { source: self, line: 0, offset: 0, column: 1 }
    }
}

/// Counts columns as it goes, so that a file in one long line is read once and not for every error in it.
#[derive(Debug)]
pub(super) struct Columns<'t> {
    source: &'t Source,
    /// Where the last place was, its line by where it begins.
    line: usize,
    offset: usize,
    column: usize,
}

impl Columns<'_> {
    /// Line and column of `offset`, in characters from 1.
    pub(super) fn place(&mut self, offset: usize) -> (usize, usize) {
        let line = self.source.line(offset);
        if line.start != self.line || offset < self.offset {
            (self.line, self.offset, self.column) = (line.start, line.start, 1);
        }
        let end = offset.min(line.start + line.text.len());
        if end > self.offset {
            self.column += self.source.text.get(self.offset..end).unwrap_or_default().chars().count();
            self.offset = end;
        }
        (line.number, self.column)
    }
}

/// Whether what stands under `key` is a secret, or might have been meant as one.
pub(super) fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["pass", "secret", "token", "credential", "webhook"].iter().any(|word| key.contains(word))
}

fn strike(node: &Node, secret: bool, bytes: &mut [u8]) {
    match &node.content {
        Content::Map(entries) => {
            for entry in entries.iter() {
                let with_login = entry.key == "user" && is_pair(&entry.value);
                strike(&entry.value, secret || with_login || names_secret(&entry.key), bytes);
            }
        }
        Content::List(items) => items.iter().for_each(|item| strike(item, secret, bytes)),
        Content::Scalar(scalar) if secret && !scalar.is_null() => strike_bytes(node.span.clone(), bytes),
        Content::Scalar(scalar)
            if password_in(&scalar.text).is_some() || bytes.get(node.span.clone()).is_some_and(is_secret) =>
        {
            strike_bytes(node.span.clone(), bytes);
        }
        Content::Scalar(_) => {}
    }
}

/// What is a secret wherever it stands: a secret key of age, and a login in a URL.
fn is_secret(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let login =
        text.split_once("://").and_then(|(_, rest)| rest.split('/').next()).is_some_and(|host| host.contains('@'));
    login || text.to_ascii_uppercase().contains("AGE-SECRET-KEY-")
}

/// Whether a name is followed by what can only be a password.
fn is_pair(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar(scalar) if scalar.text.contains(':'))
}

/// The password of a login before a host: of `NAME:PASSWORD@HOST`, which an image with its digest is not.
pub(super) fn password_in(text: &str) -> Option<&str> {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (login, host) = text.rsplit_once('@')?;
    let (name, password) = login.split_once(':')?;
    let port = password.split_once('/').is_some_and(|(port, _)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let digest = name.contains('/') || port || host.starts_with("sha256:");
    (!digest && !password.is_empty()).then_some(password)
}

fn strike_lines(text: &str, bytes: &mut [u8]) {
    let mut start = 0;
    // The indentation of the key whose value goes on below.
    let mut above: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let from = match above {
            Some(above) if indent > above || line.trim().is_empty() => Some(0),
            _ => secret_value(line),
        };
        above = match from {
            Some(0) => above,
            Some(_) => Some(indent),
            None => None,
        };
        match from {
            Some(from) => strike_bytes(start + from..start + line.len(), bytes),
            None => strike_words(line, start, bytes),
        }
        start += line.len();
    }
}

/// Strikes out words of a line that are secrets wherever they stand.
fn strike_words(line: &str, mut start: usize, bytes: &mut [u8]) {
    for word in line.split_inclusive(char::is_whitespace) {
        let end = start + word.len();
        if password_in(word).is_some() || is_secret(word.as_bytes()) {
            strike_bytes(start..end, bytes);
        }
        start = end;
    }
}

/// Where the value of the first key of `line` that names a secret begins.
fn secret_value(line: &str) -> Option<usize> {
    let keys =
        line.match_indices([':', '=']).map(|(colon, _)| (colon, line[..colon].trim_end_matches(['"', '\'', ' '])));
    let word =
        |key: &str| key.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().map(names_secret);
    keys.filter(|(_, key)| word(key) == Some(true)).map(|(colon, _)| colon + 1).next()
}

/// Every character by stars, so that offsets stay as they are.
fn strike_bytes(span: Range<usize>, bytes: &mut [u8]) {
    for byte in bytes.get_mut(span).unwrap_or_default() {
        if !matches!(*byte, b'\n' | b'\r' | b' ') {
            *byte = b'*';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::problems::Problems;
    use super::super::yaml;
    use super::*;

    fn shown(text: &str) -> String {
        let root = yaml::read(text, &mut Problems::default()).ok();
        Source::new(text, root.as_ref()).text
    }

    #[test]
    fn secrets_are_struck_out() {
        assert_eq!(shown("a: {becomePassword: hunter2, b: c}"), "a: {becomePassword: *******, b: c}");
        assert_eq!(shown("a: [AGE-SECRET-KEY-1X, b]"), "a: [*****************, b]");
        assert_eq!(shown("a: https://me:pw@h/x\nb: https://h/@x"), "a: *****************\nb: https://h/@x");
        assert_eq!(shown("token:\n  x: [abc, 'd']\ny: z\n"), "token:\n  x: [***, ***]\ny: z\n");
        assert_eq!(shown("PASSWORD: ü\nlabel: ok\n"), "PASSWORD: **\nlabel: ok\n");
    }

    #[test]
    fn a_login_with_its_password_is_struck_out() {
        assert_eq!(shown("a: \"ops:pw@jump\""), "a: *************");
        assert_eq!(shown("a: ops:p w@jump\nuser: ops:pw"), "a: ***** ******\nuser: ******");
        for (text, password) in [
            ("ops:pw@jump:22", Some("pw")),
            ("ops:p@w@jump", Some("p@w")),
            ("user:pw@registry/x:y", Some("pw")),
            ("https://me:pw@h/x", Some("pw")),
            ("ops@jump:22", None),
            ("ops@fd00::1", None),
            ("ops:@jump", None),
            ("registry/x:y", None),
            ("registry/x:y@sha256:0", None),
            ("registry/x:y@sha25:0", None),
            ("registry:5000/x:y@sha25:0", None),
        ] {
            assert_eq!(password_in(text), password, "{text}");
        }
    }

    #[test]
    fn secrets_are_struck_out_of_what_is_no_yaml() {
        assert_eq!(shown("a: [\nx: {becomePassword: hunter2\nb: c"), "a: [\nx: {becomePassword: *******\nb: c");
        assert_eq!(
            shown("x:\n  password:\n    hunter2\n\n    b\ny: [\n"),
            "x:\n  password:\n    *******\n\n    *\ny: [\n"
        );
        assert_eq!(shown("{\"secret\": \"x\", ["), "{\"secret\": **** *");
        assert_eq!(shown("a: [\nb: \"ops:pw@jump x\nc: ops@jump"), "a: [\nb: ************ x\nc: ops@jump");
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        let source = Source::new("ä: b\r\nc: d", None);
        let mut columns = source.columns();
        for (offset, place) in
            [(0, (1, 1)), ("ä: ".len(), (1, 4)), ("ä: b\r\nc: ".len(), (2, 4)), (1, (1, 1)), (99, (2, 5))]
        {
            assert_eq!(columns.place(offset), place, "{offset}");
        }
        let line = source.line("ä: b\r\nc: ".len());
        assert_eq!((line.number, line.text), (2, "c: d"));
        assert_eq!(source.line(99).number, 2);
        assert_eq!(Source::new("", None).line(0), Line { number: 1, start: 0, text: "" });
    }
}
