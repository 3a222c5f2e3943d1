//! One key, one order.

use crate::api::{Api, Shop, directory, inventory, settings, settings_with_claim};
use crate::peer::{Peer, Reply, deaf_to_charges, nobody, slow_to_charge, well};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Far more than any order takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

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
async fn a_refusal_that_may_pass_is_not_kept() {
    let directory = directory();
    let payments = Peer::start(well);
    let blind = Api::start(&directory, settings(), &[nobody()], &[payments.address]).await;
    let refused = blind.order_once("k1", "ada", &[("LAMP-OIL", 1)]).await;
    assert_eq!(refused.problem(), (503, "inventory_unavailable", ""));

    let running = inventory(&directory).await;
    let healed = Api::start(
        &directory,
        settings(),
        &[running.address],
        &[payments.address],
    )
    .await;
    let placed = healed.order_once("k1", "ada", &[("LAMP-OIL", 1)]).await;
    assert_eq!((placed.status, placed.replayed), (201, false));
}

#[actix_web::test]
async fn a_claim_that_ran_out_passes_on_and_nothing_is_done_twice() {
    let directory = directory();
    let running = inventory(&directory).await;
    let payments = Peer::start(deaf_to_charges);
    // A claim of a millisecond: whoever comes second finds it run out while the first is still at it.
    let (stock, money) = ([running.address], [payments.address]);
    let one = Api::start(&directory, settings_with_claim(1), &stock, &money).await;
    let two = Api::start(&directory, settings_with_claim(1), &stock, &money).await;
    let first = one.order_once("k1", "ada", &[("LAMP-OIL", 1)]);
    let second = two.order_once("k1", "ada", &[("LAMP-OIL", 1)]);
    let (first, second) = join(first, second).await;
    assert!(
        first.status == 503 && second.status >= 409,
        "{first:?} {second:?}"
    );
    let order = one.the_order().await;
    assert_eq!(order["status"], "rejected", "one order, undone");
    let id = order["id"].as_str().unwrap();
    assert!(
        payments
            .asked()
            .contains(&format!("POST /payments/{id}/refund"))
    );
    let item = crate::client::Http::new(&running.url)
        .get("/inventory/items/LAMP-OIL")
        .await
        .body;
    assert_eq!(
        (&item["stock"], &item["reserved"]),
        (&1_000_000.into(), &0.into())
    );
}

/// Inventory that refuses the first who asks when the gate opens, and serves the second at once.
fn refuses_late(asked: &str) -> Reply {
    match asked {
        "POST /inventory/reservations" => Reply::Gated(
            409,
            json!({"code": "out_of_stock", "detail": "none", "status": 409}),
        ),
        _ => Reply::Now(200, Value::Null),
    }
}

fn holds(asked: &str) -> Reply {
    match asked {
        "POST /inventory/reservations" => Reply::Now(
            201,
            json!({"items": [{"sku": "A", "quantity": 1, "unit_price_cents": 5}], "total_cents": 5}),
        ),
        _ => Reply::Now(200, Value::Null),
    }
}

#[actix_web::test]
async fn who_loses_the_order_to_another_undoes_what_the_other_does_not_know_of() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(refuses_late), Peer::start(slow_to_charge));
    let (stock, money) = ([inventory.address], [payments.address]);
    let one = Api::start(&directory, settings_with_claim(1), &stock, &money).await;
    let two = Api::start(&directory, settings_with_claim(1), &stock, &money).await;
    let wish = [("A", 1)];

    let first = one.order_once("k1", "ada", &wish);
    let rest = async {
        inventory.was_asked(1).await;
        inventory.becomes(holds);
        let second = two.order_once("k1", "ada", &wish);
        let gates = async {
            payments.was_asked(1).await;
            inventory.open_gate();
            let until = Instant::now() + PATIENCE;
            while one.the_order().await["status"] != "rejected" {
                assert!(Instant::now() < until, "the first did not give up");
            }
            payments.open_gate();
        };
        join(second, gates).await.0
    };
    let (first, second) = join(first, rest).await;

    assert_eq!(first.problem(), (409, "out_of_stock", "items"));
    assert_eq!(second.problem(), (409, "out_of_stock", "items"));
    let order = one.the_order().await;
    let id = order["id"].as_str().unwrap();
    assert_eq!(
        payments.asked().last(),
        Some(&format!("POST /payments/{id}/refund"))
    );
    assert!(
        inventory
            .asked()
            .contains(&format!("DELETE /inventory/reservations/{id}"))
    );
}
