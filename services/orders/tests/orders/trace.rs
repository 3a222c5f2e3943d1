//! What the trace of an order tells.

use crate::api::{Api, PATIENCE, directory, settings, wish};
use crate::peer::{Peer, failing, ten_of_a, well};
use awc::http::Method;
use std::time::{Duration, Instant};
use telemetry::testing::Trace;

#[actix_web::test]
async fn the_trace_of_a_pending_order_says_what_stood_in_for_inventory() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(well));
    let (stock, money) = ([inventory.address], [payments.address]);
    let api = Api::hurried(&directory, settings(), &stock, &money, 120).await;
    api.knows_the_stock().await;
    inventory.becomes(failing);
    let trace = Trace::sampled();
    let (traceparent, parent) = trace.header();
    let headers = [(traceparent, &*parent), ("x-auth-subject", "ada")];
    let order = wish(&[("A", 1)]).to_string();
    let taken = api
        .http
        .send(Method::POST, "/orders", order, &headers)
        .await;
    assert_eq!(taken.status, 202, "{taken:?}");
    // A span is kept when it has ended, a little after the answer.
    let end = Instant::now() + PATIENCE;
    while !trace
        .spans()
        .iter()
        .any(|span| span.name() == "POST /orders")
    {
        assert!(Instant::now() < end, "{:?}", trace.spans());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let placing = trace.span("place order");
    let said = |key| placing.said(key);
    assert_eq!(
        said("lictor.order.status").as_deref(),
        Some("pending_inventory_check")
    );
    assert_eq!(said("lictor.fallback").as_deref(), Some("known_stock"));
    assert!(placing.is_child_of(&trace.span("POST /orders")));
    let spans = trace.spans();
    let mut inside = spans.iter().filter(|span| span.is_child_of(&placing));
    assert!(
        inside.any(|span| span.name() == "TRANSACTION"),
        "it was written down"
    );
}
