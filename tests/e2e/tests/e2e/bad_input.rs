//! What a client may not send is refused with the field named, and nothing is stored.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;

use super::system::{System, ok};

/// Path, body, status, the field that is named (empty: none can be).
const TABLE: &[(&str, &str, u16, &str)] = &[
    ("/api/users", "{", 400, ""),
    ("/api/users", "[]", 400, ""),
    ("/api/users", r#"{"name":"Ada"}"#, 400, "email"),
    (
        "/api/users",
        r#"{"name":1,"email":"ada@example.org"}"#,
        400,
        "name",
    ),
    (
        "/api/users",
        r#"{"name":"","email":"ada@example.org"}"#,
        400,
        "name",
    ),
    (
        "/api/users",
        r#"{"name":"Ada","email":"nobody"}"#,
        400,
        "email",
    ),
    (
        "/api/users",
        r#"{"name":"Ada","email":"ada@example.org","admin":true}"#,
        400,
        "admin",
    ),
    (
        "/api/users",
        r#"{"name":"Ada","email":"ada@example.org","role":"emperor"}"#,
        400,
        "role",
    ),
    ("/api/orders", r#"{"user_id":"usr_1","items":[]}"#, 400, ""),
    (
        "/api/orders",
        r#"{"user_id":"USER","items":[]}"#,
        400,
        "items",
    ),
    (
        "/api/orders",
        r#"{"user_id":"USER","items":[{"sku":"LAMP-OIL","quantity":0}]}"#,
        400,
        "items[0].quantity",
    ),
    (
        "/api/orders",
        r#"{"user_id":"USER","items":[{"sku":"LAMP-OIL","quantity":-1}]}"#,
        400,
        "items[0].quantity",
    ),
    (
        "/api/orders",
        r#"{"user_id":"USER","items":[{"sku":"LAMP-OIL","quantity":99999999999999999999}]}"#,
        400,
        "items[0].quantity",
    ),
    (
        "/api/orders",
        r#"{"user_id":"USER","items":[{"sku":"lamp oil","quantity":1}]}"#,
        400,
        "items[0].sku",
    ),
    (
        "/api/orders",
        r#"{"user_id":"USER","items":[{"sku":"LAMP-OIL","quantity":1}],"free":true}"#,
        400,
        "free",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_the_field_named_and_nothing_is_stored() {
    let system = System::start("bad-input").await;
    let client = system.load_client();
    let user = system.ids("/api/users", "id").await.remove(0);
    let totals = async || {
        let total = async |path: &str| ok(client.get(path).await).json()["total"].as_i64().unwrap();
        (total("/api/users").await, total("/api/orders").await)
    };
    let before = totals().await;

    let mut wrong = Vec::new();
    let long = format!(
        r#"{{"name":"{}","email":"ada@example.org"}}"#,
        "a".repeat(101)
    );
    let rows = TABLE
        .iter()
        .copied()
        .chain([("/api/users", long.as_str(), 400, "name")]);
    for (path, body, status, field) in rows {
        let body = body.replace("USER", &user);
        let request = Request::post(path)
            .header("host", "shop")
            .header("content-type", "application/json")
            .header("x-api-key", &system.keys().load);
        let request = request.body(Full::new(Bytes::from(body.clone()))).unwrap();
        let answer = client.send(request, Duration::from_secs(10)).await.unwrap();
        let problem = answer.json();
        let named = field.is_empty() || problem["field"] == field;
        let is_problem = answer.header("content-type") == Some("application/problem+json")
            && problem["code"].is_string();
        if answer.status != status || !named || !is_problem {
            wrong.push(format!(
                "{path} {body}\n  wanted {status} {field}, got {} {}",
                answer.status,
                answer.text()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(totals().await, before, "nothing was stored");

    for (path, status) in [
        ("/api/users/nobody", 400..=404),
        ("/api/orders/ord_1", 400..=404),
        ("/api/inventory/items/NO-SUCH", 404..=404),
        ("/api/nothing", 404..=404),
    ] {
        let answer = client.get(path).await.unwrap();
        assert!(
            status.contains(&answer.status) && answer.json()["code"].is_string(),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
    }
    for key in [None, Some("demo.wrong"), Some("nonsense")] {
        let stranger = stack::Client::new(system.gateway().addresses.public);
        let stranger = key.map_or(stack::Client::new(stranger.address()), |key| {
            stranger.with_key(key)
        });
        let answer = stranger.get("/api/users").await.unwrap();
        assert_eq!(
            (answer.status, answer.json()["code"].is_string()),
            (401, true),
            "{key:?}: {}",
            answer.text()
        );
        assert_ne!(answer.json()["code"], Value::Null);
    }
    system.stop().await;
}
