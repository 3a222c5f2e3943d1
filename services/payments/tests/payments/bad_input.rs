//! What is refused: with a 4xx that names the field, and nothing stored.

use crate::api::{Api, USER, directory, order};
use awc::http::Method;

#[actix_web::test]
async fn each_bad_request_is_told_what_is_wrong_and_nothing_is_stored() {
    let directory = directory();
    let api = Api::start(&directory).await;
    let charge = |amount: &str| {
        format!(
            r#"{{"order_id":"{}","user_id":"{USER}","amount_cents":{amount}}}"#,
            order(1)
        )
    };
    for (method, path, body, status, code, field) in [
        (
            Method::POST,
            "/payments",
            "{\"order_id\":".to_owned(),
            400,
            "invalid_json",
            "body",
        ),
        (
            Method::POST,
            "/payments",
            charge("-1"),
            400,
            "invalid_field",
            "amount_cents",
        ),
        (
            Method::POST,
            "/payments",
            charge("1.5"),
            400,
            "invalid_field",
            "amount_cents",
        ),
        (
            Method::POST,
            "/payments",
            charge("\"1\""),
            400,
            "invalid_field",
            "amount_cents",
        ),
        (
            Method::POST,
            "/payments",
            charge("9223372036854775807"),
            400,
            "invalid_field",
            "amount_cents",
        ),
        (
            Method::POST,
            "/payments",
            charge("9223372036854775808"),
            400,
            "invalid_field",
            "amount_cents",
        ),
        (
            Method::POST,
            "/payments",
            charge("1,\"currency\":\"EUR\""),
            400,
            "invalid_field",
            "currency",
        ),
        (
            Method::POST,
            "/payments",
            charge("1").replace("usr_", "ord_"),
            400,
            "invalid_field",
            "user_id",
        ),
        (
            Method::POST,
            "/payments",
            charge("1").replace("ord_", ""),
            400,
            "invalid_field",
            "order_id",
        ),
        (
            Method::GET,
            "/payments/7",
            String::new(),
            400,
            "invalid_field",
            "id",
        ),
        (
            Method::POST,
            "/payments/7/refund",
            String::new(),
            400,
            "invalid_field",
            "id",
        ),
        (
            Method::POST,
            "/payments/pay_01937c6e-5a00-7000-8000-0000000000a1/refund",
            String::new(),
            404,
            "not_found",
            "",
        ),
    ] {
        let answer = api.send(method.clone(), path, body.clone()).await;
        assert_eq!(
            answer.problem(),
            (status, code, field),
            "{method} {path} {body}"
        );
    }
    assert_eq!(api.get(&order(1)).await.problem(), (404, "not_found", ""));
}
