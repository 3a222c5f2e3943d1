//! What is refused: with a 4xx that names the field, nothing stored, and no peer asked.

use crate::api::{Api, USER, directory, settings};
use crate::peer::{Peer, well};
use awc::http::Method;

#[actix_web::test]
async fn each_bad_request_is_told_what_is_wrong_and_nothing_is_stored() {
    let directory = directory();
    let peer = Peer::start(well);
    let api = Api::start(&directory, settings(), &[peer.address], &[peer.address]).await;
    let order = |items: &str| format!(r#"{{"user_id":"{USER}","items":{items}}}"#);
    let unknown = "/orders/ord_01937c6e-5a00-7000-8000-0000000000ff";
    let status = format!("{unknown}/status");
    for (method, path, body, code, field) in [
        (
            Method::POST,
            "/orders",
            "{\"user_id\"".to_owned(),
            (400, "invalid_json"),
            "body",
        ),
        (
            Method::POST,
            "/orders",
            "null".into(),
            (400, "invalid_field"),
            "body",
        ),
        (
            Method::POST,
            "/orders",
            r#"{"items":[{"sku":"A","quantity":1}]}"#.into(),
            (400, "invalid_field"),
            "user_id",
        ),
        (
            Method::POST,
            "/orders",
            order("{}"),
            (400, "invalid_field"),
            "items",
        ),
        (
            Method::POST,
            "/orders",
            order("[]"),
            (400, "invalid_field"),
            "items",
        ),
        (
            Method::POST,
            "/orders",
            order("[7]"),
            (400, "invalid_field"),
            "items[0]",
        ),
        (
            Method::POST,
            "/orders",
            order(r#"[{"sku":"A"}]"#),
            (400, "invalid_field"),
            "items[0].quantity",
        ),
        (
            Method::POST,
            "/orders",
            order(r#"[{"sku":"A","quantity":-1}]"#),
            (400, "invalid_field"),
            "items[0].quantity",
        ),
        (
            Method::POST,
            "/orders",
            order(r#"[{"sku":"A","quantity":1e30}]"#),
            (400, "invalid_field"),
            "items[0].quantity",
        ),
        (
            Method::POST,
            "/orders",
            order(r#"[{"sku":"A","quantity":18446744073709551616}]"#),
            (400, "invalid_field"),
            "items[0].quantity",
        ),
        (
            Method::POST,
            "/orders",
            order(r#"[{"sku":"' OR 1=1","quantity":1}]"#),
            (400, "invalid_field"),
            "items[0].sku",
        ),
        (
            Method::POST,
            "/orders",
            order(r#"[{"sku":"A","quantity":1,"price":0}]"#),
            (400, "invalid_field"),
            "items[0].price",
        ),
        (
            Method::POST,
            "/orders",
            order(r#"[{"sku":"A","quantity":1}],"status":"completed""#),
            (400, "invalid_field"),
            "status",
        ),
        (
            Method::POST,
            "/orders",
            order(r#"[{"sku":"A","quantity":1}]"#).replace(USER, "ada"),
            (400, "invalid_field"),
            "user_id",
        ),
        (
            Method::GET,
            "/orders/1",
            String::new(),
            (400, "invalid_field"),
            "id",
        ),
        (Method::GET, unknown, String::new(), (404, "not_found"), ""),
        (
            Method::DELETE,
            unknown,
            String::new(),
            (404, "not_found"),
            "",
        ),
        (
            Method::PUT,
            &status,
            r#"{"status":"shipped"}"#.into(),
            (404, "not_found"),
            "",
        ),
        (
            Method::PUT,
            &status,
            r#"{"status":"lost"}"#.into(),
            (400, "invalid_field"),
            "status",
        ),
        (
            Method::PUT,
            &status,
            r#"{"status":7}"#.into(),
            (400, "invalid_field"),
            "status",
        ),
        (
            Method::GET,
            "/orders/user/1",
            String::new(),
            (400, "invalid_field"),
            "user_id",
        ),
        (
            Method::GET,
            "/orders?limit=many",
            String::new(),
            (400, "invalid_field"),
            "limit",
        ),
        (
            Method::GET,
            "/orders?after=1",
            String::new(),
            (400, "invalid_field"),
            "after",
        ),
    ] {
        let answer = api.http.send(method.clone(), path, body.clone(), &[]).await;
        assert_eq!(
            answer.problem(),
            (code.0, code.1, field),
            "{method} {path} {body}"
        );
    }
    let good = order(r#"[{"sku":"A","quantity":1}]"#);
    for key in ["", "with space", &"k".repeat(129)] {
        let answer = api
            .http
            .send(
                Method::POST,
                "/orders",
                good.clone(),
                &[("idempotency-key", key)],
            )
            .await;
        assert_eq!(
            answer.problem(),
            (400, "invalid_field", "Idempotency-Key"),
            "{key}"
        );
    }
    assert_eq!(api.http.get("/orders/stats").await.body["total_orders"], 0);
    assert!(peer.asked().is_empty());
}
