//! Secrets by their name: `password: x`, `TOKEN=x`, `"secret":"x"`, `--password x`, and variables whose name and value are
//! fields of their own.

use super::marks::Marks;
use super::names::{Strength, strength};
use super::value::{self, Extent};

/// A name that something is assigned to.
struct Key<'l> {
    name: &'l str,
    /// Where it begins, its quotes with it.
    start: usize,
}

/// What a line has named whose value may stand in the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// Nothing of the kind.
    Nothing,
    /// A variable that is a secret.
    Secret,
}

/// Marks what is assigned in a line whose own words begin at `start`, below one that has named `above`.
pub(super) fn mark(line: &str, start: usize, above: Named, marks: &mut Marks) -> Named {
    let mut named = Named::Nothing;
    for (at, separator) in line.bytes().enumerate().filter(|(_, byte)| matches!(byte, b':' | b'=')) {
        let Some(key) = key(line, start, at) else { continue };
        let Some(from) = behind(line, at) else { continue };
        if key.name.eq_ignore_ascii_case("name") {
            if of_variable(line, from, marks) == Named::Secret {
                named = Named::Secret;
            }
        } else if above == Named::Secret && key.name.eq_ignore_ascii_case("value") {
            add(line, value::range(line, from, extent(line, start, &key)), marks);
        } else if let Some(strength) = strength(key.name) {
            assigned(line, start, &key, (separator, from), strength, marks);
        }
    }
    words(line, start, marks);
    named
}

/// The name before the separator at `at`.
fn key(line: &str, start: usize, at: usize) -> Option<Key<'_>> {
    let before = line.get(start..at)?;
    // `a := b`, `a ?= b`.
    let before = before.trim_end_matches([':', '?', '+', ' ', '\t']);
    let name_end = before.trim_end_matches(['"', '\'', '`', '\\']).len();
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name = &before[before[..name_end].trim_end_matches(in_name).len()..name_end];
    if name.is_empty() {
        return None;
    }
    let open = before[..name_end - name.len()].trim_end_matches(['"', '\'', '`', '\\']);
    Some(Key { name, start: start + open.len() })
}

/// Where the value begins; `None` where nothing is assigned.
fn behind(line: &str, at: usize) -> Option<usize> {
    let rest = &line[at + 1..];
    if rest.starts_with("//") || rest.starts_with('=') || line[..at].ends_with(['=', '!', '<', '>']) {
        return None;
    }
    let value = rest.strip_prefix('>').unwrap_or(rest).trim_start_matches([' ', '\t']);
    Some(line.len() - value.len())
}

fn extent(line: &str, start: usize, key: &Key<'_>) -> Extent {
    let before = line[start..key.start].trim_start_matches(['-', ' ', '\t']);
    if before.is_empty() || before == "export " {
        return Extent::Line;
    }
    match before.trim_end().chars().next_back() {
        Some('{' | '[' | '(') => Extent::Flow,
        Some(',') if before.contains(['{', '[', '(']) => Extent::Flow,
        _ => Extent::Word,
    }
}

fn assigned(
    line: &str,
    start: usize,
    key: &Key<'_>,
    (separator, from): (u8, usize),
    sure: Strength,
    marks: &mut Marks,
) {
    let first = line[from..].chars().next();
    if first == Some('{') || (first == Some('[') && sure == Strength::Likely) {
        return;
    }
    if first == Some('[') {
        return marks.add(from..line[from..].find(']').map_or(line.len(), |end| from + end));
    }
    let mut extent = extent(line, start, key);
    let is_flag = line[key.start..].trim_start_matches(['"', '\'']).starts_with('-');
    extent = match (extent, separator, sure) {
        (_, b'=', _) if is_flag => Extent::Word,
        (Extent::Line, b'=', Strength::Likely) | (Extent::Flow, b'=', _) => Extent::Word,
        // Whoever prints a password with a colon prints all of it.
        (Extent::Word, b':', Strength::Sure) => Extent::Line,
        (extent, ..) => extent,
    };
    let mut range = value::range(line, from, extent);
    // A line of JSON stays one.
    if line[range.clone()].contains('"')
        && let Some(end) = end_of_string(line, start, from)
    {
        range.end = range.end.min(end);
    }
    let text = &line[range.clone()];
    // An image, and its version.
    let is_image = sure == Strength::Likely && separator == b':' && line[..key.start].ends_with('/');
    let in_prose = extent == Extent::Word
        && separator == b':'
        && line[..from].ends_with(' ')
        && text.len() < 16
        && text.trim_end_matches([',', '.', ';', ':', ')', ']']).chars().all(char::is_alphabetic);
    if !(is_image || (sure == Strength::Likely && in_prose && value::quoted(line, from).is_none())) {
        add(line, range, marks);
    }
}

/// Longer lines are not read as JSON, once for each of their names.
const LONGEST_JSON: usize = 64 << 10;

/// Where the text of JSON ends that `from` is within, in a line that is JSON from `start` on.
fn end_of_string(line: &str, start: usize, from: usize) -> Option<usize> {
    let own = line[start..].trim_start();
    let may_be = own.starts_with(['{', '[']) && own.len() <= LONGEST_JSON;
    if !may_be || serde_json::from_str::<serde::de::IgnoredAny>(own).is_err() {
        return None;
    }
    let (mut inside, mut escaped) = (false, false);
    for (at, byte) in line.bytes().enumerate().skip(line.len() - own.len()) {
        if at == from && !inside {
            return None;
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' if at >= from => return Some(at),
            b'"' => inside = !inside,
            _ => {}
        }
    }
    None
}

/// A variable's name, and its value where the same line has it.
fn of_variable(line: &str, from: usize, marks: &mut Marks) -> Named {
    let name = value::range(line, from, Extent::Word);
    let text = line[name.clone()].trim_end_matches([',', '}']);
    if strength(text).is_none() || text.contains(':') {
        return Named::Nothing;
    }
    let rest = &line[name.end..];
    let skipped = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let at = line.len() - skipped.len();
    if skipped.is_empty() {
        return Named::Secret;
    }
    let is_value = skipped.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("value"));
    let separator = skipped.find([':', '=']).filter(|_| is_value);
    if let Some(from) = separator.and_then(|separator| behind(line, at + separator)) {
        add(line, value::range(line, from, Extent::Flow), marks);
    }
    Named::Nothing
}

/// Names whose value follows as the next word: of flags, and of settings such as `auth_pass x` and `password "x"`.
fn words(line: &str, start: usize, marks: &mut Marks) {
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut at = start;
    while let Some(found) = line[at..].find(in_name) {
        let begin = at + found;
        let length = line[begin..].find(|c| !in_name(c)).unwrap_or(line.len() - begin);
        let name = &line[begin..begin + length];
        at = begin + length;
        let Some(sure) = strength(name) else { continue };
        let is_flag = name.starts_with('-');
        // The next argument, also of a list of them in quotes.
        let next = match is_flag {
            true => line[at..].trim_start_matches(['"', '\'', '\\']).trim_start_matches([' ', '\t', ',']),
            false => line[at..].trim_start_matches([' ', '\t']),
        };
        let from = line.len() - next.len();
        if from == at || next.is_empty() || next.starts_with(['-', ':', '=']) {
            continue;
        }
        let range = value::range(line, from, Extent::Word);
        let text = &line[range.clone()];
        let is_setting = sure == Strength::Sure
            && (name.eq_ignore_ascii_case("auth_pass")
                || value::quoted(line, from).is_some()
                || text.contains(|c: char| c.is_ascii_digit()));
        if is_flag || is_setting {
            add(line, range, marks);
        }
    }
}

fn add(line: &str, range: std::ops::Range<usize>, marks: &mut Marks) {
    let text = &line[range.clone()];
    let is_block = matches!(text, "|" | ">" | "|-" | ">-" | "|+" | ">+");
    // A list of arguments may go on behind a word without a space.
    let bare = text.trim_end_matches([',', '}', ']', ')', ';', '"', '\'']);
    if !value::is_harmless(text) && !value::is_harmless(bare) && !is_block {
        marks.add(range);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Known, STRUCK, text};

    fn shown(given: &str) -> String {
        text(given, &Known::default()).replace(STRUCK, "#")
    }

    #[test]
    fn what_is_assigned_to_the_name_of_a_secret_is_struck_out() {
        for (given, expected) in [
            ("password: correct horse", "password: #"),
            ("PASSWORD=correct horse", "PASSWORD=#"),
            ("export DB_PASSWORD='a b' # x", "export DB_PASSWORD='#' # x"),
            ("login failed, password: a b", "login failed, password: #"),
            ("{user: me, password: a b, x: y}", "{user: me, password: #, x: y}"),
            (r#"{"token":"a","n":1}"#, r##"{"token":"#","n":1}"##),
            (r#"msg="{\"secret\":\"a\\\"b\",\"n\":1}""#, r##"msg="{\"secret\":\"#\",\"n\":1}""##),
            ("run --password=a,b --v=2", "run --password=# --v=2"),
            ("run --token abc --v 2", "run --token # --v 2"),
            (r#"args: ["--password","a b","--v=2"]"#, r##"args: ["--password","#","--v=2"]"##),
            (r#"args: ["--password=a","--v=2"]"#, r##"args: ["--password=#","--v=2"]"##),
            ("  auth_pass abcd", "  auth_pass #"),
            (r#"  password "abcd";"#, r##"  password "#";"##),
            (r#"{"name":"DB_PASSWORD","value":"a"}"#, r##"{"name":"DB_PASSWORD","value":"#"}"##),
            ("- name: DB_TOKEN\n  value: a b\n  x: y", "- name: DB_TOKEN\n  value: #\n  x: y"),
            ("Authorization: Basic dTpw", "Authorization: #"),
            ("DB_PASS: a b", "DB_PASS: #"),
            ("run -e MYSQL_PWD=a -v", "run -e MYSQL_PWD=# -v"),
            (r#"{"m":"GET / Authorization: Basic a","n":1}"#, r##"{"m":"GET / Authorization: #","n":1}"##),
            (r#"{"m":"a, Cookie: b\"c\\","n":"d"}"#, r##"{"m":"a, Cookie: #","n":"d"}"##),
            (r#""auth": "dTpw""#, r##""auth": "#""##),
            ("{User:me Password:a b}", "{User:me Password:#"),
            ("x?token=a&y=z z", "x?token=# z"),
        ] {
            assert_eq!(shown(given), expected, "{given}");
        }
    }

    #[test]
    fn what_is_about_secrets_stays() {
        for line in [
            "E1130 01:36:48.123456 1 a.go:12] failed to get token: Post \"https://10.0.0.1:6443/x\": connection refused",
            "reflector.go:147] failed to list *v1.Secret: secrets is forbidden",
            "secretName: my-secret",
            "--service-account-key-file=/etc/kubernetes/pki/sa.key --token-auth-file /etc/x",
            "password: {env: SUDO_PASSWORD}",
            "automountServiceAccountToken: false",
            "the password authentication failed",
            "image docker.io/x/token-server:v1.2",
            "- name: DB_HOST\n  value: db",
            "token == expected, secret != other",
        ] {
            assert_eq!(shown(line), line);
        }
    }
}
