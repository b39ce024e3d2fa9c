//! The JSON Schema of the inventory, generated from the structs that read it.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::spec::Document;

static SCHEMA: LazyLock<Value> = LazyLock::new(generate);

/// The JSON Schema (2020-12) of the inventory: for editors, and what the checker goes by.
pub fn schema() -> Value {
    SCHEMA.clone()
}

/// The schema, not to be changed.
pub(super) fn shared() -> &'static Value {
    &SCHEMA
}

fn generate() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    without_null(&mut schema);
    unwrapped(&mut schema);
    super::examples::add_to(&mut schema);
    schema
}

/// An optional field is one that may be left out. That it may be `null`, too, is what generators say of an `Option`; a key
/// without a value is more likely a mistake, so the inventory refuses it.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    object.insert("type".into(), one);
                }
            }
            if let Some(Value::Array(options)) = object.get_mut("anyOf") {
                options.retain(|option| option.get("type").is_none_or(|kind| kind != "null"));
                if let [Value::Object(only)] = options.as_mut_slice() {
                    let only = std::mem::take(only);
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

/// Descriptions come from comments, whose lines end where the source's do; a reader's lines end elsewhere.
fn unwrapped(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(unwrapped),
        Value::Object(object) => {
            if let Some(Value::String(text)) = object.get_mut("description") {
                let paragraphs: Vec<String> =
                    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
                *text = paragraphs.join("\n\n");
            }
            object.values_mut().for_each(unwrapped);
        }
        _ => {}
    }
}
