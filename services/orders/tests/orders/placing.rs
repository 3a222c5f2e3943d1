//! An order that can be taken is taken; one that cannot leaves nothing behind.

use crate::api::{Shop, USER};

#[actix_web::test]
async fn an_order_is_reserved_charged_and_confirmed() {
    let shop = Shop::open().await;
    shop.stock("A", 10).await;
    let order = shop.api().order(&[("STYLUS-IRON", 1), ("A", 2)]).await;
    assert_eq!((order.status, order.text("status")), (201, "confirmed"));
    assert_eq!(order.body["total_cents"], 2 * 250 + 590);
    assert_eq!(order.body["items"][0]["unit_price_cents"], 250);
    assert_eq!(order.text("user_id"), USER);
    let id = order.text("id");
    assert_eq!(order.location.as_deref(), Some(&*format!("/orders/{id}")));
    assert_eq!(
        shop.orders[1].show(id).await.body,
        order.body,
        "the other instance knows it too"
    );
    assert_eq!(
        shop.counts("A").await,
        (8, 0),
        "confirmed: nothing can run out any more"
    );
    assert_eq!(shop.paid(id).await, "captured");
    assert_eq!(
        shop.payments.get(&format!("/payments/{id}")).await.body["id"],
        order.body["payment_id"]
    );
}

#[actix_web::test]
async fn what_is_out_of_stock_is_refused_and_charges_nothing() {
    let shop = Shop::open().await;
    shop.stock("A", 10).await;
    shop.stock("B", 1).await;
    let refused = shop.api().order(&[("A", 1), ("B", 2)]).await;
    assert_eq!(refused.problem(), (409, "out_of_stock", "items"));
    assert_eq!(refused.text("detail"), "1 of B can be had");
    let order = shop.api().the_order().await;
    assert_eq!(
        (order["status"].as_str(), order["reason"].as_str()),
        (Some("rejected"), Some("out_of_stock"))
    );
    assert_eq!(
        (shop.counts("A").await, shop.counts("B").await),
        ((10, 0), (1, 0))
    );
    assert_eq!(shop.paid(order["id"].as_str().unwrap()).await, "");
}

#[actix_web::test]
async fn an_item_that_does_not_exist_is_refused() {
    let shop = Shop::open().await;
    assert_eq!(
        shop.api().order(&[("NO-SUCH", 1)]).await.problem(),
        (422, "unknown_item", "items")
    );
}

#[actix_web::test]
async fn a_declined_payment_gives_the_stock_back() {
    let shop = Shop::open().await;
    shop.stock("A", 1000).await;
    assert_eq!(
        shop.api().order(&[("A", 41)]).await.problem(),
        (402, "payment_declined", "")
    );
    assert_eq!(shop.counts("A").await, (1000, 0));
    let order = shop.api().the_order().await;
    assert_eq!(order["reason"], "payment_declined");
    assert_eq!(shop.paid(order["id"].as_str().unwrap()).await, "");
}
