//! Orders move on, are cancelled, listed and counted.

use crate::api::{Shop, USER};
use futures_util::future::join_all;
use serde_json::json;

#[actix_web::test]
async fn an_order_is_shipped_and_completed_and_then_stays() {
    let shop = Shop::open().await;
    let (api, id) = (
        shop.api(),
        shop.api()
            .order(&[("LAMP-OIL", 1)])
            .await
            .text("id")
            .to_owned(),
    );
    assert_eq!(
        api.move_to(&id, "completed").await.problem(),
        (409, "status_move_impossible", "status")
    );
    for status in ["shipped", "shipped", "completed"] {
        let moved = api.move_to(&id, status).await;
        assert_eq!((moved.status, moved.text("status")), (200, status));
    }
    for status in [
        "accepted",
        "confirmed",
        "shipped",
        "cancelled",
        "cancelling",
        "rejected",
    ] {
        assert_eq!(
            api.move_to(&id, status).await.problem(),
            (409, "status_move_impossible", "status"),
            "{status}"
        );
    }
    assert_eq!(api.cancel(&id).await.status, 409);
    assert_eq!(shop.paid(&id).await, "captured");
}

#[actix_web::test]
async fn a_cancelled_order_is_refunded_and_its_pieces_come_back_once() {
    let shop = Shop::open().await;
    shop.stock("A", 10).await;
    let id = shop.api().order(&[("A", 4)]).await.text("id").to_owned();
    assert_eq!(shop.counts("A").await, (6, 0));
    let cancels = join_all((0..6).map(|turn: usize| shop.orders[turn % 2].cancel(&id))).await;
    assert!(cancels.iter().any(|cancelled| cancelled.status == 200));
    assert!(
        cancels
            .iter()
            .all(|cancelled| [200, 409].contains(&cancelled.status)),
        "{cancels:?}"
    );
    let cancelled = shop.api().cancel(&id).await;
    assert_eq!(
        (cancelled.status, cancelled.text("status")),
        (200, "cancelled"),
        "again is the same"
    );
    assert_eq!(shop.counts("A").await, (10, 0));
    assert_eq!(shop.paid(&id).await, "refunded");
}

#[actix_web::test]
async fn moving_an_order_to_cancelled_cancels_it() {
    let shop = Shop::open().await;
    let id = shop
        .api()
        .order(&[("LAMP-OIL", 1)])
        .await
        .text("id")
        .to_owned();
    let moved = shop.api().move_to(&id, "cancelled").await;
    assert_eq!((moved.status, moved.text("status")), (200, "cancelled"));
    assert_eq!(shop.paid(&id).await, "refunded");
}

#[actix_web::test]
async fn statistics_count_orders_and_the_money_that_was_kept() {
    let shop = Shop::open().await;
    shop.stock("A", 10).await;
    let stats = shop.api().http.get("/orders/stats").await.body;
    assert_eq!(
        stats,
        json!({"total_orders": 0, "pending_orders": 0, "completed_orders": 0, "total_revenue_cents": 0, "by_status": {}})
    );
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(shop.api().order(&[("A", 2)]).await.text("id").to_owned());
    }
    shop.api().order(&[("A", 100)]).await;
    shop.api().move_to(&ids[0], "shipped").await;
    shop.api().move_to(&ids[0], "completed").await;
    shop.api().cancel(&ids[1]).await;
    let stats = shop.orders[1].http.get("/orders/stats").await.body;
    assert_eq!(
        stats,
        json!({
            "total_orders": 4, "pending_orders": 1, "completed_orders": 1, "total_revenue_cents": 1_000,
            "by_status": {
                "confirmed": {"orders": 1, "cents": 500}, "completed": {"orders": 1, "cents": 500},
                "cancelled": {"orders": 1, "cents": 500}, "rejected": {"orders": 1, "cents": 0},
            },
        })
    );
}

#[actix_web::test]
async fn orders_are_listed_newest_first_and_by_user() {
    let shop = Shop::open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(
            0,
            shop.api()
                .order(&[("LAMP-OIL", 1)])
                .await
                .text("id")
                .to_owned(),
        );
    }
    for list in ["/orders".to_owned(), format!("/orders/user/{USER}")] {
        let (mut seen, mut path) = (Vec::new(), format!("{list}?limit=2"));
        loop {
            let page = shop.api().http.get(&path).await.body;
            assert_eq!(page["total"], 5);
            seen.extend(
                page["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|order| order["id"].as_str().unwrap().to_owned()),
            );
            let Some(after) = page["after"].as_str() else {
                break;
            };
            path = format!("{list}?limit=2&after={after}");
        }
        assert_eq!(seen, ids, "{list}");
    }
    let nobody = format!("/orders/user/{}", USER.replace("a1", "ff"));
    assert_eq!(
        shop.api().http.get(&nobody).await.body,
        json!({"items": [], "total": 0})
    );
}
