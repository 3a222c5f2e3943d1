//! One key, one order.

use crate::api::{Api, Shop, directory, inventory, payments, settings, settings_but};
use crate::client::Http;
use crate::peer::{Peer, Reply, nobody, slow_to_charge, ten_of_a, well};
use futures_util::future::{join, join_all};
use serde_json::json;

#[actix_web::test]
async fn the_same_key_gets_the_same_answer() {
    let shop = Shop::open().await;
    shop.stock("A", 10).await;
    let first = shop.api().order_once("k1", "ada", &[("A", 1)]).await;
    let again = shop.orders[1].order_once("k1", "ada", &[("A", 1)]).await;
    assert_eq!((first.status, first.replayed), (201, false));
    assert_eq!((again.status, again.replayed), (201, true));
    assert_eq!(
        (&again.body, &again.location),
        (&first.body, &first.location)
    );
    assert_eq!(shop.counts("A").await, (9, 0));
}

#[actix_web::test]
async fn the_same_key_with_another_body_is_refused() {
    let shop = Shop::open().await;
    shop.stock("A", 10).await;
    shop.api().order_once("k1", "ada", &[("A", 1)]).await;
    let other = shop.api().order_once("k1", "ada", &[("A", 2)]).await;
    assert_eq!(
        other.problem(),
        (422, "idempotency_key_reused", "Idempotency-Key")
    );
    assert_eq!(
        shop.api()
            .order_once("k1", "grace", &[("A", 2)])
            .await
            .status,
        201,
        "a key belongs to its subject"
    );
    assert_eq!(shop.counts("A").await, (7, 0));
}

#[actix_web::test]
async fn of_many_that_come_at_once_one_is_placed_and_all_get_its_answer() {
    let shop = Shop::open().await;
    shop.stock("A", 10).await;
    let ask = |turn: usize| shop.orders[turn % 2].order_once("k1", "ada", &[("A", 1)]);
    let answers = join_all((0..12).map(ask)).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 && answer.body == answers[0].body)
    );
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert_eq!(shop.api().the_order().await["status"], "confirmed");
    assert_eq!(shop.counts("A").await, (9, 0));
}

#[actix_web::test]
async fn a_refusal_that_is_final_is_told_again_in_the_same_words() {
    let shop = Shop::open().await;
    shop.stock("A", 1).await;
    let first = shop.api().order_once("k1", "ada", &[("A", 2)]).await;
    shop.stock("A", 10).await;
    let again = shop.api().order_once("k1", "ada", &[("A", 2)]).await;
    assert_eq!(first.problem(), (409, "out_of_stock", "items"));
    assert_eq!(again.body, first.body);
}

#[actix_web::test]
async fn a_refusal_that_may_pass_is_tried_again_as_the_same_order() {
    let directory = directory();
    let (stock, money) = (inventory(&directory).await, payments(&directory).await);
    let wish = [("LAMP-OIL", 1)];
    let poor = Api::start(&directory, settings(), &[stock.address], &[nobody()]).await;
    for _ in 0..3 {
        let refused = poor.order_once("k1", "ada", &wish).await;
        assert_eq!(refused.problem(), (503, "payments_unavailable", ""));
    }
    let row = poor.the_order().await;
    assert_eq!(row["status"], "rejected");

    let healed = Api::start(&directory, settings(), &[stock.address], &[money.address]).await;
    let placed = healed.order_once("k1", "ada", &wish).await;
    assert_eq!((placed.status, placed.replayed), (201, false));
    assert_eq!(placed.body["id"], row["id"]);
    assert_eq!(healed.the_order().await["status"], "confirmed");
    let stats = Http::new(&stock.url)
        .get("/inventory/reservations/stats")
        .await;
    assert_eq!(
        (
            &stats.body["confirmed"]["pieces"],
            &stats.body["items"]["reserved"]
        ),
        (&json!(1), &json!(0))
    );
    let paid = Http::new(&money.url).get("/payments/stats").await.body;
    assert_eq!(
        paid["captured"],
        json!({"payments": 1, "cents": placed.body["total_cents"]})
    );
}

#[actix_web::test]
async fn without_inventory_a_key_keeps_its_order_until_it_can_be_taken() {
    let directory = directory();
    let money = payments(&directory).await;
    let blind = Api::start(&directory, settings(), &[nobody()], &[money.address]).await;
    for _ in 0..2 {
        let refused = blind.order_once("k1", "ada", &[("LAMP-OIL", 1)]).await;
        assert_eq!(refused.problem(), (503, "stock_unknown", ""));
    }
    let stock = inventory(&directory).await;
    let healed = Api::start(&directory, settings(), &[stock.address], &[money.address]).await;
    let placed = healed.order_once("k1", "ada", &[("LAMP-OIL", 1)]).await;
    assert_eq!((placed.status, placed.replayed), (201, false));
    assert_eq!(healed.the_order().await["id"], placed.body["id"]);
}

#[actix_web::test]
async fn who_comes_while_the_first_is_at_it_is_told_when_to_come_again() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(slow_to_charge));
    let (stock, money) = ([inventory.address], [payments.address]);
    let impatient = || settings_but(&[("idempotency.wait_ms", 1), ("orders.claim_ms", 5_000)]);
    let one = Api::start(&directory, impatient(), &stock, &money).await;
    let two = Api::start(&directory, impatient(), &stock, &money).await;
    let first = one.order_once("k1", "ada", &[("A", 1)]);
    let second = async {
        payments.was_asked(1).await;
        let told = two.order_once("k1", "ada", &[("A", 1)]).await;
        payments.open_gate();
        told
    };
    let (first, second) = join(first, second).await;
    assert_eq!(second.problem(), (409, "in_progress", ""));
    let wait: u32 = second.retry_after.as_ref().unwrap().parse().unwrap();
    assert!((3..=5).contains(&wait), "the claim's time is left: {wait}");
    assert_eq!(first.status, 201);
    let again = two.order_once("k1", "ada", &[("A", 1)]).await;
    assert_eq!((again.status, again.replayed), (201, true));
}

/// Inventory that holds nothing before the gate opens.
fn slow_to_reserve(asked: &str) -> Reply {
    match (asked, ten_of_a(asked)) {
        ("POST /inventory/reservations", Reply::Now(status, body)) => Reply::Gated(status, body),
        (_, reply) => reply,
    }
}

#[actix_web::test]
async fn who_lost_the_order_to_another_changes_nothing_and_tells_what_the_other_did() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(slow_to_reserve), Peer::start(well));
    let (stock, money) = ([inventory.address], [payments.address]);
    // A claim of a millisecond has run out when the second comes, and the first is still at it.
    let hasty = || settings_but(&[("orders.claim_ms", 1), ("reconciler.every_ms", 3_600_000)]);
    let one = Api::start(&directory, hasty(), &stock, &money).await;
    let two = Api::start(&directory, hasty(), &stock, &money).await;
    let wish = [("A", 1)];
    let first = one.order_once("k1", "ada", &wish);
    let rest = async {
        inventory.was_asked(1).await;
        inventory.becomes(ten_of_a);
        let second = two.order_once("k1", "ada", &wish).await;
        inventory.open_gate();
        second
    };
    let (first, second) = join(first, rest).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.body, second.body);
    assert_eq!(one.the_order().await["status"], "confirmed");
}
