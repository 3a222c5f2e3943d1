//! An order that is tried again under its own id, and what arrives late from the try before.

use crate::api::{Answer, Api, directory, order, settings, settings_with, wish};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Far more than a reservation lives here; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

async fn reserve(api: &Api, attempt: i64, items: &[(&str, i64)]) -> Answer {
    let mut body = wish(1, items);
    body["attempt"] = attempt.into();
    api.post("/inventory/reservations", body).await
}

async fn confirm(api: &Api, attempt: i64) -> Answer {
    let path = format!(
        "/inventory/reservations/{}/confirm?attempt={attempt}",
        order(1)
    );
    api.post(&path, Value::Null).await
}

async fn release(api: &Api, attempt: i64) -> Answer {
    let path = format!("/inventory/reservations/{}?attempt={attempt}", order(1));
    api.delete(&path).await
}

#[actix_web::test]
async fn a_later_attempt_reserves_what_an_earlier_one_released() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.stock("A", 10).await;
    assert_eq!(reserve(&api, 1, &[("A", 4)]).await.status, 201);
    assert_eq!(release(&api, 1).await.status, 204);
    let again = reserve(&api, 2, &[("A", 3)]).await;
    assert_eq!(
        (again.status, &again.body["attempt"], &again.body["status"]),
        (201, &json!(2), &json!("held"))
    );
    assert_eq!(api.counts("A").await, (10, 3, 7));
    assert_eq!(confirm(&api, 2).await.status, 200);
    assert_eq!(api.counts("A").await, (7, 0, 7));
}

#[actix_web::test]
async fn what_arrives_late_from_an_earlier_attempt_changes_nothing() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.stock("A", 10).await;
    release(&api, 1).await;
    assert_eq!(reserve(&api, 2, &[("A", 3)]).await.status, 201);
    let gone = (410, "reservation_closed", "");
    assert_eq!(reserve(&api, 1, &[("A", 3)]).await.problem(), gone);
    assert_eq!(confirm(&api, 1).await.problem(), gone);
    assert_eq!(release(&api, 1).await.status, 204);
    assert_eq!(api.counts("A").await, (10, 3, 7), "attempt 2 holds them");
    assert_eq!(release(&api, 2).await.status, 204);
    assert_eq!(reserve(&api, 2, &[("A", 3)]).await.problem(), gone);
    assert_eq!(api.counts("A").await, (10, 0, 10));
}

#[actix_web::test]
async fn what_ran_out_is_held_again_at_its_old_price_unless_it_was_released() {
    let directory = directory();
    let api = Api::start(&directory, settings_with(20, 10)).await;
    api.stock("A", 10).await;
    reserve(&api, 1, &[("A", 4)]).await;
    let until = Instant::now() + PATIENCE;
    while api.counts("A").await.1 != 0 {
        assert!(Instant::now() < until, "it never ran out");
    }
    let item = json!({"name": "Test item", "price_cents": 999, "stock": 10});
    let put = api.send(
        awc::http::Method::PUT,
        "/inventory/items/A",
        item.to_string(),
    );
    assert_eq!(put.await.status, 200);
    let again = reserve(&api, 1, &[("A", 4)]).await;
    assert_eq!(
        (again.status, &again.body["total_cents"]),
        (201, &json!(1_000))
    );
    release(&api, 1).await;
    assert_eq!(
        reserve(&api, 1, &[("A", 4)]).await.problem(),
        (410, "reservation_closed", "")
    );
}

#[actix_web::test]
async fn the_sums_tell_what_is_held_sold_and_given_back() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    let before = api.get("/inventory/reservations/stats").await.body["items"].clone();
    api.stock("A", 10).await;
    api.reserve(1, &[("A", 4)]).await;
    api.reserve(2, &[("A", 3)]).await;
    api.confirm(2).await;
    api.reserve(3, &[("A", 1)]).await;
    api.release(3).await;
    let stats = api.get("/inventory/reservations/stats").await.body;
    let sum = |pieces: i64| json!({"reservations": 1, "pieces": pieces, "cents": pieces * 250});
    assert_eq!(
        stats,
        json!({
            "held": sum(4), "confirmed": sum(3), "released": sum(1),
            "expired": {"reservations": 0, "pieces": 0, "cents": 0},
            "items": {"stock": before["stock"].as_i64().unwrap() + 7, "reserved": 4},
        })
    );
}
