//! Inventory is slow, failing, hanging or dead: orders are taken from what was last known of it, and
//! settled when it is back.

use crate::api::{
    Api, PATIENCE, Shop, directory, inventory_with, payments, settings, settings_but,
};
use crate::client::{Answer, Http};
use crate::peer::{Peer, Reply, Script, failing, hanging, nobody, slow_to_charge, ten_of_a, well};
use futures_util::future::join_all;
use serde_json::json;
use std::time::{Duration, Instant};

/// What reserving may take, as shipped.
const RESERVE_MS: u64 = 120;
/// An answer is promised within 200 ms; a machine that runs other tests too gets more.
const AT_ONCE: Duration = Duration::from_secs(1);

fn pending(answer: &Answer) -> &str {
    assert_eq!(
        (answer.status, answer.text("status")),
        (202, "pending_inventory_check"),
        "{answer:?}"
    );
    answer.text("id")
}

async fn taken_without(inventory_is: Script) {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(well));
    let (stock, money) = ([inventory.address], [payments.address]);
    let api = Api::hurried(&directory, settings(), &stock, &money, RESERVE_MS).await;
    api.knows_the_stock().await;
    inventory.becomes(inventory_is);

    let start = Instant::now();
    let taken = api.order_once("k1", "ada", &[("A", 1)]).await;
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    let id = pending(&taken).to_owned();
    assert_eq!(taken.body["total_cents"], 250, "the last known price");
    assert_eq!(taken.location.as_deref(), Some(&*format!("/orders/{id}")));
    let given = inventory.given_ms()[0];
    assert!((1..RESERVE_MS).contains(&given), "given {given} ms");
    assert!(
        payments.asked().is_empty(),
        "nothing is held, nothing is charged"
    );
    let again = api.order_once("k1", "ada", &[("A", 1)]).await;
    assert_eq!((pending(&again), again.replayed), (&*id, true));
    assert_eq!(
        (&again.body, &again.location),
        (&taken.body, &taken.location)
    );

    inventory.becomes(ten_of_a);
    let order = api.until(&id, "confirmed").await;
    assert_eq!(order["total_cents"], 250);
    assert_eq!(payments.asked(), ["POST /payments"], "charged once");
    let again = api.order_once("k1", "ada", &[("A", 1)]).await;
    assert_eq!(
        (again.status, &again.body),
        (201, &order),
        "as it stands now"
    );
}

#[actix_web::test]
async fn while_inventory_hangs_an_order_is_taken_at_once_and_settled_later() {
    taken_without(hanging).await;
}

#[actix_web::test]
async fn while_inventory_fails_an_order_is_taken_at_once_and_settled_later() {
    taken_without(failing).await;
}

/// Everything but looking takes longer than anybody waits.
fn too_slow(asked: &str) -> Reply {
    match asked.starts_with("GET") {
        true => ten_of_a(asked),
        false => Reply::Never,
    }
}

#[actix_web::test]
async fn while_inventory_answers_only_looks_an_order_is_taken_at_once_and_settled_later() {
    taken_without(too_slow).await;
}

#[actix_web::test]
async fn a_dead_inventory_is_known_to_an_instance_that_never_met_it() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(well));
    let money = [payments.address];
    let learner = Api::start(&directory, settings(), &[inventory.address], &money).await;
    learner.knows_the_stock().await;
    drop(learner);
    let blind = Api::start(&directory, settings(), &[nobody()], &money).await;
    let taken = blind.order(&[("A", 1)]).await;
    let id = pending(&taken);
    let stats = blind.http.get("/orders/stats").await.body;
    assert_eq!(
        stats["by_status"],
        json!({"pending_inventory_check": {"orders": 1, "cents": 250}})
    );
    let until = Instant::now() + PATIENCE;
    while blind.gauge("lictor_orders_oldest_unsettled_age_seconds") == 0.0 {
        assert!(Instant::now() < until, "nobody counts what is left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let healed = Api::start(&directory, settings(), &[inventory.address], &money).await;
    healed.until(id, "confirmed").await;
    Api::have_settled(&[&healed], "confirmed", 1.0).await;
    assert_eq!(blind.settled("confirmed"), 0.0);
}

#[actix_web::test]
async fn what_was_never_heard_of_is_refused_and_may_be_asked_for_again() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(well));
    let (stock, money) = ([inventory.address], [payments.address]);
    let api = Api::start(&directory, settings(), &stock, &money).await;
    api.knows_the_stock().await;
    inventory.becomes(failing);
    let refused = api.order(&[("A", 1), ("B", 1)]).await;
    assert_eq!(refused.problem(), (503, "stock_unknown", ""));
    assert!(refused.retry_after.is_some());
    let whole = join_all((0..10).map(|_| api.order(&[("A", 1)]))).await;
    assert!(
        whole.iter().all(|answer| answer.status == 202),
        "a refused basket takes nothing: {whole:?}"
    );
}

#[actix_web::test]
async fn what_was_heard_too_long_ago_is_unknown() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(well));
    let (stock, money) = ([inventory.address], [payments.address]);
    let forgetful = settings_but(&[("stock.keep_ms", 1)]);
    let api = Api::start(&directory, forgetful, &stock, &money).await;
    api.knows_the_stock().await;
    inventory.becomes(failing);
    let until = Instant::now() + PATIENCE;
    while api.order(&[("A", 1)]).await.text("code") != "stock_unknown" {
        assert!(Instant::now() < until, "it is still believed");
    }
}

#[actix_web::test]
async fn two_instances_together_promise_no_more_than_was_last_known() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(well));
    let money = [payments.address];
    let learner = Api::start(&directory, settings(), &[inventory.address], &money).await;
    learner.knows_the_stock().await;
    drop(learner);
    let blind = [
        Api::start(&directory, settings(), &[nobody()], &money).await,
        Api::start(&directory, settings(), &[nobody()], &money).await,
    ];
    let answers = join_all((0..40).map(|turn: usize| blind[turn % 2].order(&[("A", 1)]))).await;
    let taken: Vec<&str> = answers
        .iter()
        .filter(|answer| answer.status == 202)
        .map(|answer| answer.text("id"))
        .collect();
    let refused = answers
        .iter()
        .filter(|answer| answer.status == 409 && answer.text("code") == "out_of_stock");
    assert_eq!((taken.len(), refused.count()), (10, 30), "{answers:?}");

    let cancelled = blind[1].cancel(taken[0]).await;
    assert_eq!(
        (cancelled.status, cancelled.text("status")),
        (202, "cancelling"),
        "agreed, and undone when inventory is back"
    );
    let next = join_all((0..2).map(|turn: usize| blind[turn].order(&[("A", 1)]))).await;
    let mut next: Vec<u16> = next.iter().map(|answer| answer.status).collect();
    next.sort_unstable();
    assert_eq!(next, [202, 409], "the piece of the cancelled one is free");
}

#[actix_web::test]
async fn an_order_that_inventory_refuses_later_is_rejected_and_never_charged() {
    let mut shop = Shop::open().await;
    shop.stock("A", 10).await;
    for api in &shop.orders {
        api.knows_the_stock().await;
    }
    let blind = shop.blind().await;
    let taken = blind.order_once("k1", "ada", &[("A", 4)]).await;
    let id = pending(&taken).to_owned();
    shop.stock("A", 3).await;
    let others = shop.healed().await;
    let order = others.until(&id, "rejected").await;
    assert_eq!(order["reason"], "out_of_stock");
    let again = others.order_once("k1", "ada", &[("A", 4)]).await;
    assert_eq!(again.problem(), (409, "out_of_stock", "items"));
    assert!(again.replayed);
    assert_eq!(shop.counts("A").await, (3, 0));
    assert_ne!(shop.paid(&id).await, "captured");
}

#[actix_web::test]
async fn an_order_whose_payment_is_declined_later_gives_its_pieces_back() {
    let mut shop = Shop::open().await;
    shop.stock("A", 1_000).await;
    for api in &shop.orders {
        api.knows_the_stock().await;
    }
    let blind = shop.blind().await;
    let id = pending(&blind.order(&[("A", 41)]).await).to_owned();
    let others = shop.healed().await;
    let order = others.until(&id, "rejected").await;
    assert_eq!(order["reason"], "payment_declined");
    assert_eq!(shop.counts("A").await, (1_000, 0));
}

#[actix_web::test]
async fn the_price_that_was_told_is_the_price_that_is_charged() {
    let mut shop = Shop::open().await;
    shop.stock("A", 10).await;
    for api in &shop.orders {
        api.knows_the_stock().await;
    }
    let blind = shop.blind().await;
    let id = pending(&blind.order(&[("A", 2)]).await).to_owned();
    let dearer = json!({"name": "Test item", "price_cents": 999, "stock": 10});
    assert_eq!(
        shop.inventory
            .put("/inventory/items/A", dearer)
            .await
            .status,
        200
    );
    let order = shop.healed().await.until(&id, "confirmed").await;
    assert_eq!(order["total_cents"], 500);
    let payment = shop.payments.get(&format!("/payments/{id}")).await.body;
    assert_eq!(payment["amount_cents"], 500);
}

#[actix_web::test]
async fn two_reconcilers_share_what_is_left_and_do_none_of_it_twice() {
    const ORDERS: usize = 40;
    let directory = directory();
    let (inventory, payments) = (Peer::start(plenty_of_a), Peer::start(well));
    let money = [payments.address];
    let learner = Api::start(&directory, settings(), &[inventory.address], &money).await;
    learner.knows_the_stock().await;
    drop(learner);
    let blind = Api::start(&directory, settings(), &[nobody()], &money).await;
    let taken = join_all((0..ORDERS).map(|_| blind.order(&[("A", 1)]))).await;
    let ids: Vec<&str> = taken.iter().map(pending).collect();
    drop(blind);
    // A step that outlasts the patience is rightly done again: here no machine is that slow.
    let small = || settings_but(&[("reconciler.batch", 4), ("reconciler.patience_ms", 30_000)]);
    let healed = [
        Api::start(&directory, small(), &[inventory.address], &money).await,
        Api::start(&directory, small(), &[inventory.address], &money).await,
    ];
    for id in ids {
        healed[0].until(id, "confirmed").await;
    }
    let reserved = inventory.asked();
    let reserved = reserved
        .iter()
        .filter(|asked| *asked == "POST /inventory/reservations");
    assert_eq!((reserved.count(), payments.asked().len()), (ORDERS, ORDERS));
    Api::have_settled(&healed.each_ref(), "confirmed", ORDERS as f64).await;
}

fn plenty_of_a(asked: &str) -> Reply {
    match asked {
        "GET /inventory/items" => Reply::Now(
            200,
            json!({"items": [{"sku": "A", "price_cents": 250, "available": 1_000}], "total": 1}),
        ),
        _ => ten_of_a(asked),
    }
}

/// Inventory that gave the pieces away before they were paid.
fn ran_out(asked: &str) -> Reply {
    match asked.ends_with("/confirm") {
        true => Reply::Now(
            410,
            json!({"code": "reservation_expired", "detail": "it ran out", "status": 410}),
        ),
        false => ten_of_a(asked),
    }
}

#[actix_web::test]
async fn an_order_whose_reservation_runs_out_while_it_is_charged_is_held_again_and_confirmed() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ran_out), Peer::start(well));
    let (stock, money) = ([inventory.address], [payments.address]);
    let api = Api::start(&directory, settings(), &stock, &money).await;
    let id = pending(&api.order(&[("A", 1)]).await).to_owned();
    // Reserve and confirm, and both again by the reconciler.
    inventory.was_asked(4).await;
    assert_eq!(
        api.show(&id).await.text("status"),
        "pending_inventory_check",
        "running out is nobody's decision"
    );
    inventory.becomes(ten_of_a);
    api.until(&id, "confirmed").await;
    let asked = payments.asked();
    assert!(
        asked.iter().all(|asked| asked == "POST /payments"),
        "the same charge, never given back: {asked:?}"
    );
}

#[actix_web::test]
async fn an_order_that_outlives_its_reservation_takes_its_pieces_from_the_real_inventory_again() {
    let directory = directory();
    let short_lived = inventory_with(&directory, 300, 10).await;
    let payments = Peer::start(slow_to_charge);
    let stock = [short_lived.address];
    let http = Http::new(&short_lived.url);
    let item = json!({"name": "Test item", "price_cents": 250, "stock": 10});
    assert_eq!(http.put("/inventory/items/A", item).await.status, 200);
    let api = Api::start(&directory, settings(), &stock, &[payments.address]).await;
    let placing = async {
        let taken = api.order(&[("A", 4)]).await;
        pending(&taken).to_owned()
    };
    let running_out = async {
        payments.was_asked(1).await;
        let until = Instant::now() + PATIENCE;
        while http.get("/inventory/items/A").await.body["reserved"] != 0 {
            assert!(Instant::now() < until, "it never ran out");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        payments.open_gate();
    };
    let (id, ()) = tokio::join!(placing, running_out);
    api.until(&id, "confirmed").await;
    let item = http.get("/inventory/items/A").await.body;
    assert_eq!((&item["stock"], &item["reserved"]), (&json!(6), &json!(0)));
    assert!(
        payments
            .asked()
            .iter()
            .all(|asked| asked == "POST /payments"),
        "{:?}",
        payments.asked()
    );
}

#[actix_web::test]
async fn payments_that_come_back_settle_what_inventory_held_meanwhile() {
    let directory = directory();
    let inventory = Peer::start(ten_of_a);
    let learner = Api::start(&directory, settings(), &[inventory.address], &[nobody()]).await;
    learner.knows_the_stock().await;
    drop(learner);
    let blind = Api::start(&directory, settings(), &[nobody()], &[nobody()]).await;
    let id = pending(&blind.order(&[("A", 1)]).await).to_owned();
    drop(blind);
    // Inventory is back, payments are not: the order waits with its pieces held.
    let half = Api::start(&directory, settings(), &[inventory.address], &[nobody()]).await;
    inventory.was_asked(3).await;
    assert_eq!(
        half.show(&id).await.text("status"),
        "pending_inventory_check"
    );
    let real = payments(&directory).await;
    let whole = Api::start(
        &directory,
        settings(),
        &[inventory.address],
        &[real.address],
    )
    .await;
    whole.until(&id, "confirmed").await;
    let payment = Http::new(&real.url).get(&format!("/payments/{id}")).await;
    assert_eq!(payment.text("status"), "captured");
}
