//! Whether a document is valid: by the schema that the OpenAPI initiative publishes, and by what no schema can say.
//!
//! `schema/openapi-3.1.json` is that schema (2022-10-07, Apache-2.0), word for word.

use crate::walk::Operation;
use boon::{Compiler, Schemas};
use serde_json::Value;
use std::collections::BTreeSet;

const SCHEMA: &str = include_str!("../schema/openapi-3.1.json");
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// Every reference leads somewhere, every operation has an id of its own, every placeholder a parameter, every example fits.
///
/// # Panics
/// With everything that is wrong.
pub fn valid(document: &Value) {
    let schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut wrong: Vec<String> = judged(schema, document).err().into_iter().collect();
    wrong.extend(dangling(document, document));
    let mut ids = BTreeSet::new();
    for operation in operations(document) {
        let name = format!("{} {}", operation.method, operation.path);
        let id = operation.told["operationId"].as_str().unwrap_or_default();
        if id.is_empty() || !ids.insert(id) {
            wrong.push(format!("{name}: the id {id:?} is missing or not its own"));
        }
        let declared: BTreeSet<&str> = operation.parameters("path").map(|(name, _)| name).collect();
        if declared != placeholders(operation.path) {
            wrong.push(format!("{name}: its path's parameters are {declared:?}"));
        }
    }
    let schemas = document["components"]["schemas"].as_object();
    for (name, schema) in schemas.into_iter().flatten() {
        let examples = schema["examples"].as_array().into_iter().flatten();
        for example in examples {
            let unfit = fits(document, schema, example).err();
            wrong.extend(unfit.map(|why| format!("the example of {name}: {why}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Everything that can be called.
pub fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object();
    let methods = paths.into_iter().flatten().flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, told)| (path, method, told))
    });
    methods
        .filter(|(_, method, _)| METHODS.contains(&method.as_str()))
        .map(|(path, method, told)| Operation {
            method: method.to_uppercase(),
            path,
            told,
        })
        .collect()
}

/// What of `value` does not fit a schema of this document.
///
/// # Errors
/// What is wrong, a line each.
pub fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let mut whole = schema.as_object().cloned().unwrap_or_default();
    // References are looked up from the root of the schema.
    whole.insert("components".into(), document["components"].clone());
    judged(Value::Object(whole), value)
}

fn judged(schema: Value, value: &Value) -> Result<(), String> {
    const NAME: &str = "urn:contract:schema";
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler
        .add_resource(NAME, schema)
        .map_err(|error| format!("{error:#}"))?;
    let compiled = compiler
        .compile(NAME, &mut schemas)
        .map_err(|error| format!("{error:#}"))?;
    schemas
        .validate(value, compiled)
        .map_err(|error| error.to_string())
}

fn dangling(document: &Value, part: &Value) -> Vec<String> {
    match part {
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str);
            let lost = reference.filter(|to| {
                let pointer = to.strip_prefix('#');
                pointer.and_then(|it| document.pointer(it)).is_none()
            });
            let lost = lost.map(|to| format!("{to} leads nowhere"));
            let below = fields.values().flat_map(|field| dangling(document, field));
            lost.into_iter().chain(below).collect()
        }
        Value::Array(parts) => parts
            .iter()
            .flat_map(|one| dangling(document, one))
            .collect(),
        _ => Vec::new(),
    }
}

fn placeholders(path: &str) -> BTreeSet<&str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .collect()
}
