//! Many buyers of the last items, through two instances of everything.

use crate::api::Shop;
use futures_util::future::join_all;

#[actix_web::test]
async fn of_fifty_buyers_of_the_last_ten_items_ten_get_one_and_the_ledger_is_exact() {
    let shop = Shop::open().await;
    shop.stock("LAST", 10).await;
    let answers =
        join_all((0..50).map(|turn: usize| shop.orders[turn % 2].order(&[("LAST", 1)]))).await;
    let sold: Vec<&str> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.text("id"))
        .collect();
    let refused = answers
        .iter()
        .filter(|answer| answer.status == 409 && answer.text("code") == "out_of_stock")
        .count();
    let others: Vec<_> = answers
        .iter()
        .filter(|answer| ![201, 409].contains(&answer.status))
        .collect();
    assert_eq!((sold.len(), refused), (10, 40), "{others:?}");
    assert_eq!(shop.counts("LAST").await, (0, 0));
    for id in sold {
        assert_eq!(shop.paid(id).await, "captured");
    }
    let stats = shop.api().http.get("/orders/stats").await.body;
    assert_eq!(
        (&stats["total_orders"], &stats["pending_orders"]),
        (&50.into(), &10.into())
    );
    assert_eq!(stats["total_revenue_cents"], 10 * 250);
}
