//! What of a document nobody has carried over, told by tables: what is known and has no field, and everything else.

use super::document::{Node, Value};
use super::draft::{Draft, UNKNOWN};

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::migrate) enum Fate {
    /// Somebody looks at it, or it is of no account.
    Told,
    /// It has no field in our inventory, and why.
    Left(&'static str),
}

/// Fields by their path below the document, and what becomes of them and of all below them.
pub(in crate::migrate) type Table = [(&'static str, Fate)];

/// Leaves out what is in `node` and was not told. `shown` is what people call the node.
pub(in crate::migrate) fn leave(draft: &mut Draft, shown: &str, node: &Node, table: &Table) {
    below(draft, (shown, ""), node, table, None);
}

/// The same below a field, whose own fate holds for what has none in the table.
fn below(draft: &mut Draft, (shown, path): (&str, &str), node: &Node, table: &Table, above: Option<Fate>) {
    for (key, value) in node.entries() {
        let join = |before: &str| if before.is_empty() { key.clone() } else { format!("{before}.{key}") };
        let (shown, path) = (join(shown), join(path));
        let fate = table.iter().find(|(known, _)| *known == path).map(|(_, fate)| *fate).or(above);
        let knows_more =
            table.iter().any(|(known, _)| known.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.')));
        let has_more = !value.entries().is_empty();
        match fate {
            _ if asks_for_nothing(value) => {}
            _ if has_more && (knows_more || fate.is_none()) => below(draft, (&shown, &path), value, table, fate),
            Some(Fate::Told) => {}
            Some(Fate::Left(why)) => draft.leave(shown, &value.at, why),
            None => draft.leave(shown, &value.at, UNKNOWN),
        }
    }
}

/// Defaults that programs write out say nothing: nothing, no, none and zero.
fn asks_for_nothing(node: &Node) -> bool {
    let zero = |text: &str| ["0", "0s", "0%"].contains(&text);
    node.is_empty()
        || node.switch() == Some(false)
        || node.text().is_some_and(zero)
        || matches!(&node.value, Value::Map(entries) if entries.iter().all(|(_, value)| asks_for_nothing(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::document;
    use crate::migrate::draft::Tool;

    #[test]
    fn what_is_nearer_in_the_table_counts() {
        let table: &Table = &[("a", Fate::Told), ("a.b", Fate::Left("because")), ("c", Fate::Left("all of it"))];
        let text = "a: {b: 1, x: 2}\nc: {d: 1}\ne: {f: 1, g: 0s, h: {i: false}}\n";
        let mut draft = Draft::new(Tool { name: "t", reset: "r" }, "f");
        leave(&mut draft, "s", &document::read("f", text).unwrap()[0], table);
        let left: Vec<(&str, &str)> =
            draft.not_carried.iter().map(|left| (left.keys[0].0.as_str(), left.why.as_str())).collect();
        assert_eq!(left, [("s.a.b", "because"), ("s.c", "all of it"), ("s.e.f", UNKNOWN)]);
    }
}
