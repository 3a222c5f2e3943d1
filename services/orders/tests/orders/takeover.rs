//! A process is killed in the middle of an order: another one goes on with it.

use crate::api::{Api, directory, settings, settings_but, wish};
use crate::client::Http;
use crate::peer::{Peer, Reply, Script, ten_of_a, well};
use actix_web::rt;
use awc::http::Method;
use serde_json::Value;

fn never_reserves(asked: &str) -> Reply {
    match asked {
        "POST /inventory/reservations" => Reply::Never,
        _ => ten_of_a(asked),
    }
}

fn never_confirms(asked: &str) -> Reply {
    match asked.ends_with("/confirm") {
        true => Reply::Never,
        false => ten_of_a(asked),
    }
}

fn never_releases(asked: &str) -> Reply {
    match asked.starts_with("DELETE") {
        true => Reply::Never,
        false => ten_of_a(asked),
    }
}

fn never_charges(asked: &str) -> Reply {
    match asked {
        "POST /payments" => Reply::Never,
        _ => well(asked),
    }
}

fn never_refunds(asked: &str) -> Reply {
    match asked.ends_with("/refund") {
        true => Reply::Never,
        false => well(asked),
    }
}

/// Starts an order at an instance that is killed once inventory and payments were asked so often,
/// and answers what became of the order at another instance.
async fn killed(stock_is: Script, money_is: Script, asked: (usize, usize)) -> (Value, Peer, Peer) {
    let directory = directory();
    let (inventory, payments) = (Peer::start(stock_is), Peer::start(money_is));
    let (stock, money) = ([inventory.address], [payments.address]);
    let short = settings_but(&[("orders.claim_ms", 300)]);
    let first = Api::start(&directory, short, &stock, &money).await;
    let http = Http::new(&first.http.url);
    let body = wish(&[("A", 1)]).to_string();
    let client = rt::spawn(async move { http.try_send(Method::POST, "/orders", body, &[]).await });
    inventory.was_asked(asked.0).await;
    payments.was_asked(asked.1).await;
    drop(first);
    client.abort();
    inventory.becomes(ten_of_a);
    payments.becomes(well);
    let second = Api::start(&directory, settings(), &stock, &money).await;
    let id = second.the_order().await["id"].as_str().unwrap().to_owned();
    let order = second.until(&id, "confirmed").await;
    Api::have_settled(&[&second], "confirmed", 1.0).await;
    (order, inventory, payments)
}

#[actix_web::test]
async fn an_order_is_confirmed_whose_process_was_killed_while_it_reserved() {
    let (_, _, payments) = killed(never_reserves, well, (1, 0)).await;
    assert_eq!(payments.asked(), ["POST /payments"]);
}

#[actix_web::test]
async fn an_order_is_confirmed_whose_process_was_killed_while_it_charged() {
    let (order, inventory, payments) = killed(ten_of_a, never_charges, (1, 1)).await;
    assert_eq!(payments.asked(), ["POST /payments", "POST /payments"]);
    let id = order["id"].as_str().unwrap();
    let reserve = "POST /inventory/reservations".to_owned();
    let confirm = format!("POST /inventory/reservations/{id}/confirm");
    assert_eq!(inventory.asked(), [reserve.clone(), reserve, confirm]);
}

#[actix_web::test]
async fn an_order_is_confirmed_whose_process_was_killed_while_it_confirmed() {
    let (order, _, _) = killed(never_confirms, well, (2, 1)).await;
    assert_eq!(order["total_cents"], 250);
}

#[actix_web::test]
async fn a_way_back_is_finished_whose_process_was_killed_on_it() {
    for (stock_is, money_is) in [
        (never_releases as Script, well as Script),
        (ten_of_a, never_refunds),
    ] {
        let directory = directory();
        let (inventory, payments) = (Peer::start(ten_of_a), Peer::start(well));
        let (stock, money) = ([inventory.address], [payments.address]);
        let short = settings_but(&[("orders.claim_ms", 300)]);
        let first = Api::start(&directory, short, &stock, &money).await;
        let id = first.order(&[("A", 1)]).await.text("id").to_owned();
        inventory.becomes(stock_is);
        payments.becomes(money_is);
        let http = Http::new(&first.http.url);
        let path = format!("/orders/{id}");
        let client = rt::spawn(async move {
            http.try_send(Method::DELETE, &path, String::new(), &[])
                .await
        });
        inventory.was_asked(3).await;
        payments.was_asked(2).await;
        drop(first);
        client.abort();
        inventory.becomes(ten_of_a);
        payments.becomes(well);
        let second = Api::start(&directory, settings(), &stock, &money).await;
        second.until(&id, "cancelled").await;
    }
}
