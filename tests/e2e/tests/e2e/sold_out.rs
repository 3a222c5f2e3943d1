//! The last items are sold once, however many people want them at the same time.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use super::system::{System, ok};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_buyers_of_the_last_ten_items_get_exactly_ten() {
    // Both instances of each service in the gateway's own zone, so that both take part.
    let system = System::with("sold-out", |wishes| wishes.zones(["a"]).instances(2)).await;
    let client = system.load_client();
    let item = json!({ "name": "The last ones", "price_cents": 700, "stock": 10 });
    ok(client.put("/api/inventory/items/LAST-TEN", &item).await);
    let revenue_before = ok(client.get("/api/orders/stats").await).json()["total_revenue_cents"]
        .as_i64()
        .unwrap();

    let user = system.ids("/api/users", "id").await.remove(0);
    let order = json!({ "user_id": user, "items": [{ "sku": "LAST-TEN", "quantity": 1 }] });
    let answers: Vec<_> = join_all((0..50).map(|_| client.post("/api/orders", &order)))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();

    let sold: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .collect();
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 409)
        .collect();
    let others: Vec<String> = answers
        .iter()
        .filter(|answer| ![201, 409].contains(&answer.status))
        .map(|answer| answer.text())
        .collect();
    assert_eq!((sold.len(), refused.len()), (10, 40), "{others:?}");

    let ids: BTreeSet<String> = sold
        .iter()
        .map(|answer| answer.json()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 10, "ten different orders");
    let servers: BTreeSet<&str> = answers
        .iter()
        .filter_map(|answer| answer.header("x-lictor-instance"))
        .collect();
    assert_eq!(servers.len(), 2, "both instances of orders: {servers:?}");

    let left = ok(client.get("/api/inventory/items/LAST-TEN").await).json();
    assert_eq!(
        (
            left["available"].as_i64(),
            left["reserved"]
                .as_i64()
                .zip(left["stock"].as_i64())
                .map(|(r, s)| s - r)
        ),
        (Some(0), Some(0)),
        "{left}"
    );
    let revenue = ok(client.get("/api/orders/stats").await).json()["total_revenue_cents"]
        .as_i64()
        .unwrap();
    assert_eq!(revenue - revenue_before, 10 * 700, "charged once for each");
    system.stop().await;
}
