//! The services' documents as one: what the world can reach, and nothing else.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    rig::{Rig, request},
    uncrowded,
    upstream::{Then, Upstream, ok},
    wire::{Wire, eventually},
};

/// A service that says this of itself.
fn telling(document: Value) -> Upstream {
    Upstream::playing(move |turn| {
        assert_eq!(turn.seen.line, "GET /openapi.json HTTP/1.1");
        turn.write(ok(&document.to_string()).as_bytes());
        Then::Keep
    })
}

/// The same, once the test opens its gate.
fn telling_later(document: Value) -> Upstream {
    Upstream::playing(move |turn| {
        turn.wait_at_the_gate();
        turn.write(ok(&document.to_string()).as_bytes());
        Then::Keep
    })
}

/// A document with one operation, whose answer has the shape `Status`, which is made of `Word`.
fn document(method: &str, path: &str, word: &str) -> Value {
    let parameters: Vec<Value> = path
        .split(['{', '}'])
        .skip(1)
        .step_by(2)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let answer =
        json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Status" } } });
    let operation = |id: &str| {
        json!({
            "operationId": id, "parameters": parameters,
            "responses": {
                "200": { "description": "it", "content": answer },
                "default": { "description": "no", "content": service::openapi::problem() },
            },
        })
    };
    json!({
        "openapi": "3.1.0",
        "info": { "title": "x", "version": "1", "description": "What it is." },
        "paths": {
            path: { method: operation("show") },
            // No route leads here.
            "/inside": { "get": { "operationId": "inside", "responses": { "200": {
                "description": "it", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Inside" } } },
            } } } },
        },
        "components": { "schemas": {
            "Status": { "type": "object", "properties": { "word": { "$ref": "#/components/schemas/Word" } } },
            "Word": { "type": "string", "examples": [word] },
            "Inside": { "type": "string" },
            "Problem": gateway::openapi::own::document()["components"]["schemas"]["Problem"],
        } },
    })
}

fn joined(rig: &Rig) -> (u16, Option<String>, Value) {
    let answer = rig.get("/api/openapi.json");
    let complete = answer.header("x-gateway-complete").map(str::to_owned);
    (answer.status, complete, answer.json())
}

fn ask(rig: &Rig) -> Wire {
    let mut wire = rig.connect();
    wire.send(&request("GET", "/api/openapi.json", &[], b""));
    wire
}

fn in_the_gateway(rig: &Rig, number: usize) {
    eventually(
        || rig.metric("lictor_gateway_in_flight", &[]),
        |places| *places == number as f64,
    );
}

/// A rig in which `users` and `orders` are these and nobody else is there.
fn rig(users: &Upstream, orders: &Upstream) -> Rig {
    let (users, orders) = ([users.address], [orders.address]);
    Rig::with("", &[("users", &users), ("orders", &orders), ("", &[])])
}

#[test]
fn what_routes_lead_to_is_told_under_public_paths_and_nothing_else_is() {
    let users = telling(document("get", "/users/{id}", "well"));
    let orders = telling(document("put", "/orders/{id}/status", "sent"));
    let (status, complete, document) = joined(&rig(&users, &orders));
    assert_eq!((status, complete.as_deref()), (200, Some("false")));
    contract::valid(&document);
    assert_eq!(
        document["x-lictor-missing"],
        json!(["inventory", "payments", "recommendations"])
    );
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/api/dashboard",
            "/api/health",
            "/api/openapi.json",
            "/api/orders/{id}/status",
            "/api/users/{id}",
            "/api/users/{id}/profile",
            "/api/{service}/health",
        ]
    );
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["users.Word"]["examples"], json!(["well"]));
    assert_eq!(schemas["orders.Word"]["examples"], json!(["sent"]));
    assert!(schemas["Problem"].is_object());
    for absent in ["Word", "users.Inside", "users.Problem"] {
        assert!(schemas[absent].is_null(), "{absent}");
    }
}

#[test]
fn each_operation_says_what_its_route_asks_for() {
    let users = telling(document("get", "/users/{id}", "well"));
    let orders = telling(document("put", "/orders/{id}/status", "sent"));
    let (_, _, document) = joined(&rig(&users, &orders));
    let users = &document["paths"]["/api/users/{id}"]["get"];
    assert_eq!(users["operationId"], "users.show");
    assert_eq!(
        users["security"],
        json!([{ "key": ["users:read"] }, { "token": ["users:read"] }])
    );
    let orders = &document["paths"]["/api/orders/{id}/status"]["put"];
    assert_eq!(
        orders["security"][0],
        json!({ "key": ["orders:manage"] }),
        "the most specific route says"
    );
    let health = &document["paths"]["/api/health"]["get"];
    assert_eq!(health["security"], json!([]));
    assert!(health["responses"]["401"].is_null());
    assert!(users["responses"]["401"].is_object());
}

#[test]
fn services_are_asked_once_for_many() {
    let users = telling(document("get", "/users/{id}", "well"));
    let orders = telling(document("get", "/orders/{id}", "sent"));
    let rig = rig(&users, &orders);
    let first = joined(&rig);
    for _ in 0..5 {
        assert_eq!(joined(&rig), first);
    }
    assert_eq!(users.seen().len(), 1);
}

#[test]
fn a_client_that_leaves_takes_nothing_from_those_who_wait() {
    let users = telling_later(document("get", "/users/{id}", "well"));
    let patient = "[routes.openapi]\ntimeout_ms = 20000\n[upstreams.users]\ntimeout_ms = 20000\n";
    let rig = Rig::with(patient, &[("users", &[users.address]), ("", &[])]);
    let first = ask(&rig);
    eventually(|| users.count(), |count| *count == 1);
    let mut others: Vec<Wire> = (0..3).map(|_| ask(&rig)).collect();
    in_the_gateway(&rig, 4);
    drop(first);
    in_the_gateway(&rig, 3);
    users.open_gate();
    for wire in &mut others {
        let document = wire.answer().json();
        assert!(document["paths"]["/api/users/{id}"].is_object());
    }
    assert_eq!(users.count(), 1);
}

#[test]
fn who_cannot_wait_is_told_so_and_leaves_a_whole_document_to_the_next() {
    let users = telling_later(document("get", "/users/{id}", "well"));
    let hasty = "[routes.openapi]\ntimeout_ms = 100\n[upstreams.users]\ntimeout_ms = 20000\n";
    let rig = Rig::with(hasty, &[("users", &[users.address]), ("", &[])]);
    let refused = rig.get("/api/openapi.json");
    assert_eq!(
        (refused.status, refused.code()),
        (504, "deadline_exceeded".to_owned())
    );
    users.open_gate();
    let first = eventually(
        || rig.get("/api/openapi.json"),
        |answer| answer.status == 200,
    );
    assert!(first.json()["paths"]["/api/users/{id}"].is_object());
    assert_eq!(users.count(), 1);
}

#[test]
fn a_service_that_says_no_document_is_left_out_and_the_others_are_told() {
    for wrong in [
        json!({ "paths": { "/users/{id}": { "get": { "responses": [{ "status": 200 }] } } } }),
        json!({ "paths": { "/users/{id}": { "get": "show" } } }),
        json!({ "paths": ["/users/{id}"] }),
        json!(["openapi"]),
    ] {
        let users = telling(wrong.clone());
        let orders = telling(document("get", "/orders/{id}", "sent"));
        let (status, complete, document) = joined(&rig(&users, &orders));
        assert_eq!((status, complete.as_deref()), (200, Some("false")));
        let missing = document["x-lictor-missing"].as_array().unwrap();
        assert!(missing.contains(&json!("users")), "{wrong}");
        assert!(document["paths"]["/api/orders/{id}"].is_object(), "{wrong}");
        contract::valid(&document);
    }
}

#[test]
fn who_is_late_or_says_too_much_is_left_out_within_the_deadline() {
    let _quiet = uncrowded();
    let late = Upstream::playing(|_| {
        std::thread::sleep(Duration::from_secs(5));
        Then::Close
    });
    let long = telling(json!({ "paths": {}, "more": "x".repeat(300_000) }));
    let rig = rig(&late, &long);
    let asked = Instant::now();
    let (status, _, document) = joined(&rig);
    let took = asked.elapsed();
    assert!(took < Duration::from_millis(1_800), "{took:?}");
    assert_eq!(status, 200);
    let missing = document["x-lictor-missing"].as_array().unwrap();
    assert!(missing.contains(&json!("users")) && missing.contains(&json!("orders")));
    contract::valid(&document);
}
