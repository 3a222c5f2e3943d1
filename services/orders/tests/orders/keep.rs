//! A claim is kept while its process lives, however short it is, and lapses soon after.

use crate::api::{Api, directory, settings_but, wish};
use crate::client::Http;
use crate::peer::{Peer, deaf_to_charges, nobody, slow_to_charge, ten_of_a, well};
use actix_web::rt;
use awc::http::Method;
use futures_util::future::join;
use std::time::Duration;

/// Of a claim; what is waited for here takes several of them.
const CLAIM_MS: u32 = 200;
const SEVERAL: Duration = Duration::from_millis(5 * CLAIM_MS as u64);

#[actix_web::test]
async fn an_order_that_takes_longer_than_a_claim_stays_with_whoever_works_on_it() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(slow_to_charge));
    let (stock, money) = ([inventory.address], [payments.address]);
    let short = || settings_but(&[("orders.claim_ms", CLAIM_MS)]);
    let first = Api::start(&directory, short(), &stock, &money).await;
    let _second = Api::start(&directory, short(), &stock, &money).await;
    let meanwhile = async {
        payments.was_asked(1).await;
        // Both look every 20 ms for orders that nobody has.
        rt::time::sleep(SEVERAL).await;
        assert_eq!(payments.asked(), ["POST /payments"]);
        payments.open_gate();
    };
    let (placed, ()) = join(first.order_once("k1", "ada", &[("A", 1)]), meanwhile).await;
    assert_eq!((placed.status, placed.replayed), (201, false));
    assert_eq!(payments.asked(), ["POST /payments"]);
}

#[actix_web::test]
async fn a_client_that_asks_again_is_answered_soon_after_the_instance_with_its_order_was_killed() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(deaf_to_charges));
    let (stock, money) = ([inventory.address], [payments.address]);
    let short = || {
        settings_but(&[
            ("orders.claim_ms", CLAIM_MS),
            ("reconciler.every_ms", 60_000),
        ])
    };
    let first = Api::start(&directory, short(), &stock, &money).await;
    let http = Http::new(&first.http.url);
    let body = wish(&[("A", 1)]).to_string();
    let lost = rt::spawn(async move {
        let headers = [("idempotency-key", "k1"), ("x-auth-subject", "ada")];
        http.try_send(Method::POST, "/orders", body, &headers).await
    });
    payments.was_asked(1).await;
    drop(first);
    lost.abort();
    payments.becomes(well);
    let second = Api::start(&directory, short(), &stock, &money).await;
    let answered = second.order_once("k1", "ada", &[("A", 1)]).await;
    assert_eq!(answered.status, 201, "{:?}", answered.body);
    assert_eq!(second.the_order().await["status"], "confirmed");
}

#[actix_web::test]
async fn a_pending_order_goes_on_soon_after_the_reconciler_that_had_it_was_killed() {
    let directory = directory();
    let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(deaf_to_charges));
    let (stock, money) = ([inventory.address], [payments.address]);
    let patient = || {
        settings_but(&[
            ("orders.claim_ms", CLAIM_MS),
            ("reconciler.patience_ms", 60_000),
        ])
    };
    let learner = Api::start(&directory, patient(), &stock, &money).await;
    learner.knows_the_stock().await;
    drop(learner);
    let blind = Api::start(&directory, patient(), &[nobody()], &money).await;
    let id = blind.order(&[("A", 1)]).await.text("id").to_owned();
    drop(blind);
    let first = Api::start(&directory, patient(), &stock, &money).await;
    payments.was_asked(1).await;
    rt::time::sleep(SEVERAL).await;
    drop(first);
    payments.becomes(well);
    let second = Api::start(&directory, patient(), &stock, &money).await;
    second.until(&id, "confirmed").await;
}
