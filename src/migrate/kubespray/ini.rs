//! Ansible's INI inventories: groups, ranges of hosts, variables.

use super::groups::{ALL, Inventory};
use crate::migrate::document::{self, Node, Value};
use crate::migrate::draft::{At, Problem};

/// What the lines of a section are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Hosts,
    Children,
    Variables,
}

/// Most hosts that one line may stand for.
const MOST: usize = 10_000;

/// Reads an inventory, and everything that is wrong with it.
pub(super) fn read(file: &str, text: &str) -> (Inventory, Vec<Problem>) {
    let (mut inventory, mut problems) = (Inventory::default(), Vec::new());
    let (mut group, mut section) = ("ungrouped".to_owned(), Section::Hosts);
    for (number, line) in text.lines().enumerate() {
        let (line, at) = (line.trim(), At::line(file, number + 1));
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|line| line.split_once(']')).map(|(title, _)| title) {
            let (name, kind) = title.split_once(':').unwrap_or((title, ""));
            section = match kind {
                "" => Section::Hosts,
                "children" => Section::Children,
                "vars" => Section::Variables,
                _ => {
                    problems.push(Problem::at(at, format!("unknown section [{title}]"), "write :children or :vars"));
                    continue;
                }
            };
            group = name.trim().to_owned();
            inventory.group(&group);
            continue;
        }
        let result = match section {
            Section::Hosts => hosts(&mut inventory, &group, line, &at),
            Section::Children => child(&mut inventory, &group, line),
            Section::Variables => variable(&mut inventory, &group, line, &at),
        };
        problems.extend(
            result.err().map(|what| {
                Problem::at(at, what, "see how Ansible writes inventories: NAME KEY=VALUE …, below [GROUP]")
            }),
        );
    }
    (inventory, problems)
}

fn hosts(inventory: &mut Inventory, group: &str, line: &str, at: &At) -> Result<(), String> {
    let mut words = words(line)?.into_iter();
    let pattern = words.next().unwrap_or_default();
    let mut variables = Vec::new();
    for word in words {
        let (key, text) = word.split_once('=').ok_or_else(|| "a word behind the host is no KEY=VALUE".to_owned())?;
        variables.push((key.trim().to_owned(), literal(text, at)));
    }
    for name in expand(&pattern)? {
        let host = inventory.host(&name, at);
        host.inline.extend(variables.iter().cloned());
        if group != ALL {
            inventory.group(group).hosts.insert(name);
        }
    }
    Ok(())
}

fn child(inventory: &mut Inventory, group: &str, line: &str) -> Result<(), String> {
    let name = words(line)?.into_iter().next().unwrap_or_default();
    inventory.group(&name);
    let name = super::groups::canonical(&name);
    inventory.group(group).children.insert(name);
    Ok(())
}

fn variable(inventory: &mut Inventory, group: &str, line: &str, at: &At) -> Result<(), String> {
    let (key, text) = line.split_once('=').ok_or_else(|| "the line is no KEY=VALUE".to_owned())?;
    inventory.group(group).inline.push((key.trim().to_owned(), literal(text.trim(), at)));
    Ok(())
}

/// The words of a line, as a shell has them: quotes hold words together, and `#` begins a comment.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote): (Vec<String>, Option<String>, Option<char>) = (Vec::new(), None, None);
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(characters.next()),
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote is not closed".into()) } else { Ok(words) }
}

/// A value: a mapping or a list in Python's notation, or text. Quotes around all of it are none of its own.
fn literal(text: &str, at: &At) -> Node {
    let text = text.trim();
    let structure = text.starts_with(['{', '[']) && !text.starts_with("{{") && !text.starts_with("{%");
    if structure && let Some(node) = document::read("", text).ok().and_then(|documents| documents.into_iter().next()) {
        return located(node, at);
    }
    for quote in ['"', '\''] {
        let inside = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        if let Some(inside) = inside {
            return Node { at: at.clone(), value: Value::Text(inside.to_owned()) };
        }
    }
    Node { at: at.clone(), value: Value::Text(text.to_owned()) }
}

/// The same value, at a line of the inventory.
fn located(node: Node, at: &At) -> Node {
    let value = match node.value {
        Value::List(items) => Value::List(items.into_iter().map(|item| located(item, at)).collect()),
        Value::Map(entries) => Value::Map(entries.into_iter().map(|(key, value)| (key, located(value, at))).collect()),
        other => other,
    };
    Node { at: at.clone(), value }
}

/// The names that a pattern such as `node[01:10]` or `rack-[a:c]` stands for. A port behind it is left out.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = pattern.split_once('[') else {
        let port = pattern.rsplit_once(':').filter(|(name, port)| !name.contains(':') && port.parse::<u16>().is_ok());
        return Ok(vec![port.map_or(pattern, |(name, _)| name).to_owned()]);
    };
    let (range, after) = rest.split_once(']').ok_or_else(|| format!("{pattern:?} has a bracket that is not closed"))?;
    let mut names = Vec::new();
    for value in values(range).ok_or_else(|| format!("{pattern:?} has a range that is none; write [1:3] or [a:c]"))? {
        for end in expand(after)? {
            names.push(format!("{before}{value}{end}"));
        }
        if names.len() > MOST {
            return Err(format!("{pattern:?} stands for more than {MOST} hosts"));
        }
    }
    Ok(names)
}

/// The values of a range; its end belongs to it. Zeros before the first number fill up the others.
fn values(range: &str) -> Option<Vec<String>> {
    let mut parts = range.split(':');
    let (first, last, step) = (parts.next()?, parts.next()?, parts.next());
    let step: usize = step.map_or(Some(1), |step| step.parse().ok()).filter(|step| *step > 0)?;
    let first = if first.is_empty() { "0" } else { first };
    if let (Ok(from), Ok(to)) = (first.parse::<u32>(), last.parse::<u32>()) {
        let width = if first.starts_with('0') { first.len() } else { 0 };
        let numbers = (from..=to).step_by(step).take(MOST + 1);
        return (from <= to).then(|| numbers.map(|number| format!("{number:0width$}")).collect());
    }
    let letter = |text: &str| text.chars().next().filter(|c| text.len() == 1 && c.is_ascii_alphabetic());
    let (from, to) = (letter(first)?, letter(last)?);
    (from <= to).then(|| (from..=to).step_by(step).map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stand_for_many() {
        for (pattern, names) in [
            ("node[1:3]", "node1 node2 node3"),
            ("n[01:10:4].example", "n01.example n05.example n09.example"),
            ("r[a:b]-[1:2]", "ra-1 ra-2 rb-1 rb-2"),
            ("plain", "plain"),
            ("plain:2222", "plain"),
        ] {
            assert_eq!(expand(pattern).unwrap().join(" "), names);
        }
        for bad in ["n[1:3", "n[1]", "n[3:1]", "n[1:x]", "n[1:3:0]", "n[0:99999999]"] {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_read_as_ansible_does() {
        let text = "n1 a=b c='d e' labels='{\"x\": \"1\", \"y\": [2]}' j=\"{{ z }}\"   # comment\n[x:vars]\np=q r # s\nq=\"t\"\n";
        let (mut inventory, problems) = read("hosts.ini", text);
        assert_eq!(problems, []);
        let host = &inventory.hosts[0];
        let texts: Vec<_> = host.inline.iter().map(|(key, node)| (key.as_str(), node.text())).collect();
        assert_eq!(texts, [("a", Some("b")), ("c", Some("d e")), ("labels", None), ("j", Some("{{ z }}"))]);
        assert_eq!(host.inline[2].1.get("x").unwrap().text(), Some("1"));
        assert_eq!(host.inline[2].1.get("y").unwrap().at.to_string(), "hosts.ini:1");
        let variables = &inventory.group("x").inline;
        assert_eq!((variables[0].1.text(), variables[1].1.text()), (Some("q r # s"), Some("t")));
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let (_, problems) = read("hosts.ini", "[a\nn1 x\n[b:c]\nn[1:\nn2 a='b\n");
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 5, "{lines:#?}");
        assert!(lines.iter().zip(1..).all(|(line, number)| line.starts_with(&format!("hosts.ini:{number}: "))));
    }
}
