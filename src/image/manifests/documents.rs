//! Texts of objects, taken apart: each object with its line, and all that is wrong with any of them.
//!
//! Lines of the text are never quoted: a document may be a Secret, also one that cannot be read.

use serde_json::Value;

use crate::cluster::object;

/// An object in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct TextObject {
    /// All of it.
    pub value: Value,
    /// The line in which it begins.
    pub line: usize,
}

/// What is wrong in a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFault {
    /// The line.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// A document as it stands in the text.
struct Document<'t> {
    text: &'t str,
    /// Number of its first line.
    first: usize,
    /// Number of the first line that says something.
    line: usize,
}

/// The objects of a text of YAML; lists are taken apart, empty documents passed over.
pub fn text_objects(text: &str) -> Result<Vec<TextObject>, Vec<TextFault>> {
    let (mut objects, mut faults) = (Vec::new(), Vec::new());
    for document in documents(text) {
        let line = document.line;
        let values = match serde_yaml::from_multiple::<Value>(document.text) {
            Ok(values) => values,
            Err(_) => {
                faults.push(unreadable(&document));
                continue;
            }
        };
        for value in values.into_iter().flat_map(apart) {
            let wrong = object::faults(&value);
            if wrong.is_empty() {
                objects.push(TextObject { value, line });
            } else {
                faults.push(TextFault { line, message: format!("{}: {}", title(&value), wrong.join("; ")) });
            }
        }
    }
    if faults.is_empty() { Ok(objects) } else { Err(faults) }
}

/// Whether a text is empty, or has only comments.
pub fn says_nothing(text: &str) -> bool {
    documents(text).is_empty()
}

/// An object as errors call it: its kind and name, as far as it has them.
fn title(value: &Value) -> String {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    match (text(&value["kind"]), text(&value["metadata"]["name"])) {
        (Some(kind), Some(name)) => format!("{kind} {name}"),
        (Some(kind), None) => format!("a {kind} without name"),
        (None, Some(name)) => format!("an object without kind, {name}"),
        (None, None) => "a document is no object of Kubernetes".to_owned(),
    }
}

/// The objects of a list; what is none is itself.
fn apart(value: Value) -> Vec<Value> {
    match (&value, value["kind"].as_str(), value["items"].as_array()) {
        (Value::Null, ..) => Vec::new(),
        (_, Some(kind), Some(items)) if kind.ends_with("List") => items.clone(),
        _ => vec![value],
    }
}

/// Taken apart at `---`, which begins a document wherever a line begins with it, in a block of text, too.
fn documents(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents: Vec<Document<'_>> = Vec::new();
    let (mut begin, mut first, mut line, mut offset) = (0, 1, None, 0);
    for (index, content) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        if content.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            documents.extend(line.map(|line| Document { text: &text[begin..offset], first, line }));
            (begin, first, line) = (offset, number, None);
        }
        let said = content.strip_prefix("---").unwrap_or(content).trim_start();
        if line.is_none() && !said.is_empty() && !said.starts_with('#') && !content.starts_with('%') {
            line = Some(number);
        }
        offset += content.len();
    }
    documents.extend(line.map(|line| Document { text: &text[begin..], first, line }));
    documents
}

/// Where a document cannot be read, and why, if that may be told.
fn unreadable(document: &Document<'_>) -> TextFault {
    // Read once more, with its lines where they are in the file.
    let placed = format!("{}{}", "\n".repeat(document.first - 1), document.text);
    let error = match serde_yaml::from_multiple::<Value>(&placed) {
        Err(error) => error,
        Ok(_) => return TextFault { line: document.line, message: "it is no YAML".to_owned() },
    };
    let place = error.location();
    let line = place.and_then(|place| usize::try_from(place.line()).ok()).unwrap_or(document.line);
    let column = place.map(|place| format!(", column {}", place.column())).unwrap_or_default();
    let indentation = |line: &str| line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
    if let Some(kind) = kind(error.without_snippet()) {
        return TextFault { line, message: format!("{kind}{column}") };
    }
    // It may be told of the line before.
    if placed.lines().skip(line.saturating_sub(1)).take(2).any(indentation) {
        let message = format!("it is no YAML{column}: a tab is in the indentation; YAML takes blanks only");
        return TextFault { line, message };
    }
    if may_be_secret(document.text) {
        return TextFault { line, message: format!("it is no YAML{column} (not shown: it may be secret)") };
    }
    TextFault { line, message: format!("it is no YAML{column}: {}", error.without_snippet()) }
}

/// What is wrong, where that can be told without what is written there.
fn kind(error: &serde_yaml::Error) -> Option<String> {
    use serde_yaml::Error;
    use serde_yaml::budget::BudgetBreach;
    let many = || Some("it has too many values, counting what aliases (`*NAME`) repeat".to_owned());
    match error {
        Error::DuplicateMappingKey { .. } => Some("a key is written twice in one map".to_owned()),
        Error::UnknownAnchor { .. } => {
            Some("an alias (`*NAME`) names an anchor (`&NAME`) that is not there".to_owned())
        }
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => many(),
        Error::AliasError { error, .. } => kind(error),
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => {
                Some(format!("it is nested more than {} deep", serde_yaml::Budget::default().max_depth))
            }
            BudgetBreach::Aliases { .. }
            | BudgetBreach::Anchors { .. }
            | BudgetBreach::AliasAnchorRatio { .. }
            | BudgetBreach::RecordedAnchorEvents { .. }
            | BudgetBreach::RecordedAnchorBytes { .. }
            | BudgetBreach::Nodes { .. }
            | BudgetBreach::Events { .. } => many(),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a text that cannot be read may be a Secret, or something alike.
fn may_be_secret(text: &str) -> bool {
    let text = text.replace(['"', '\'', ' ', '\t'], "");
    ["kind:Secret", "data:", "stringData:"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let faults = text_objects(text).err().unwrap_or_default();
        faults.into_iter().map(|fault| format!("{}: {}", fault.line, fault.message)).collect()
    }

    #[test]
    fn objects_know_their_lines() {
        let text = "# first\n\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n--- # second\n\n---\n\
                    apiVersion: v1\nkind: ConfigMapList\nitems:\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n\
                    --- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n";
        let found: Vec<_> = text_objects(text)
            .unwrap()
            .into_iter()
            .map(|object| (object.value["metadata"]["name"].as_str().unwrap().to_owned(), object.line))
            .collect();
        assert_eq!(found, [("a".to_owned(), 3), ("b".to_owned(), 9), ("c".to_owned(), 13)]);
        assert_eq!(text_objects("%YAML 1.2\n---\n# nothing\n").unwrap(), []);
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_line() {
        let text = "apiVersion: v1\nkind: ConfigMap\n---\n- a\n---\nkind: [\n---\napiVersion: v1\nkind: Namespace\n\
                    metadata: {name: a_b}\n";
        let found = faults(text);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert_eq!(found[0], "1: a ConfigMap without name: it has no metadata.name");
        assert_eq!(found[1], "4: a document is no object of Kubernetes: it is no map");
        assert!(found[2].starts_with("7: it is no YAML") || found[2].starts_with("6: it is no YAML"), "{}", found[2]);
        assert!(found[3].starts_with("8: Namespace a_b: metadata.name \"a_b\" contains '_'"), "{}", found[3]);
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        for text in [
            "apiVersion: v1\nkind: Secret\nstringData:\n  password: \"hunter2\n",
            "kind: Secret\npassword: hunter2: hunter2: [\n",
            "{\"kind\": \"Secret\", \"x\": \"hunter2\", [",
            "data:\n  a: hunter2\n b: {hunter2\n",
        ] {
            let found = faults(text);
            assert!(found.len() == 1 && found[0].contains("(not shown: it may be secret)"), "{found:?}");
            assert!(!found[0].contains("hunter2"), "{found:?}");
        }
        // Nor are others' lines.
        let found = faults("kind: ConfigMap\nx: hunter2: hunter2: [\n");
        assert!(found.len() == 1 && !found[0].contains("hunter2"), "{found:?}");
    }

    #[test]
    fn the_kind_of_a_fault_is_told_also_of_what_may_be_secret() {
        let deep = format!("{}{}", "[".repeat(80), "]".repeat(80));
        let mut bomb = "a0: &a0 [hunter2, hunter2]\n".to_owned();
        for step in 1..30 {
            let aliases = vec![format!("*a{}", step - 1); 9].join(", ");
            bomb += &format!("a{step}: &a{step} [{aliases}]\n");
        }
        for (text, expected) in [
            ("  hunter2: a\n  hunter2: b\n", "a key is written twice"),
            ("  a: *hunter2\n", "an alias (`*NAME`) names an anchor (`&NAME`) that is not there"),
            (&format!("  a: {deep}\n"), "it is nested more than 64 deep"),
            (&bomb, "it has too many values, counting what aliases"),
            ("  a: hunter2\n\tb: hunter2\n", "a tab is in the indentation"),
        ] {
            let found = faults(&format!("kind: Secret\ndata:\n{text}"));
            assert!(found.len() == 1 && found[0].contains(expected), "{text}: {found:?}");
            assert!(!found[0].contains("hunter2"), "{found:?}");
        }
    }
}
