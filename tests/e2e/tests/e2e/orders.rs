//! Money and stock, with both instances of every service at work.

use crate::stage::play;
use futures_util::future::join_all;
use serde_json::json;
use stack::Stack;
use std::collections::BTreeSet;

async fn total(stack: &Stack, path: &str) -> i64 {
    stack.load_client().get(path).await.unwrap().json()["total"]
        .as_i64()
        .unwrap()
}

#[tokio::test]
async fn fifty_buyers_of_the_last_ten_items_get_ten_and_the_ledger_is_exact() {
    play(|stack| async move {
        let client = stack.load_client();
        let item = json!({ "name": "Last lamp", "price_cents": 1250, "stock": 10 });
        let put = client
            .put("/api/inventory/items/LAST-LAMP", &item)
            .await
            .unwrap();
        assert_eq!(put.status, 201, "{}", put.text());
        let user = client.get("/api/users").await.unwrap().json()["items"][0]["id"].clone();
        let orders_before = total(&stack, "/api/orders").await;
        let revenue = |stats: serde_json::Value| stats["total_revenue_cents"].as_i64().unwrap();
        let revenue_before = revenue(client.get("/api/orders/stats").await.unwrap().json());

        let order = json!({ "user_id": user, "items": [{ "sku": "LAST-LAMP", "quantity": 1 }] });
        let answers = join_all((0..50).map(|_| client.post("/api/orders", &order))).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        let sold = answers.iter().filter(|answer| answer.status == 201).count();
        let refused = answers.iter().filter(|answer| answer.status == 409).count();
        let instances: BTreeSet<_> = answers
            .iter()
            .filter_map(|answer| answer.header("x-lictor-instance"))
            .collect();
        println!("sold {sold}, refused {refused}, served by {instances:?}");
        assert_eq!(
            (sold, refused),
            (10, 40),
            "{:?}",
            answers.iter().map(|a| a.status).collect::<Vec<_>>()
        );
        for answer in answers.iter().filter(|answer| answer.status == 409) {
            assert_eq!(answer.json()["code"], "out_of_stock");
        }

        let left = client
            .get("/api/inventory/items/LAST-LAMP")
            .await
            .unwrap()
            .json();
        assert_eq!(
            (left["available"].as_i64(), left["reserved"].as_i64()),
            (Some(0), Some(0)),
            "{left}"
        );
        assert_eq!(left["stock"], 0, "{left}");
        let revenue_after = revenue(client.get("/api/orders/stats").await.unwrap().json());
        assert_eq!(revenue_after - revenue_before, 10 * 1250);
        assert_eq!(
            total(&stack, "/api/orders").await - orders_before,
            50,
            "refused orders are kept, too"
        );
        for answer in answers.iter().filter(|answer| answer.status == 201) {
            let order = answer.json();
            assert_eq!(order["status"], "confirmed", "{order}");
            let id = order["payment_id"].as_str().unwrap();
            assert!(id.starts_with("pay_"), "{order}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_key_is_one_order_and_another_body_under_it_is_refused() {
    play(|stack| async move {
        let client = stack.load_client();
        let user = client.get("/api/users").await.unwrap().json()["items"][0]["id"].clone();
        let sku = client.get("/api/inventory/items").await.unwrap().json()["items"][0]["sku"].clone();
        let order = |quantity: u32| json!({ "user_id": user, "items": [{ "sku": sku, "quantity": quantity }] });
        let post = |quantity| {
            let (client, body) = (&client, order(quantity));
            async move {
                let key = [("idempotency-key", "the-same-key")];
                let limit = std::time::Duration::from_secs(10);
                client.call(hyper::Method::POST, "/api/orders", Some(&body), &key, limit).await.unwrap()
            }
        };
        let first = post(1).await;
        assert_eq!(first.status, 201, "{}", first.text());
        let again = post(1).await;
        assert_eq!(again.json()["id"], first.json()["id"]);
        let other = post(2).await;
        assert_eq!((other.status, other.json()["code"].as_str()), (422, Some("idempotency_key_reused")));
        let cancelled = client.delete(&format!("/api/orders/{}", first.json()["id"].as_str().unwrap())).await;
        assert_eq!(cancelled.unwrap().json()["status"], "cancelled");
    })
    .await;
}
