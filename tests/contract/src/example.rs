//! A value for a schema, out of the examples of its parts: what a reader of the document would send.

use serde_json::{Map, Value};

/// Follows examples, enumerations and defaults down to the leaves.
///
/// # Panics
/// A part has no example, so nobody could know what to send.
pub fn example(document: &Value, schema: &Value) -> Value {
    if let Some(to) = schema["$ref"].as_str() {
        let there = to.strip_prefix('#').and_then(|to| document.pointer(to));
        return example(document, there.expect("references were looked at"));
    }
    let first = |list: &str| schema[list].as_array()?.first().cloned();
    if let Some(value) = first("examples").or_else(|| first("enum")) {
        return value;
    }
    if let Some(value) = schema.get("default") {
        return value.clone();
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let choice = choices.iter().find(|choice| choice["type"] != "null");
        return example(document, choice.expect("there is more than null"));
    }
    if let Some(fields) = schema["properties"].as_object() {
        let fields = fields.iter();
        let fields = fields.map(|(name, field)| (name.clone(), example(document, field)));
        return Value::Object(fields.collect::<Map<_, _>>());
    }
    match schema.get("items") {
        Some(items) => Value::Array(vec![example(document, items)]),
        None => panic!("there is no example in {schema}"),
    }
}
