//! Which module may know which, and how long a file may be: read from the sources.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A module, and those that it never names: neither in `use` nor in a path, its tests included.
const NEVER: &[(&str, &[&str])] = &[
    ("cli", &[]),
    (
        "inventory",
        &["versions", "image", "pki", "desired", "plan", "host", "remote", "kube", "run", "report", "lab", "cli"],
    ),
    (
        "migrate",
        &["versions", "image", "pki", "desired", "plan", "host", "remote", "kube", "run", "report", "lab", "cli"],
    ),
    ("cluster", &["remote", "host", "kube", "report"]),
    ("versions", &["remote", "host", "kube", "report"]),
    ("image", &["remote", "host", "kube", "report"]),
    ("pki", &["remote", "host", "kube", "report"]),
    ("etcd", &["remote", "kube", "run", "report", "cli"]),
    ("snapshot", &["remote", "host", "kube", "report"]),
    ("desired", &["remote", "host", "kube", "report"]),
    ("plan", &["remote", "host", "kube", "report"]),
    ("diff", &["cluster", "host", "kube", "report"]),
    ("regular_file", &["cluster", "host", "kube", "remote", "report", "run"]),
    ("host", &["remote", "kube", "run", "report", "cli"]),
    (
        "redact",
        &[
            "cluster",
            "inventory",
            "versions",
            "image",
            "pki",
            "desired",
            "plan",
            "host",
            "remote",
            "kube",
            "run",
            "report",
            "lab",
            "cli",
        ],
    ),
    ("remote", &["plan", "desired", "report"]),
    ("kube", &["plan", "desired", "report"]),
    ("run", &["cli"]),
    ("report", &[]),
    ("lab", &["plan", "desired"]),
];

/// Files that may be longer than [`CEILING`], because they are tables.
const TABLES: &[&str] = &[];
const CEILING: usize = 500;

#[test]
fn no_module_names_what_it_must_not_know() {
    let mut offences = Vec::new();
    for file in sources("src") {
        let Some((module, depth)) = place(&file) else { continue };
        let Some((_, never)) = NEVER.iter().find(|(name, _)| *name == module) else {
            panic!("{}: module {module} is not in the table of tests/imports.rs", file.display());
        };
        for (line, named) in mentions(&fs::read_to_string(&file).unwrap(), depth) {
            if never.contains(&named.as_str()) {
                offences.push(format!("{}:{line}: {module} must not know {named}", file.display()));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_module_in_the_table_exists() {
    for name in NEVER.iter().flat_map(|(name, never)| [name].into_iter().chain(*never)) {
        let file = root().join("src").join(name);
        assert!(file.is_dir() || file.with_extension("rs").is_file(), "{name} is no module");
    }
}

#[test]
fn no_file_is_too_long() {
    let lines: BTreeMap<String, usize> = ["src", "tests"]
        .into_iter()
        .flat_map(sources)
        .map(|file| (file.display().to_string(), fs::read_to_string(&file).unwrap().lines().count()))
        .collect();
    let long: Vec<String> = lines
        .iter()
        .filter(|(file, lines)| **lines > CEILING && !TABLES.contains(&file.as_str()))
        .map(|(file, lines)| format!("{file}: {lines} lines, at most {CEILING} are allowed"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
    for table in TABLES {
        assert!(lines.get(*table).is_some_and(|lines| *lines > CEILING), "{table} needs no exception");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `directory`, relative to the repository; tests run there.
fn sources(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{directory} has no sources");
    found.sort();
    found
}

/// The top module that a file belongs to, and how deep below the crate's root its own module is. The root has neither.
fn place(file: &Path) -> Option<(String, usize)> {
    let mut parts: Vec<String> =
        file.with_extension("").iter().skip(1).map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    let top = parts.first()?.clone();
    (!matches!(top.as_str(), "lib" | "main")).then_some((top, parts.len()))
}

/// Line and top module of every path that begins with `crate::`, or with as many `super::` as lead to the root.
fn mentions(text: &str, depth: usize) -> Vec<(usize, String)> {
    let tokens = tokens(text);
    let token = |index: usize| tokens.get(index).map_or("", |(_, token)| token.as_str());
    let mut found = Vec::new();
    // For each open brace, whether it is a module's.
    let mut braces = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        match token(index) {
            "{" => braces.push(index >= 2 && token(index - 2) == "mod"),
            "}" => {
                braces.pop();
            }
            "crate" if token(index + 1) == "::" => heads(&tokens, index + 2, &mut found),
            "super" if token(index + 1) == "::" => {
                let mut supers = 0;
                while token(index) == "super" && token(index + 1) == "::" {
                    (supers, index) = (supers + 1, index + 2);
                }
                if supers == depth + braces.iter().filter(|module| **module).count() {
                    heads(&tokens, index, &mut found);
                }
                continue;
            }
            _ => {}
        }
        index += 1;
    }
    found
}

/// The first names of what begins at `index`: one name, or each of `{a, b::c, d::{e}}`.
fn heads(tokens: &[(usize, String)], index: usize, found: &mut Vec<(usize, String)>) {
    let Some((line, first)) = tokens.get(index) else { return };
    if first != "{" {
        found.push((*line, first.clone()));
        return;
    }
    let mut open = 0;
    for (position, (line, token)) in tokens.iter().enumerate().skip(index) {
        match token.as_str() {
            "{" => open += 1,
            "}" => open -= 1,
            _ if open == 1 && matches!(tokens[position - 1].1.as_str(), "{" | ",") => {
                found.push((*line, token.clone()))
            }
            _ => {}
        }
        if open == 0 {
            return;
        }
    }
}

/// Names, `::` and other signs, each with its line; without comments, strings and characters.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            // A character, or a lifetime.
            let character = rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'');
            if character { quoted(rest, '\'') } else { 1 }
        } else if word > 0 {
            tokens.push((line, rest[..word].to_owned()));
            word
        } else if rest.starts_with("::") {
            tokens.push((line, "::".to_owned()));
            2
        } else {
            if !first.is_whitespace() {
                tokens.push((line, first.to_string()));
            }
            first.len_utf8()
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// Length of the raw string that `rest` begins with.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest.len() - body.len() + body.find(&end).map_or(body.len(), |position| position + end.len()))
}

/// Length of the literal that `rest` begins with.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (position, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return position + character.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let text = r##"
        //! [`crate::comment`]
        use crate::one;
        use crate::{two, three::{four, self}, five as six,
            seven};
        /* crate::comment */ fn f<'a>(x: &'a str) -> crate::eight::T { super::super::nine::f('\'', 'x', "crate::string\"") }
        const RAW: &str = r#"" crate::string "#;
        use super::near;
        mod tests { use super::super::near; use super::super::super::ten; fn g() { super::super::super::eleven() } }
        pub(in crate::twelve) fn h() {} use super::super::{thirteen};
    "##;
    let found: Vec<(usize, String)> = mentions(text, 2);
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
    let expected = ["one", "two", "three", "five", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"];
    assert_eq!(names, expected);
    assert_eq!(lines, [3, 4, 4, 4, 5, 6, 6, 9, 9, 10, 10]);
}

#[test]
fn files_have_their_place() {
    let place = |file: &str| place(Path::new(file));
    assert_eq!(place("src/lib.rs"), None);
    assert_eq!(place("src/main.rs"), None);
    assert_eq!(place("src/pki/mod.rs"), Some(("pki".into(), 1)));
    assert_eq!(place("src/pki/read.rs"), Some(("pki".into(), 2)));
    assert_eq!(place("src/pki/resolve/tests.rs"), Some(("pki".into(), 3)));
}
