//! An order that is tried again under its own id, and what arrives late from the try before.

use crate::api::{Answer, Api, USER, directory, order};
use awc::http::Method;
use serde_json::{Value, json};

async fn charge(api: &Api, attempt: i64, cents: i64) -> Answer {
    let body =
        json!({"order_id": order(1), "attempt": attempt, "user_id": USER, "amount_cents": cents});
    api.send(Method::POST, "/payments", body.to_string()).await
}

async fn refund(api: &Api, attempt: i64) -> Answer {
    let path = format!("/payments/{}/refund?attempt={attempt}", order(1));
    api.send(Method::POST, &path, String::new()).await
}

#[actix_web::test]
async fn a_later_attempt_is_charged_once_the_earlier_one_was_given_back() {
    let directory = directory();
    let api = Api::start(&directory).await;
    let first = charge(&api, 1, 100).await;
    assert_eq!(first.status, 201);
    assert_eq!(
        charge(&api, 2, 100).await.problem(),
        (410, "payment_closed", ""),
        "never two at a time"
    );
    assert_eq!(refund(&api, 1).await.body["status"], "refunded");
    let second = charge(&api, 2, 200).await;
    assert_eq!(second.status, 201);
    assert_ne!(second.body["id"], first.body["id"]);
    assert_eq!(api.get(&order(1)).await.body, second.body, "the latest");
}

#[actix_web::test]
async fn what_arrives_late_from_an_earlier_attempt_changes_nothing() {
    let directory = directory();
    let api = Api::start(&directory).await;
    assert_eq!(refund(&api, 1).await.body["status"], "voided");
    assert_eq!(charge(&api, 2, 200).await.status, 201);
    let gone = (410, "payment_closed", "");
    assert_eq!(charge(&api, 1, 100).await.problem(), gone);
    assert_eq!(refund(&api, 1).await.status, 200);
    assert_eq!(api.get(&order(1)).await.body["status"], "captured");
    assert_eq!(refund(&api, 2).await.body["status"], "refunded");
    assert_eq!(charge(&api, 2, 200).await.problem(), gone);
}

#[actix_web::test]
async fn the_sums_tell_what_was_taken_and_given_back() {
    let directory = directory();
    let api = Api::start(&directory).await;
    let nothing = json!({"payments": 0, "cents": 0});
    let stats = api.get("stats").await.body;
    assert_eq!(
        stats,
        json!({"captured": nothing, "refunded": nothing, "voided": nothing})
    );
    charge(&api, 1, 100).await;
    refund(&api, 1).await;
    charge(&api, 2, 200).await;
    api.charge(2, 300).await;
    api.refund(&order(3)).await;
    let stats = api.get("stats").await.body;
    assert_eq!(
        stats,
        json!({
            "captured": {"payments": 2, "cents": 500},
            "refunded": {"payments": 1, "cents": 100},
            "voided": {"payments": 1, "cents": 0},
        })
    );
}

#[actix_web::test]
async fn an_attempt_is_a_number_from_one_on() {
    let directory = directory();
    let api = Api::start(&directory).await;
    for bad in [0, -1, 1_000_001] {
        let refused = charge(&api, bad, 100).await;
        assert_eq!(refused.problem(), (400, "invalid_field", "attempt"));
        assert_eq!(refund(&api, bad).await.status, 400);
    }
    assert_eq!(
        api.get("stats").await.body["captured"]["payments"],
        Value::from(0)
    );
}
