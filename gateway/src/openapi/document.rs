//! What a service says of its API, if it has the shape that joining relies on.
//!
//! A document may come from anybody's framework, so it is read like everything else that comes from outside: once, at the door.
//! Only objects are asked for, where something is looked up or added; whether the document is good OpenAPI is its service's affair.

use serde_json::Value;

use crate::route::method;

/// A document whose paths, operations, responses and components are objects where there are any.
#[derive(Debug)]
pub struct Document(Value);

impl Document {
    /// The document, unless it has another shape.
    pub fn read(told: Value) -> Option<Self> {
        let paths = each(&told["paths"], |_, item| each(item, is_operation));
        let components = each(&told["components"], |_, named| each(named, |_, _| true));
        (told.is_object() && paths && components).then_some(Self(told))
    }

    /// As it was told.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

/// Beside its operations, a path has what is the same for all of them.
fn is_operation(name: &str, what: &Value) -> bool {
    let names_a_method = method::known(&name.to_uppercase()).is_some();
    !names_a_method || what.is_object() && each(&what["responses"], |_, _| true)
}

/// Whether it is absent, or an object of which all is good but for extensions, which may be anything.
fn each(whole: &Value, good: impl Fn(&str, &Value) -> bool) -> bool {
    let good = |(name, what): (&String, &Value)| name.starts_with("x-") || good(name, what);
    whole.is_null()
        || whole
            .as_object()
            .is_some_and(|fields| fields.iter().all(good))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::{
        DEFAULTS,
        openapi::{join, own},
        route::table::Table,
    };

    fn good() -> Value {
        json!({
            "openapi": "3.1.0",
            "info": { "title": "x", "version": "1", "description": "What it is." },
            "paths": {
                "/users/{id}": {
                    "parameters": [],
                    "get": {
                        "operationId": "show", "tags": ["x"], "security": [],
                        "responses": { "200": { "$ref": "#/components/responses/It" }, "401": { "description": "no" } },
                    },
                },
                "x-paths": {},
            },
            "components": { "responses": { "It": { "description": "it" } }, "schemas": { "Word": true }, "x-more": {} },
        })
    }

    /// A pointer to each value of the document, the whole one first.
    fn places(of: &Value, at: &str) -> Vec<String> {
        let fields = of.as_object().into_iter().flatten();
        let below = fields
            .flat_map(|(name, field)| places(field, &format!("{at}/{}", name.replace('/', "~1"))));
        [at.to_owned()].into_iter().chain(below).collect()
    }

    fn with(place: &str, what: Value) -> Value {
        let mut document = good();
        *document.pointer_mut(place).unwrap() = what;
        document
    }

    #[test]
    fn whatever_stands_anywhere_it_is_joined_or_refused() {
        let mut shipped: toml::Table = toml::from_str(DEFAULTS).unwrap();
        let routes = shipped.remove("routes").unwrap().try_into().unwrap();
        let routes = Table::new(&routes).unwrap();
        let mut joined = 0;
        for place in places(&good(), "") {
            for what in [
                json!(null),
                json!(true),
                json!(7),
                json!("x"),
                json!([]),
                json!([{}]),
                json!({}),
                json!({ "$ref": "#" }),
            ] {
                if let Some(document) = Document::read(with(&place, what)) {
                    let parts = BTreeMap::from([("users".into(), document)]);
                    let whole = join::join(own::document(), &parts, &routes, &[]);
                    joined += usize::from(whole["paths"]["/api/users/{id}"].is_object());
                }
            }
        }
        assert!(joined > 100, "{joined} led to an operation");
    }

    #[test]
    fn what_is_no_object_where_one_is_needed_is_refused() {
        for place in [
            "",
            "/paths",
            "/paths/~1users~1{id}",
            "/paths/~1users~1{id}/get",
            "/paths/~1users~1{id}/get/responses",
            "/components",
            "/components/responses",
        ] {
            for what in [json!([]), json!([{}]), json!("x"), json!(7), json!(true)] {
                let refused = Document::read(with(place, what.clone())).is_none();
                assert!(refused, "{what} at {place}");
            }
        }
    }

    #[test]
    fn extensions_and_what_a_path_says_of_all_its_operations_may_be_anything() {
        for place in [
            "/paths/x-paths",
            "/components/x-more",
            "/paths/~1users~1{id}/parameters",
        ] {
            assert!(Document::read(with(place, json!([7]))).is_some(), "{place}");
        }
        assert!(Document::read(json!({})).is_some(), "nothing is said");
    }
}
