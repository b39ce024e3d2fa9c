//! What a line is part of: where its own words begin behind what a log puts before them, and the values of YAML that
//! stand in the lines below their key.

use super::marks::Marks;
use super::names::{Strength, strength};

/// Where the words of a line begin: behind the time and whatever else the runtime, the journal and klog put there.
pub(super) fn message(line: &str) -> usize {
    let start = prefix(line);
    start + klog(&line[start..])
}

fn prefix(line: &str) -> usize {
    let mut words = line.splitn(4, ' ');
    let (Some(time), Some(second), Some(third), Some(_)) = (words.next(), words.next(), words.next(), words.next())
    else {
        return 0;
    };
    let is_time = time.starts_with(|c: char| c.is_ascii_digit()) && time.contains('T') && time.contains(':');
    let of_runtime = matches!(second, "stdout" | "stderr");
    let of_journal = third.ends_with(':');
    if is_time && (of_runtime || of_journal) { time.len() + second.len() + third.len() + 3 } else { 0 }
}

fn klog(own: &str) -> usize {
    let bytes = own.as_bytes();
    let is_header =
        matches!(bytes.first(), Some(b'I' | b'W' | b'E' | b'F')) && bytes.get(1).is_some_and(u8::is_ascii_digit);
    if is_header { own.find("] ").map_or(0, |end| end + 2) } else { 0 }
}

/// Columns before the first word, where a list's dash is one of them.
pub(super) fn indent(own: &str) -> usize {
    own.len() - own.trim_start().len()
}

/// A key of YAML, or of JSON in lines, at the beginning of a line, and what stands behind it.
fn entry(own: &str) -> Option<(&str, &str)> {
    let own = own.trim_start();
    let own = own.strip_prefix("- ").unwrap_or(own).trim_start();
    let (key, rest) = own.split_once(':')?;
    let key = key.trim().trim_matches(['"', '\'']);
    let is_key =
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
    (is_key && (rest.is_empty() || rest.starts_with(' '))).then(|| (key, rest.trim().trim_end_matches(',')))
}

/// What a text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Anything else.
    Anything,
    /// A Secret among others, whose data have any name.
    Secret,
}

impl About {
    pub(super) fn of(text: &str) -> Self {
        let has_secret = text.contains("Secret") && text.lines().any(is_kind_secret);
        if has_secret { Self::Secret } else { Self::Anything }
    }
}

/// Whether it says that an object is a Secret.
fn is_kind_secret(line: &str) -> bool {
    let own = &line[message(line)..];
    let is_entry = entry(own).is_some_and(|(key, value)| key == "kind" && value.trim_matches(['"', '\'']) == "Secret");
    is_entry
        || own.split("kind").skip(1).any(|after| {
            let after = after.trim_start_matches(['\\', '"', ':', ' ']);
            after.starts_with("Secret\"") || after.starts_with("Secret\\")
        })
}

/// The lines below a key, as far as they are its value.
pub(super) struct Below {
    indent: usize,
    what: What,
}

enum What {
    /// All of them.
    Everything,
    /// Only what is no key of its own: a map that names where a secret is has none in it.
    Scalars,
}

impl Below {
    pub(super) fn holds(&self, own: &str) -> bool {
        if own.trim().is_empty() || indent(own) <= self.indent {
            return false;
        }
        match self.what {
            What::Everything => true,
            What::Scalars => entry(own).is_none(),
        }
    }
}

/// The value that goes on below this line. `None` also where one ends.
pub(super) fn opens(own: &str, about: About) -> Option<Below> {
    let (key, value) = entry(own)?;
    let has_data = about == About::Secret && matches!(key, "data" | "stringData");
    let is_block = value.starts_with(['|', '>']);
    let opened = |what| Some(Below { indent: indent(own), what });
    match strength(key) {
        _ if has_data && matches!(value, "" | "{") => opened(What::Everything),
        Some(_) if is_block => opened(What::Everything),
        Some(Strength::Sure | Strength::Likely) if matches!(value, "" | "[") => opened(What::Scalars),
        _ => None,
    }
}

/// The data of Secrets in one line of JSON.
pub(super) fn mark_data(line: &str, marks: &mut Marks) {
    for key in ["data", "stringData"] {
        for (at, _) in line.match_indices(key) {
            let after = at + key.len();
            let rest = line[after..].trim_start_matches(['\\', '"', ' ']);
            if !line[..at].ends_with('"') || !rest.starts_with(':') {
                continue;
            }
            let Some(open) = rest.find('{').filter(|open| rest[1..*open].trim().is_empty()) else { continue };
            let inner = line.len() - rest.len() + open + 1;
            marks.add(inner..line[inner..].find('}').map_or(line.len(), |end| inner + end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Known, STRUCK, text};
    use super::*;

    fn shown(given: &str) -> String {
        text(given, &Known::default()).replace(STRUCK, "#")
    }

    #[test]
    fn the_words_of_a_line_are_found_behind_its_log() {
        let own = |line: &'static str| &line[message(line)..];
        assert_eq!(own("2026-11-30T01:36:48.1Z stderr F   a: b"), "  a: b");
        assert_eq!(own("2026-11-30T01:36:48+0000 m1 kubelet[812]: E1130 01:36:48.12 812 x.go:1] a: b"), "a: b");
        assert_eq!(own("a: b"), "a: b");
        assert_eq!(own("2026 is a year"), "2026 is a year");
    }

    #[test]
    fn values_below_their_key_are_struck_out() {
        for (given, expected) in [
            ("password: |\n  a\n\n  b\nuser: c", "password: |\n  #\n\n  #\nuser: c"),
            ("a:\n  password:\n    hunter2\n  user: x", "a:\n  password:\n    #\n  user: x"),
            ("token: >-\n  a.b\nx: y", "token: >-\n  #\nx: y"),
            ("secret:\n  secretName: x\n", "secret:\n  secretName: x\n"),
            ("passwords:\n  - one\n  - two\nx: y", "passwords:\n  #\n  #\nx: y"),
            ("data:\n  a: aHVu\nkind: Secret\n", "data:\n  #\nkind: Secret\n"),
            ("data:\n  a: aHVu\nkind: ConfigMap\n", "data:\n  a: aHVu\nkind: ConfigMap\n"),
            (r#"{"kind":"Secret","data":{"a":"aHVu"},"x":1}"#, r##"{"kind":"Secret","data":{#},"x":1}"##),
            (r#"{\"data\":{\"a\":\"aHVu\"},\"kind\":\"Secret\"}"#, r##"{\"data\":{#},\"kind\":\"Secret\"}"##),
            (
                "2026-11-30T01:36:48Z stdout F password: |\n2026-11-30T01:36:48Z stdout F   x y\n",
                "2026-11-30T01:36:48Z stdout F password: |\n2026-11-30T01:36:48Z stdout F   #\n",
            ),
        ] {
            assert_eq!(shown(given), expected, "{given}");
        }
    }
}
