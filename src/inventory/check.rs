//! The tree against the schema: every unknown key, missing field and wrong type at once. What remains is sure to
//! deserialise.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::problems::{Fault, Problems};
use super::scalar::{self, Wanted};
use super::source::{names_secret, password_in};
use super::tree::{Content, Entries, Entry, Node, Path, Step};
use crate::cluster::nearest;

/// Checks `node` against `schema` and returns what is right of it.
pub(super) fn check(root: &Value, node: &Node, problems: &mut Problems) -> Option<Value> {
    Checker { root, problems }.value(root, node, &Path::default())
}

struct Checker<'s> {
    root: &'s Value,
    problems: &'s mut Problems,
}

impl<'s> Checker<'s> {
    fn value(&mut self, schema: &'s Value, node: &Node, path: &Path) -> Option<Value> {
        if self.problems.is_spoiled(path) {
            return None;
        }
        let candidates = self.alternatives(schema);
        let fits = candidates.iter().find(|candidate| fits(candidate, &node.content));
        let Some(schema) = fits else {
            self.wrong_type(&candidates, node, path);
            return None;
        };
        match &node.content {
            Content::Map(entries) => Some(self.mapping(schema, entries, node, path)),
            Content::List(items) => self.list(schema, items, path),
            Content::Scalar(_) => self.scalar(schema, node, path),
        }
    }

    /// The schemas that `schema` stands for, references followed.
    fn alternatives(&self, schema: &'s Value) -> Vec<&'s Value> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.root.pointer(reference.trim_start_matches('#'));
            return target.map_or_else(Vec::new, |target| self.alternatives(target));
        }
        match schema.get("anyOf").and_then(Value::as_array) {
            Some(options) => options.iter().flat_map(|option| self.alternatives(option)).collect(),
            None => vec![schema],
        }
    }

    fn wrong_type(&mut self, candidates: &[&Value], node: &Node, path: &Path) {
        let expected: Vec<&str> = candidates.iter().map(|candidate| describe(candidate)).collect();
        let expected = expected.join(" or ");
        let fault = match &node.content {
            Content::Scalar(scalar) if scalar.is_null() => Fault::new(
                format!("{} has no value: {expected} is expected", name(path)),
                "give it a value, or remove the key",
            ),
            content => Fault::new(
                format!("{} must be {expected}, not {}", name(path), content.kind()),
                format!("write {expected}; `kubewright schema` describes every field"),
            ),
        };
        self.problems.report(node.span.clone(), path, fault);
    }

    fn mapping(&mut self, schema: &'s Value, entries: &Entries, node: &Node, path: &Path) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let other = schema.get("additionalProperties").filter(|other| other.is_object());
        let (mut checked, mut meant) = (Map::new(), BTreeSet::new());
        for entry in entries.iter().filter(|entry| !entry.duplicate) {
            let path = path.key(&entry.key);
            if entry.key == "<<" {
                let hint = "repeat the keys, or alias the whole mapping";
                self.problems.push(entry.span.clone(), &path, Fault::new("merge keys are not supported", hint));
                continue;
            }
            match properties.and_then(|properties| properties.get(&entry.key)).or(other) {
                Some(schema) => {
                    if let Some(value) = self.value(schema, &entry.value, &path) {
                        checked.insert(entry.key.clone(), value);
                    }
                }
                None => {
                    // What is there already, or was meant by another key, is not what was meant by this one.
                    let left = properties.into_iter().flatten();
                    let left = left.filter(|(key, _)| entries.get(key).is_none() && !meant.contains(key.as_str()));
                    meant.extend(self.unknown(entry, &path, &left.collect::<Vec<_>>(), properties));
                }
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for required in required.filter(|required| entries.get(required).is_none()) {
            let property = properties.and_then(|properties| properties.get(required));
            let hint = property.map_or_else(|| format!("add `{required}`"), |property| self.wanted(required, property));
            let path = path.key(required);
            self.problems.report(node.span.clone(), &path, Fault::new(format!("missing field `{required}`"), hint));
        }
        Value::Object(checked)
    }

    /// What to add for a field that is missing.
    fn wanted(&self, key: &str, property: &'s Value) -> String {
        let what = summary(property).map_or_else(String::new, |what| format!(": {what}"));
        let example = self.example(property);
        let example = example.map_or_else(String::new, |value| format!("; such as `{key}: {}`", flow(&value)));
        format!("add `{key}`{what}{example}")
    }

    /// What could stand in a field.
    fn example(&self, property: &'s Value) -> Option<Value> {
        let given = property.pointer("/examples/0").or_else(|| property.get("default")).cloned();
        given.or_else(|| {
            let schemas = self.alternatives(property);
            schemas.iter().find_map(|schema| choices(schema).first().map(|choice| Value::from(*choice)))
        })
    }

    /// Reports a key that is none, and returns the one that was meant.
    fn unknown(
        &mut self,
        entry: &Entry,
        path: &Path,
        left: &[(&'s String, &'s Value)],
        known: Option<&'s Map<String, Value>>,
    ) -> Option<&'s str> {
        let meant = nearest(&entry.key, left.iter().map(|(key, _)| key.as_str()));
        let meant = meant.and_then(|meant| left.iter().find(|(key, _)| *key == meant).copied());
        let hint = match meant {
            Some((meant, schema)) => {
                let schemas = self.alternatives(schema);
                let is = schemas.iter().any(|schema| fits(schema, &entry.value.content));
                let other = schemas.first().filter(|_| !is).map(|schema| format!(" It takes {}", describe(schema)));
                format!("did you mean `{meant}`?{}", other.unwrap_or_default())
            }
            None => {
                let known: Vec<&str> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                format!("known here: {}", known.join(", "))
            }
        };
        if let Some((above, (meant, _))) = path.steps().split_last().map(|(_, above)| above).zip(meant) {
            // The field that was meant is neither missing nor left to its default.
            self.problems.spoil(&Path::from(above).key(meant));
        }
        self.problems.push(entry.span.clone(), path, Fault::new(format!("unknown field `{}`", entry.key), hint));
        meant.map(|(meant, _)| meant.as_str())
    }

    /// A list with a wrong element is as good as absent: what remains would mean something else.
    fn list(&mut self, schema: &'s Value, items: &[Node], path: &Path) -> Option<Value> {
        let each = schema.get("items")?;
        let mut checked = Vec::new();
        for (index, item) in items.iter().enumerate() {
            // A host that is wrong must not take the others with it; an empty one is left out when converted.
            let value = self.value(each, item, &path.index(index));
            checked.push(value.or_else(|| self.of_mappings(each).then(|| Value::Object(Map::new()))));
        }
        checked.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
    }

    fn of_mappings(&self, schema: &'s Value) -> bool {
        self.alternatives(schema).iter().all(|schema| types(schema).contains(&"object"))
    }

    fn scalar(&mut self, schema: &'s Value, node: &Node, path: &Path) -> Option<Value> {
        let Content::Scalar(scalar) = &node.content else { return None };
        let types = types(schema);
        let wanted = Wanted {
            text: types.contains(&"string"),
            integer: types.contains(&"integer"),
            boolean: types.contains(&"boolean"),
        };
        let read = if choices(schema).is_empty() || scalar.is_null() {
            scalar::read(scalar, wanted)
        } else {
            // In quotes it would be none of its values either.
            Ok(Value::from(scalar.text.as_str()))
        };
        match read.and_then(|value| allowed(schema, value)) {
            Ok(value) => Some(value),
            Err(mut fault) => {
                fault.message = format!("{}: {}", name(path), fault.message);
                fault.hint = better_hint(schema, path, &scalar.text).unwrap_or(fault.hint);
                let secret = is_secret(path) || password_in(&scalar.text).is_some();
                if secret && !scalar.text.is_empty() {
                    fault.message = fault.message.replace(&scalar.text, "(secret)");
                    fault.hint = fault.hint.replace(&scalar.text, "(secret)");
                }
                self.problems.report(node.span.clone(), path, fault);
                None
            }
        }
    }
}

/// What to write where quotes or digits alone would only make the next error.
fn better_hint(schema: &Value, path: &Path, text: &str) -> Option<String> {
    match path.last_key() {
        Some("as" | "asNumber") => return as_number(text),
        Some("maxUnavailable") => {
            return Some("write a number of workers, such as 2, or a share of them, such as 10%".to_owned());
        }
        _ => {}
    }
    // A quantity: what stands in its place elsewhere is a number with a unit.
    let usual = schema.get("default").or_else(|| schema.pointer("/examples/0"))?.as_str()?;
    let unit = usual.trim_start_matches(|c: char| c.is_ascii_digit());
    let quantity = unit.len() < usual.len() && ["ms", "s", "m", "h", "d", "MiB", "GiB"].contains(&unit);
    let whole = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (quantity && whole).then(|| format!("write it with its unit, such as {text}{unit}"))
}

/// What to write for the number of an autonomous system that is none for Calico.
fn as_number(text: &str) -> Option<String> {
    if let Some((high, low)) = text.split_once('.') {
        let (high, low): (u32, u32) = (high.parse::<u16>().ok()?.into(), low.parse::<u16>().ok()?.into());
        return Some(format!("write it without the dot: {}", (high << 16) + low));
    }
    let too_large = text.parse::<u32>().is_ok_and(|number| number > i32::MAX.unsigned_abs());
    let hint = "the API of Calico takes none above 2147483647; those from 64512 to 65534 are for private use";
    too_large.then(|| hint.to_owned())
}

/// A value as it may be written on one line of YAML.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key}: {}", flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@~".contains(c)) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether the value at `path` is not to be shown.
fn is_secret(path: &Path) -> bool {
    path.steps().iter().any(|step| matches!(step, Step::Key(key) if names_secret(key)))
}

/// What to call the field at `path`.
fn name(path: &Path) -> String {
    path.last_key().map_or_else(|| "the inventory".to_owned(), |key| format!("`{key}`"))
}

/// The types of a schema without alternatives.
fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        // Enums of texts with a description each are generated without a type.
        _ if schema.get("oneOf").is_some() || schema.get("enum").is_some() => vec!["string"],
        _ => Vec::new(),
    }
}

fn fits(schema: &Value, content: &Content) -> bool {
    let types = types(schema);
    match content {
        Content::Map(_) => types.contains(&"object"),
        Content::List(_) => types.contains(&"array"),
        Content::Scalar(scalar) => !scalar.is_null() && types.iter().any(|kind| !matches!(*kind, "object" | "array")),
    }
}

fn describe(schema: &Value) -> &'static str {
    match types(schema).first() {
        Some(&"object") => "a mapping",
        Some(&"array") => "a list",
        Some(&"integer") => "a whole number",
        Some(&"boolean") => "`true` or `false`",
        _ if !choices(schema).is_empty() => "one of its values",
        _ => "text",
    }
}

/// The first sentence of a description.
fn summary(schema: &Value) -> Option<&str> {
    let text = schema.get("description")?.as_str()?;
    text.split(['\n', ':', ';']).next()?.split(". ").next().map(|text| text.trim_end_matches('.'))
}

/// The values that an enum allows.
fn choices(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let described = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let nested = described.flat_map(|option| {
        let many = option.get("enum").and_then(Value::as_array).into_iter().flatten();
        option.get("const").into_iter().chain(many)
    });
    schema.get("const").into_iter().chain(listed).chain(nested).filter_map(Value::as_str).collect()
}

/// The largest number that the type behind a schema holds; of those with 64 bits no text is read that is larger.
fn largest(schema: &Value) -> Option<i64> {
    match schema.get("format")?.as_str()? {
        "uint8" => Some(u8::MAX.into()),
        "uint16" => Some(u16::MAX.into()),
        "uint32" => Some(u32::MAX.into()),
        "int32" => Some(i32::MAX.into()),
        _ => None,
    }
}

/// Whether the schema's enum and bounds allow `value`.
fn allowed(schema: &Value, value: Value) -> Result<Value, Fault> {
    if let Some(number) = value.as_i64() {
        let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
        let (minimum, maximum) = (bound("minimum"), bound("maximum").or_else(|| largest(schema)));
        if minimum.is_some_and(|minimum| number < minimum) || maximum.is_some_and(|maximum| number > maximum) {
            let range = match (minimum, maximum) {
                (Some(minimum), Some(maximum)) => format!("between {minimum} and {maximum}"),
                (Some(minimum), None) => format!("of at least {minimum}"),
                (None, Some(maximum)) => format!("of at most {maximum}"),
                (None, None) => String::new(),
            };
            return Err(Fault::new(format!("{number} is out of range"), format!("write a number {range}")));
        }
    }
    let choices = choices(schema);
    match value.as_str() {
        Some(text) if !choices.is_empty() && !choices.contains(&text) => {
            let meant = nearest(text, choices.iter().copied());
            let meant = meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`? "));
            let list = choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
            Err(Fault::new(format!("unknown value {text:?}"), format!("{meant}allowed: {list}")))
        }
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of JSON Schema that the checker understands, or may leave alone.
    const KNOWN: [&str; 17] = [
        "$defs",
        "$ref",
        "$schema",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maximum",
        "minimum",
        "oneOf",
        "properties",
        "required",
        "type",
    ];

    fn words(schema: &Value, unknown: &mut Vec<String>) {
        let Some(object) = schema.as_object() else { return };
        for (word, below) in object {
            match word.as_str() {
                "properties" | "$defs" => below.as_object().into_iter().flatten().for_each(|(_, s)| words(s, unknown)),
                "anyOf" | "oneOf" => below.as_array().into_iter().flatten().for_each(|s| words(s, unknown)),
                "items" | "additionalProperties" => words(below, unknown),
                "title" | "examples" => {}
                word if KNOWN.contains(&word) => {}
                word => unknown.push(word.to_owned()),
            }
        }
    }

    #[test]
    fn every_field_that_must_be_there_has_an_example() {
        let (schema, mut problems) = (crate::inventory::schema(), Problems::default());
        let checker = Checker { root: &schema, problems: &mut problems };
        let document = [&schema, &schema["properties"]["metadata"], &schema["properties"]["spec"]];
        let definitions = schema["$defs"].as_object().unwrap().values().chain(document);
        for definition in definitions {
            for key in definition.get("required").and_then(Value::as_array).into_iter().flatten() {
                let key = key.as_str().unwrap();
                let hint = checker.wanted(key, &definition["properties"][key]);
                assert!(hint.contains(&format!("such as `{key}: ")), "{hint}");
            }
        }
    }

    #[test]
    fn numbers_of_autonomous_systems_are_explained() {
        assert_eq!(as_number("64086.59904").unwrap(), "write it without the dot: 4200000000");
        assert_eq!(as_number("0.65001").unwrap(), "write it without the dot: 65001");
        assert!(as_number("4200000000").unwrap().contains("2147483647"));
        for other in ["0", "x", "65536.1", "1.2.3", "4294967296"] {
            assert_eq!(as_number(other), None, "{other}");
        }
    }

    #[test]
    fn the_schema_says_nothing_that_is_not_checked() {
        let mut unknown = Vec::new();
        words(&crate::inventory::schema(), &mut unknown);
        assert_eq!(unknown, Vec::<String>::new());
    }
}
