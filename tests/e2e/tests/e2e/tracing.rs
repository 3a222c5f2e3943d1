//! One order, one trace, every hop.

use crate::stage::play;
use serde_json::json;
use stack::wait;
use std::time::Duration;

#[tokio::test]
async fn an_order_is_one_trace_through_gateway_orders_inventory_and_payments() {
    play(|stack| async move {
        let client = stack.load_client();
        let user = client.get("/api/users").await.unwrap().json()["items"][0]["id"].clone();
        let sku =
            client.get("/api/inventory/items").await.unwrap().json()["items"][0]["sku"].clone();
        let order = json!({ "user_id": user, "items": [{ "sku": sku, "quantity": 1 }] });
        let answer = client.post("/api/orders", &order).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        let id = answer
            .header("traceresponse")
            .unwrap()
            .split('-')
            .nth(1)
            .unwrap()
            .to_owned();
        let wanted = [
            ("gateway", "orders"),
            ("orders", "inventory"),
            ("orders", "payments"),
        ];
        let trace = wait::until("the whole trace", Duration::from_secs(10), || async {
            let trace = stack.trace(&id).await.map_err(|error| error.to_string())?;
            let edges = trace.edges();
            let missing: Vec<_> = wanted
                .iter()
                .filter(|(from, to)| !edges.contains(&((*from).to_owned(), (*to).to_owned())))
                .collect();
            if missing.is_empty() {
                Ok(trace)
            } else {
                Err(format!("no {missing:?} in\n{trace}"))
            }
        })
        .await
        .unwrap();
        println!("{trace}");
    })
    .await;
}
