//! Several documents become one. Pure: who said what, and the routes, are arguments.
//!
//! A service's operation is in it under every path by which a route leads to it, and not at all if none does.
//! A component of a service is `SERVICE.NAME`, whoever else is there, so that names never change with who is away; what the gateway has word for word is not repeated.
//! Components that nothing leads to are left out: the world learns of no shape that it cannot reach.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value, json};

use crate::{
    openapi::{document::Document, own},
    route::table::Table,
    route::{Route, Target},
};

const COMPONENTS: &str = "#/components/";

/// The whole document; `own` has the gateway's, by kind of aggregate.
pub fn join(
    mut own: Value,
    parts: &BTreeMap<Arc<str>, Document>,
    routes: &Table,
    missing: &[Arc<str>],
) -> Value {
    let aggregates = own["paths"].take();
    own["paths"] = json!({});
    for route in routes.iter() {
        if let Target::Aggregate(aggregate) = route.target {
            let told = aggregates[own::kind(aggregate)]["get"].clone();
            put(&mut own, &route.template, "get", placed(told, route));
        }
    }
    let mut tags = vec![json!({ "name": "gateway" })];
    for (service, document) in parts {
        let document = document.value();
        let about = document["info"]["description"].as_str().unwrap_or_default();
        tags.push(json!({ "name": &**service, "description": about }));
        add(&mut own, service, document, routes);
    }
    own["tags"] = tags.into();
    own["x-lictor-missing"] = missing.iter().map(|name| &**name).collect();
    leave_out_unreachable(&mut own);
    own
}

/// An aggregate's operation at its route.
fn placed(mut told: Value, route: &Route) -> Value {
    let placeholder = route.template.split(['{', '}']).nth(1);
    if let Some(name) = placeholder
        && let Some(parameter) = told.pointer_mut("/parameters/0/name")
    {
        *parameter = name.into();
    }
    told["tags"] = json!(["gateway"]);
    own::guard(&mut told, route);
    told
}

/// What a service says, as far as routes lead to it.
fn add(whole: &mut Value, service: &str, document: &Value, routes: &Table) {
    let mut document = document.clone();
    let shared = |kind: &str, name: &str| {
        let at = |from: &Value| from["components"][kind].get(name).cloned();
        at(&document).is_some_and(|one| at(whole) == Some(one))
    };
    let keep: BTreeSet<String> = components(&document)
        .filter(|(kind, name, _)| shared(kind, name))
        .map(|(kind, name, _)| format!("{COMPONENTS}{kind}/{name}"))
        .collect();
    each_reference(&mut document, &mut |to| {
        if let Some((kind, name)) = to
            .strip_prefix(COMPONENTS)
            .and_then(|to| to.split_once('/'))
            && !keep.contains(to)
        {
            *to = format!("{COMPONENTS}{kind}/{service}.{name}");
        }
    });
    for (kind, name, component) in components(&document) {
        if !keep.contains(&format!("{COMPONENTS}{kind}/{name}")) {
            whole["components"][kind][format!("{service}.{name}")] = component.clone();
        }
    }
    let prefixes: BTreeSet<&str> = routes
        .iter()
        .filter_map(|route| leads_to(route, service))
        .collect();
    for (path, item) in object(&document["paths"]) {
        for (method, operation) in object(item) {
            for prefix in &prefixes {
                let public = format!("{prefix}{path}");
                let found = routes.find(&public, &method.to_uppercase());
                let route = found.ok().map(|found| found.route);
                let route = route.filter(|route| leads_to(route, service) == Some(prefix));
                if let Some(route) = route.filter(|_| operation.is_object()) {
                    let mut operation = operation.clone();
                    let id = operation["operationId"].as_str().unwrap_or(method);
                    operation["operationId"] = format!("{service}.{id}").into();
                    operation["tags"] = json!([service]);
                    own::guard(&mut operation, route);
                    put(whole, &public, method, operation);
                }
            }
        }
    }
}

/// What a route takes off the paths that it sends to this service.
fn leads_to<'r>(route: &'r Route, service: &str) -> Option<&'r str> {
    match &route.target {
        Target::Upstream { name, strip } if **name == *service => Some(&route.template[..*strip]),
        _ => None,
    }
}

fn put(whole: &mut Value, path: &str, method: &str, operation: Value) {
    whole["paths"][path][method] = operation;
}

fn leave_out_unreachable(whole: &mut Value) {
    let mut reached = BTreeSet::new();
    let mut next = vec![whole["paths"].clone()];
    while let Some(mut part) = next.pop() {
        each_reference(&mut part, &mut |to| {
            if reached.insert(to.clone()) {
                let there = to.strip_prefix('#').and_then(|to| whole.pointer(to));
                next.extend(there.cloned());
            }
        });
    }
    for kind in [
        "schemas",
        "responses",
        "parameters",
        "requestBodies",
        "headers",
        "examples",
    ] {
        if let Some(named) = whole["components"]
            .get_mut(kind)
            .and_then(Value::as_object_mut)
        {
            named.retain(|name, _| reached.contains(&format!("{COMPONENTS}{kind}/{name}")));
        }
    }
}

/// Kind, name and what it is.
fn components(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let kinds = object(&document["components"]);
    kinds.flat_map(|(kind, named)| object(named).map(move |(name, what)| (kind, name, what)))
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn each_reference(part: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match part {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(to) if name == "$ref" => visit(to),
                    field => each_reference(field, visit),
                }
            }
        }
        Value::Array(parts) => parts.iter_mut().for_each(|one| each_reference(one, visit)),
        _ => {}
    }
}
