//! Each bad input is a 4xx that names the field, and nothing is stored.

use crate::stage::play;
use hyper::Method;
use serde_json::{Value, json};
use std::time::Duration;

struct Row {
    what: &'static str,
    method: Method,
    path: &'static str,
    body: Value,
    status: u16,
    field: &'static str,
}

fn row(
    what: &'static str,
    method: Method,
    path: &'static str,
    body: Value,
    status: u16,
    field: &'static str,
) -> Row {
    Row {
        what,
        method,
        path,
        body,
        status,
        field,
    }
}

fn table() -> Vec<Row> {
    let long = "x".repeat(5000);
    let buyer = "usr_01937c6e-5a00-7000-8000-0000000000a1";
    vec![
        row(
            "a wrong type",
            Method::POST,
            "/api/users",
            json!({"name": 7, "email": "a@b.example"}),
            400,
            "name",
        ),
        row(
            "a missing field",
            Method::POST,
            "/api/users",
            json!({"name": "Ada"}),
            400,
            "email",
        ),
        row(
            "an unknown field",
            Method::POST,
            "/api/users",
            json!({"name": "Ada", "email": "x@b.example", "colour": "red"}),
            400,
            "colour",
        ),
        row(
            "an over-long string",
            Method::POST,
            "/api/users",
            json!({"name": long, "email": "x@b.example"}),
            400,
            "name",
        ),
        row(
            "a bad address",
            Method::POST,
            "/api/users",
            json!({"name": "Ada", "email": "nowhere"}),
            400,
            "email",
        ),
        row(
            "a taken address",
            Method::POST,
            "/api/users",
            json!({"name": "Ada", "email": "ada@example.com"}),
            409,
            "email",
        ),
        row(
            "a negative price",
            Method::PUT,
            "/api/inventory/items/NEW-ITEM",
            json!({"name": "x", "price_cents": -1, "stock": 1}),
            400,
            "price_cents",
        ),
        row(
            "an overflowing stock",
            Method::PUT,
            "/api/inventory/items/NEW-ITEM",
            json!({"name": "x", "price_cents": 1, "stock": 99999999999999999999_u128 as f64}),
            400,
            "stock",
        ),
        row(
            "a bad sku",
            Method::PUT,
            "/api/inventory/items/new%20item",
            json!({"name": "x", "price_cents": 1, "stock": 1}),
            400,
            "sku",
        ),
        row(
            "no items",
            Method::POST,
            "/api/orders",
            json!({"user_id": buyer, "items": []}),
            400,
            "items",
        ),
        row(
            "a quantity of zero",
            Method::POST,
            "/api/orders",
            json!({"user_id": buyer, "items": [{"sku": "LAMP-OIL", "quantity": 0}]}),
            400,
            "items[0].quantity",
        ),
        row(
            "a negative quantity",
            Method::POST,
            "/api/orders",
            json!({"user_id": buyer, "items": [{"sku": "LAMP-OIL", "quantity": -3}]}),
            400,
            "items[0].quantity",
        ),
        row(
            "an unknown item",
            Method::POST,
            "/api/orders",
            json!({"user_id": buyer, "items": [{"sku": "NO-SUCH-ITEM", "quantity": 1}]}),
            422,
            "",
        ),
        row(
            "a malformed user id",
            Method::GET,
            "/api/users/nobody",
            Value::Null,
            400,
            "id",
        ),
        row(
            "an unknown user id",
            Method::GET,
            "/api/users/usr_01937c6e-5a00-7000-8000-00000000ffff",
            Value::Null,
            404,
            "",
        ),
        row(
            "a page of no rows",
            Method::GET,
            "/api/users?limit=0",
            Value::Null,
            400,
            "limit",
        ),
    ]
}

#[tokio::test]
async fn each_bad_input_is_refused_by_its_field_and_nothing_is_stored() {
    play(|stack| async move {
        let client = stack.load_client();
        let counts = || async {
            let mut counts = Vec::new();
            for path in ["/api/users", "/api/orders", "/api/inventory/items"] {
                counts.push(client.get(path).await.unwrap().json()["total"].clone());
            }
            let stats = client.get("/api/orders/stats").await.unwrap().json();
            counts.push(stats["total_revenue_cents"].clone());
            counts
        };
        let before = counts().await;
        for row in table() {
            let body = (!row.body.is_null()).then_some(&row.body);
            let limit = Duration::from_secs(10);
            let answer = client
                .call(row.method, row.path, body, &[], limit)
                .await
                .unwrap();
            let problem = answer.json();
            let field = problem["field"].as_str().unwrap_or_default();
            println!(
                "{:<22} {:<34} -> {} {} {field}",
                row.what, row.path, answer.status, problem["code"]
            );
            assert_eq!(
                (answer.status, field),
                (row.status, row.field),
                "{}: {problem}",
                row.what
            );
        }
        let unparsable = hyper::Request::post("/api/users")
            .header("host", "shop")
            .header("x-api-key", &stack.keys().load)
            .header("content-type", "application/json")
            .body("{\"name\": ".to_owned().into_bytes().into())
            .unwrap();
        let answer = client
            .send(unparsable, Duration::from_secs(10))
            .await
            .unwrap();
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("invalid_json"))
        );
        let without_key = stack::Client::new(client.address())
            .get("/api/users")
            .await
            .unwrap();
        assert_eq!(without_key.status, 401);
        assert!(without_key.header("www-authenticate").is_some());
        let wrong_key = stack::Client::new(client.address())
            .with_key("demo.wrong")
            .get("/api/users")
            .await
            .unwrap();
        assert_eq!(wrong_key.status, 401);
        let after = counts().await;
        let unchanged: Vec<_> = before
            .iter()
            .zip(&after)
            .enumerate()
            .filter(|(index, _)| *index != 1)
            .collect();
        assert!(
            unchanged.iter().all(|(_, (old, new))| old == new),
            "{before:?} became {after:?}"
        );
    })
    .await;
}
