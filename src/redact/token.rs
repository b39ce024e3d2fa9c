//! Secrets by their shape: tokens, keys of clouds and of age, logins and signatures in URLs, logins of commands, elements
//! of XML, and anything long that looks like chance.

use super::marks::Marks;
use super::{names, value};

/// Shorter runs of base64 are as good as words.
const LONG: usize = 40;
/// What a word before a credential begins with, in HTTP.
const SCHEMES: [&str; 3] = ["bearer ", "basic ", "negotiate "];
/// What makes a URL one that opens to whoever has it.
const SIGNATURES: [&str; 4] = ["sig", "signature", "x-amz-signature", "x-goog-signature"];
/// Options with a login, `user:password`.
const LOGINS: [&str; 4] = ["-u", "--user", "--proxy-user", "--creds"];

pub(super) fn mark(line: &str, marks: &mut Marks) {
    runs(line, |start, run| {
        shapes(start, run, marks);
    });
    logins(line, marks);
    schemes(line, marks);
    signatures(line, marks);
    elements(line, marks);
    commands(line, marks);
}

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

fn in_run(byte: u8) -> bool {
    is_base64(byte) || byte == b'.'
}

/// Every run of what tokens are made of. `n` behind a backslash is the end of a line, and no part of one.
fn runs(line: &str, mut each: impl FnMut(usize, &str)) {
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !in_run(bytes[at]) {
            at += 1;
            continue;
        }
        let length = bytes[at..].iter().take_while(|byte| in_run(**byte)).count();
        let escaped = at > 0 && bytes[at - 1] == b'\\' && matches!(bytes[at], b'n' | b'r' | b't');
        let start = at + usize::from(escaped);
        each(start, &line[start..at + length]);
        at += length;
    }
}

fn shapes(start: usize, run: &str, marks: &mut Marks) {
    // Nothing that follows is shorter.
    if run.len() < 16 {
        return;
    }
    for (at, _) in run.match_indices("eyJ") {
        let fresh = !run[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        if fresh && run.len() - at >= 16 {
            marks.add(start + at..start + run.len());
        }
    }
    let upper = run.to_ascii_uppercase();
    for name in ["AGE-SECRET-KEY-", "AGE-PLUGIN-"] {
        for (at, _) in upper.match_indices(name) {
            let rest = &run[at..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(rest.len());
            marks.add(start + at..start + at + end);
        }
    }
    let mut at = 0;
    // In base64 the sign stands at the end only.
    for part in run.split(['.', '=']) {
        if is_random(part) || is_cloud_key(part) {
            marks.add(start + at..start + at + part.len());
        }
        at += part.len() + 1;
    }
    bootstrap(start, run, marks);
}

/// Whether some part of a run of base64 looks like chance: all kinds of characters, and none of them for long.
pub(super) fn is_random(run: &str) -> bool {
    let bytes = run.as_bytes();
    if bytes.len() < LONG {
        return false;
    }
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    bytes.windows(LONG).step_by(4).chain(std::iter::once(&bytes[bytes.len() - LONG..])).any(|window| {
        let mut counts = [0_usize; 4];
        window.iter().for_each(|byte| counts[kind(*byte)] += 1);
        let changes = window.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
        counts[..3].iter().all(|count| *count > 0) && changes * 3 > LONG
    })
}

/// `AKIA` and sixteen characters, as Amazon's keys are called; their secrets look like chance.
fn is_cloud_key(part: &str) -> bool {
    let part = part.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    part.rsplit(['=', '/', '-', '_', '+']).chain(part.split(['=', '/', '-', '_', '+'])).any(|word| {
        word.len() == 20
            && ["AKIA", "ASIA"].iter().any(|kind| word.starts_with(kind))
            && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

/// `abcdef.0123456789abcdef`, with which a node joins.
fn bootstrap(start: usize, run: &str, marks: &mut Marks) {
    let is_part = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let mut at = 0;
    for word in run.split(['=', '/', '+', '_', '-']) {
        // The end of a sentence is none of the token.
        let token = word.trim_matches('.');
        if let Some((id, secret)) = token.split_once('.')
            && is_part(id, 6)
            && is_part(secret, 16)
        {
            marks.add(start + at..start + at + word.len());
        }
        at += word.len() + 1;
    }
}

/// `scheme://user:password@host`: the password; and who has no password, but a token for a name.
fn logins(line: &str, marks: &mut Marks) {
    for (at, _) in line.match_indices("://") {
        let start = at + 3;
        let rest = &line[start..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '"' | '\'' | '<' | '>' | '`'));
        let authority = &rest[..end.unwrap_or(rest.len())];
        let Some((login, _)) = authority.rsplit_once('@') else { continue };
        match login.split_once(':') {
            Some((user, password)) if !value::is_harmless(password) => {
                marks.add(start + user.len() + 1..start + login.len());
            }
            None if login.len() >= 16 => marks.add(start..start + login.len()),
            _ => {}
        }
    }
}

/// `Bearer` and `Basic` with what follows, where that is no word of a sentence.
fn schemes(line: &str, marks: &mut Marks) {
    if !line.contains(' ') {
        return;
    }
    let lower = line.to_ascii_lowercase();
    for scheme in SCHEMES {
        for (at, _) in lower.match_indices(scheme) {
            let start = at + scheme.len() + indent(&line[at + scheme.len()..]);
            let word = value::range(line, start, value::Extent::Word);
            let text = &line[word.clone()];
            let is_word = text.len() < 16 && !text.contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase());
            if !is_word && text.len() >= 8 {
                marks.add(word);
            }
        }
    }
}

/// `?sig=x` and `&X-Amz-Signature=x`; JSON may write the `&` as a number.
fn signatures(line: &str, marks: &mut Marks) {
    for (at, sign) in line.match_indices(['?', '&']).chain(line.match_indices("\\u0026")) {
        let start = at + sign.len();
        let rest = &line[start..];
        let is_named = |name: &&&str| rest.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name));
        let Some(name) = SIGNATURES.iter().find(|name| is_named(name) && rest[name.len()..].starts_with('=')) else {
            continue;
        };
        let (from, value) = (start + name.len() + 1, &rest[name.len() + 1..]);
        let ends = |c: char| c.is_whitespace() || matches!(c, '&' | '#' | '\\' | '"' | '\'' | '`' | '<' | '>');
        marks.add(from..value.find(ends).map_or(line.len(), |end| from + end));
    }
}

/// `<password>x</password>`.
fn elements(line: &str, marks: &mut Marks) {
    for (at, _) in line.match_indices('<') {
        let rest = &line[at + 1..];
        let name =
            &rest[..rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(rest.len())];
        if names::strength(name).is_none() || !rest[name.len()..].starts_with('>') {
            continue;
        }
        let from = at + 1 + name.len() + 1;
        // Without an end here, those that follow have none either.
        let Some(length) = line[from..].find("</") else { return };
        marks.add(from..from + length);
    }
}

/// `curl -u me:x`: the password. Of `-u 1000:1000`, both are numbers of users.
fn commands(line: &str, marks: &mut Marks) {
    for option in LOGINS {
        for (at, _) in line.match_indices(option) {
            let rest = &line[at + option.len()..];
            let next = rest.trim_start_matches(['"', ',', ' ', '=']);
            let is_option = line[..at].is_empty() || line[..at].ends_with([' ', '"', '\'', '[', '\t']);
            if !is_option || next.len() == rest.len() {
                continue;
            }
            let word = value::range(line, line.len() - next.len(), value::Extent::Word);
            let Some((user, password)) = line[word.clone()].split_once(':') else { continue };
            let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number(user) && !password.starts_with("//") && !value::is_harmless(password) {
                marks.add(word.start + user.len() + 1..word.end);
            }
        }
    }
}

fn indent(text: &str) -> usize {
    text.len() - text.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use super::super::{Known, STRUCK, text};
    use super::*;

    fn shown(given: &str) -> String {
        text(given, &Known::default()).replace(STRUCK, "#")
    }

    #[test]
    fn tokens_are_struck_out_by_their_shape() {
        for (given, expected) in [
            ("x eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrIn0.c2lnbmF0dXJl y", "x # y"),
            ("join with abcdef.0123456789abcdef.", "join with #"),
            (r"a\nabcdef.0123456789abcdef\nb", r"a\n#\nb"),
            ("key AKIAIOSFODNN7EXAMPLE", "key #"),
            ("is wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY12 it", "is # it"),
            ("AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", "#"),
            ("age-secret-key-1qqpzry9x8gf2tvdw0s3jn54khce6mua7l,", "#,"),
            ("get https://me:hunter2@h:6443/x?y=z@w now", "get https://me:#@h:6443/x?y=z@w now"),
            ("get https://0123456789abcdef01@h/x", "get https://#@h/x"),
            ("ssh://git@h/x http://h/@x", "ssh://git@h/x http://h/@x"),
            ("sent Bearer abcdefgh1 off", "sent Bearer # off"),
            ("the bearer token is invalid", "the bearer token is invalid"),
            ("get https://h/x?sv=1&sig=ab%2Bc&se=2 now", "get https://h/x?sv=1&sig=#&se=2 now"),
            (
                r#"{"url":"https://h/x?a=1\u0026X-Amz-Signature=0a1b"}"#,
                r##"{"url":"https://h/x?a=1\u0026X-Amz-Signature=#"}"##,
            ),
            ("<user>me</user><password>a b</password>", "<user>me</user><password>#</password>"),
            ("usage: login <token> <host>", "usage: login <token> <host>"),
            ("curl -u me:x https://h/x", "curl -u me:# https://h/x"),
            (r#"["curl","--user","me:x","-v"]"#, r##"["curl","--user","me:#","-v"]"##),
            ("journalctl -u kubelet.service; run -u 1000:1000", "journalctl -u kubelet.service; run -u 1000:1000"),
        ] {
            assert_eq!(shown(given), expected, "{given}");
        }
    }

    #[test]
    fn names_of_things_are_no_chance() {
        for word in [
            "3f8a9c0d1e2b4a5968778695a4b3c2d1e0f3f8a9c0d1e2b4a5968778695a4b3c",
            "/var/lib/containerd/io/containerd/snapshotter/v1/overlayfs/snapshots/12/fs",
            "9f4a1c3e-5b7d-4e2a-8c6f-0a1b2c3d4e5f",
            "NodeHasSufficientMemoryAndNoDiskPressureSince2026",
            "kube-system/calico-kube-controllers-7f9d8c6b5d-abcde",
            "k8s_kube-apiserver_kube-apiserver-m1_kube-system_0a1b2c3d4e5f_3",
        ] {
            assert!(!is_random(word), "{word}");
        }
        assert!(is_random("MIIEpAIBAAKCAQEAtF7yQ2v9J3kLmNoPqRsTuVwXyZ01"));
    }
}
