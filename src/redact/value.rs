//! How far a value goes that begins somewhere in a line.

use std::ops::Range;

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Nothing else comes in its line.
    Line,
    /// In a map in one line.
    Flow,
    /// Among other words.
    Word,
}

/// Directories in which files are; a secret that begins like one is none.
const ROOTS: &[&str] =
    &["/etc/", "/var/", "/run/", "/opt/", "/usr/", "/home/", "/root/", "/srv/", "/tmp/", "/proc/", "/sys/", "/dev/"];
const NOTHING: &[&str] = &["", "true", "false", "null", "nil", "<nil>", "none", "<none>", "yes", "no", super::STRUCK];

/// Whether a value says that there is no secret, or where one is.
pub(super) fn is_harmless(value: &str) -> bool {
    let value = value.trim();
    NOTHING.iter().any(|nothing| value.eq_ignore_ascii_case(nothing))
        || (ROOTS.iter().any(|root| value.starts_with(root)) && !value.contains(char::is_whitespace))
}

/// The value that begins at `start`, without its quotes.
pub(super) fn range(line: &str, start: usize, extent: Extent) -> Range<usize> {
    if let Some(quoted) = quoted(line, start) {
        return quoted;
    }
    let rest = &line[start..];
    let mut length = match extent {
        Extent::Line => rest.len(),
        Extent::Flow => {
            let comma = rest.find(", ");
            let end = rest.find(['}', ']', ')']);
            comma.into_iter().chain(end).min().unwrap_or(rest.len())
        }
        Extent::Word => word(rest),
    };
    length = rest[..length].trim_end().len();
    start..start + length
}

/// Up to a space, or to a quote that is not the word's own.
fn word(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let ends = |(at, byte): (usize, &u8)| {
        byte.is_ascii_whitespace() || (matches!(byte, b'"' | b'`') && (at == 0 || bytes[at - 1] != b'\\'))
    };
    bytes.iter().enumerate().position(ends).unwrap_or(rest.len())
}

/// What stands between quotes, where a quote stands at `start`; within a text in quotes that is one with backslashes.
pub(super) fn quoted(line: &str, start: usize) -> Option<Range<usize>> {
    let bytes = line.as_bytes();
    let slashes = bytes.get(start..)?.iter().take_while(|byte| **byte == b'\\').count();
    let quote = *bytes.get(start + slashes).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    let inner = start + slashes + 1;
    let (mut at, mut before) = (inner, 0);
    while let Some(byte) = bytes.get(at) {
        if *byte == b'\\' {
            before += 1;
        } else {
            if *byte == quote && before == slashes {
                // A quote twice is one of the text's, in YAML.
                if quote == b'\'' && bytes.get(at + 1) == Some(&quote) {
                    at += 1;
                } else {
                    return Some(inner..at - slashes);
                }
            }
            before = 0;
        }
        at += 1;
    }
    Some(inner..line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_as_far_as_they_go() {
        let value = |line: &'static str, extent| &line[range(line, 0, extent)];
        assert_eq!(value("a b, c", Extent::Line), "a b, c");
        assert_eq!(value("a,b, c}", Extent::Flow), "a,b");
        assert_eq!(value("a b}", Extent::Flow), "a b");
        assert_eq!(value("a,b c", Extent::Word), "a,b");
        assert_eq!(value("a\",\"b\"", Extent::Word), "a");
        assert_eq!(value("'a b' c", Extent::Word), "a b");
        assert_eq!(value("'it''s' c", Extent::Word), "it''s");
        assert_eq!(value(r#""a\"b" c"#, Extent::Word), r#"a\"b"#);
        assert_eq!(value(r#"\"a\\\"b\" c"#, Extent::Word), r#"a\\\"b"#);
        assert_eq!(value("\"open end", Extent::Word), "open end");
        assert!(is_harmless("/etc/x") && is_harmless("True") && !is_harmless("/x") && !is_harmless("hunter2"));
    }
}
