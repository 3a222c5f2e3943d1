//! What is refused: with a 4xx that names the field, and nothing stored.

use crate::api::{Api, directory, order, settings};
use awc::http::Method;

#[actix_web::test]
async fn each_bad_request_is_told_what_is_wrong_and_nothing_is_stored() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    let item = "/inventory/items/LAMP-OIL";
    let reservations = "/inventory/reservations";
    let wish = |items: &str| format!(r#"{{"order_id":"{}","items":{items}}}"#, order(1));
    let lines = format!(
        "[{}]",
        (0..51)
            .map(|n| format!(r#"{{"sku":"S{n}","quantity":1}}"#))
            .collect::<Vec<_>>()
            .join(",")
    );
    for (method, path, body, status, code, field) in [
        (
            Method::PUT,
            item,
            "nonsense".to_owned(),
            400,
            "invalid_json",
            "body",
        ),
        (
            Method::PUT,
            item,
            r#"{"name":"x","price_cents":-1,"stock":1}"#.into(),
            400,
            "invalid_field",
            "price_cents",
        ),
        (
            Method::PUT,
            item,
            r#"{"name":"x","price_cents":1.5,"stock":1}"#.into(),
            400,
            "invalid_field",
            "price_cents",
        ),
        (
            Method::PUT,
            item,
            r#"{"name":"x","price_cents":"1","stock":1}"#.into(),
            400,
            "invalid_field",
            "price_cents",
        ),
        (
            Method::PUT,
            item,
            r#"{"name":"x","price_cents":1,"stock":-5}"#.into(),
            400,
            "invalid_field",
            "stock",
        ),
        (
            Method::PUT,
            item,
            r#"{"name":"x","price_cents":99999999999999999999,"stock":1}"#.into(),
            400,
            "invalid_field",
            "price_cents",
        ),
        (
            Method::PUT,
            item,
            r#"{"name":"","price_cents":1,"stock":1}"#.into(),
            400,
            "invalid_field",
            "name",
        ),
        (
            Method::PUT,
            item,
            r#"{"name":"x","price_cents":1,"stock":1,"reserved":0}"#.into(),
            400,
            "invalid_field",
            "reserved",
        ),
        (
            Method::PUT,
            "/inventory/items/lamp",
            r#"{"name":"x","price_cents":1,"stock":1}"#.into(),
            400,
            "invalid_field",
            "sku",
        ),
        (
            Method::GET,
            "/inventory/items/NO-SUCH",
            String::new(),
            404,
            "not_found",
            "",
        ),
        (
            Method::GET,
            "/inventory/items?limit=1000",
            String::new(),
            400,
            "invalid_field",
            "limit",
        ),
        (
            Method::GET,
            "/inventory/items?after=no%20sku",
            String::new(),
            400,
            "invalid_field",
            "after",
        ),
        (
            Method::POST,
            reservations,
            r#"{"items":[]}"#.into(),
            400,
            "invalid_field",
            "items",
        ),
        (
            Method::POST,
            reservations,
            r#"{"order_id":"1","items":[{"sku":"A","quantity":1}]}"#.into(),
            400,
            "invalid_field",
            "order_id",
        ),
        (
            Method::POST,
            reservations,
            wish("[]"),
            400,
            "invalid_field",
            "items",
        ),
        (
            Method::POST,
            reservations,
            wish(&lines),
            400,
            "invalid_field",
            "items",
        ),
        (
            Method::POST,
            reservations,
            wish(r#"[{"sku":"LAMP-OIL","quantity":0}]"#),
            400,
            "invalid_field",
            "items[0].quantity",
        ),
        (
            Method::POST,
            reservations,
            wish(r#"[{"sku":"LAMP-OIL","quantity":-1}]"#),
            400,
            "invalid_field",
            "items[0].quantity",
        ),
        (
            Method::POST,
            reservations,
            wish(r#"[{"sku":"LAMP-OIL","quantity":9223372036854775808}]"#),
            400,
            "invalid_field",
            "items[0].quantity",
        ),
        (
            Method::POST,
            reservations,
            wish(r#"[{"sku":"LAMP-OIL","quantity":1},{"sku":"lamp","quantity":1}]"#),
            400,
            "invalid_field",
            "items[1].sku",
        ),
        (
            Method::POST,
            reservations,
            wish(r#"[{"sku":"LAMP-OIL","quantity":1,"price":1}]"#),
            400,
            "invalid_field",
            "items[0].price",
        ),
        (
            Method::POST,
            reservations,
            wish(r#"[{"sku":"LAMP-OIL","quantity":1},{"sku":"LAMP-OIL","quantity":1}]"#),
            400,
            "invalid_field",
            "items",
        ),
        (
            Method::GET,
            "/inventory/reservations/42",
            String::new(),
            400,
            "invalid_field",
            "order_id",
        ),
        (
            Method::DELETE,
            "/inventory/reservations/42",
            String::new(),
            400,
            "invalid_field",
            "order_id",
        ),
    ] {
        let answer = api.send(method.clone(), path, body.clone()).await;
        assert_eq!(
            answer.problem(),
            (status, code, field),
            "{method} {path} {body:.80}"
        );
    }
    assert_eq!(api.counts("LAMP-OIL").await, (1_000_000, 0, 1_000_000));
    let untouched = api
        .get(&format!("/inventory/reservations/{}", order(1)))
        .await;
    assert_eq!(untouched.problem(), (404, "not_found", ""));
}
