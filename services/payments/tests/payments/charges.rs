//! An order is charged once and refunded once, whoever asks and how often.

use crate::api::{Api, USER, directory, order};
use awc::http::Method;
use futures_util::future::join_all;
use serde_json::json;

#[actix_web::test]
async fn an_order_is_charged_once_however_often_it_is_asked() {
    let directory = directory();
    let instances = [Api::start(&directory).await, Api::start(&directory).await];
    let answers = join_all((0..20).map(|turn: usize| instances[turn % 2].charge(1, 4_590))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        1
    );
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        19
    );
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!(answers[0].body["status"], "captured");
    assert_eq!(
        instances[0].get(&order(1)).await.body,
        answers[0].body,
        "an order's id names its payment"
    );
    let id = answers[0].body["id"].as_str().unwrap();
    assert_eq!(instances[0].get(id).await.body, answers[0].body);
}

#[actix_web::test]
async fn the_same_order_with_another_amount_or_user_is_refused() {
    let directory = directory();
    let api = Api::start(&directory).await;
    api.charge(1, 100).await;
    assert_eq!(
        api.charge(1, 101).await.problem(),
        (422, "payment_mismatch", "amount_cents")
    );
    let other =
        json!({"order_id": order(1), "user_id": USER.replace("a1", "b2"), "amount_cents": 100});
    let answer = api.send(Method::POST, "/payments", other.to_string()).await;
    assert_eq!(answer.problem(), (422, "payment_mismatch", "user_id"));
}

#[actix_web::test]
async fn too_much_is_declined_and_nothing_is_stored() {
    let directory = directory();
    let api = Api::start(&directory).await;
    assert_eq!(
        api.charge(1, 10_001).await.problem(),
        (402, "payment_declined", "amount_cents")
    );
    assert_eq!(api.get(&order(1)).await.problem(), (404, "not_found", ""));
    assert_eq!(api.charge(1, 10_000).await.status, 201);
}

#[actix_web::test]
async fn a_refund_is_made_once_and_closes_the_order() {
    let directory = directory();
    let api = Api::start(&directory).await;
    let id = api.charge(1, 100).await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let refunded = api.refund(&id).await;
    assert_eq!(
        (refunded.status, &refunded.body["status"]),
        (200, &json!("refunded"))
    );
    assert_eq!(
        api.refund(&order(1)).await.body,
        refunded.body,
        "again is the same"
    );
    assert_eq!(
        api.charge(1, 100).await.problem(),
        (410, "payment_closed", "")
    );
}

#[actix_web::test]
async fn a_charge_that_arrives_after_its_refund_is_refused() {
    let directory = directory();
    let api = Api::start(&directory).await;
    let voided = api.refund(&order(1)).await;
    assert_eq!(
        (voided.status, &voided.body["status"]),
        (200, &json!("voided"))
    );
    assert_eq!(
        api.charge(1, 100).await.problem(),
        (410, "payment_closed", "")
    );
    assert_eq!(api.get(&order(1)).await.body["amount_cents"], 0);
}

#[actix_web::test]
async fn charges_and_refunds_at_once_end_with_every_order_given_back() {
    let directory = directory();
    let instances = [Api::start(&directory).await, Api::start(&directory).await];
    let orders: Vec<String> = (0..20).map(order).collect();
    let charges = join_all((0..20).map(|n| instances[0].charge(n, 100)));
    let refunds = join_all(orders.iter().map(|order| instances[1].refund(order)));
    let (charges, refunds) = futures_util::future::join(charges, refunds).await;
    assert!(
        charges
            .iter()
            .all(|answer| [201, 410].contains(&answer.status))
    );
    assert!(refunds.iter().all(|answer| answer.status == 200));
    for order in &orders {
        let status = instances[0].get(order).await.body["status"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            ["refunded", "voided"].contains(&status.as_str()),
            "{order} is {status}"
        );
    }
}
